"""Import and export of whole stores: Radicale, Xandikos, Apple, plain folders."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from kalends.cli.main import main
from support.installation import Client, Installation, event
from support.samples import card, todo
from support.server import RadicaleServer

PROPS = (
    "D:displayname",
    "C:calendar-description",
    "I:calendar-color",
    "I:calendar-order",
    "C:supported-calendar-component-set",
    "X:note",
)
SPACES = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:I="http://apple.com/ns/ical/" '
    'xmlns:CR="urn:ietf:params:xml:ns:carddav" xmlns:X="urn:x-tests"'
)
MKCALENDAR = f"""<C:mkcalendar {SPACES}><D:set><D:prop>
<D:displayname>Work äöü &amp; more</D:displayname>
<C:calendar-description>What is to be done</C:calendar-description>
<I:calendar-color>#00ff7fff</I:calendar-color><I:calendar-order>7</I:calendar-order>
<X:note>kept as well</X:note>
<C:supported-calendar-component-set><C:comp name="VEVENT"/><C:comp name="VTODO"/>
</C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>"""
MKBOOK = f"""<D:mkcol {SPACES}><D:set><D:prop>
<D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype>
<D:displayname>Friends</D:displayname></D:prop></D:set></D:mkcol>"""


def run(
    capsys: pytest.CaptureFixture[str], installation: Installation, *arguments: str
) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([arguments[0], "--config", str(installation.config), *arguments[1:]])
    printed = capsys.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, printed.out, printed.err


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RadicaleServer]:
    """A store that stock Radicale wrote: two accounts, and odd names of objects."""
    users = {"alice": "wonderland", "bob": "builder"}
    server = RadicaleServer(tmp_path_factory.mktemp("radicale"), users=users)

    def ask(method: str, path: str, body: bytes | str, user: str = "alice") -> None:
        answer = server.request(method, quote(path), user=user, body=body)
        assert answer.status in (201, 204, 207), (method, path, answer)

    ask("MKCALENDAR", "/alice/work/", MKCALENDAR)
    ask("MKCOL", "/alice/friends/", MKBOOK)
    for number in range(30):
        text = event(f"uid-{number}", summary=f"Meeting {number}")
        ask("PUT", f"/alice/work/{number}.ics", text)
    zoned = event("zoned", "20260105T090000Z", "RRULE:FREQ=WEEKLY;COUNT=9", "X-NOTE:a\\, b")
    ask("PUT", "/alice/work/Ünïcode und Leerzeichen.ics", zoned)
    ask("PUT", "/alice/work/no-suffix", event("no-suffix"))
    ask("PUT", "/alice/work/a+b&c%20d.ics", todo("task"))
    ask("PUT", "/alice/friends/carol.vcf", card("carol", "Carol"))
    ask("MKCALENDAR", "/bob/calendar/", f"<C:mkcalendar {SPACES}/>", user="bob")
    ask("PUT", "/bob/calendar/b.ics", event("b"), user="bob")
    yield server
    server.close()


def stored(folder: Path) -> dict[str, bytes]:
    """Return the objects of a store of Radicale by path, with properties as sorted JSON."""
    root = folder / "collection-root"
    found = {}
    for path in root.rglob("*"):
        if path.is_file() and ".Radicale.cache" not in path.parts:
            data = path.read_bytes()
            if path.name == ".Radicale.props":
                data = json.dumps(json.loads(data), sort_keys=True).encode()
            found[str(path.relative_to(root))] = data
    return found


def propfind(client: Client, path: str) -> dict[str, str | None]:
    wanted = "".join(f"<{name}/>" for name in PROPS)
    body = f"<D:propfind {SPACES}><D:prop>{wanted}</D:prop></D:propfind>"
    answer = client("PROPFIND", path, body, headers={"Depth": "0"})
    return props_in(answer.body)


def props_in(body: bytes) -> dict[str, str | None]:
    """Return the properties in a multistatus that have status 200."""
    found = {}
    for propstat in ET.fromstring(body).iter("{DAV:}propstat"):
        if "200" in propstat.findtext("{DAV:}status", ""):
            for prop in propstat.findall("{DAV:}prop/*"):
                parts = sorted(part.get("name", "") for part in prop)
                found[prop.tag] = ",".join(parts) if parts else prop.text
    return found


def test_a_store_of_radicale_is_imported_completely(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], radicale: RadicaleServer
) -> None:
    installation = Installation(tmp_path)
    store = radicale.folder / "collections"
    status, out, err = run(capsys, installation, "import", "--radicale", str(store))
    assert (status, err) == (0, "")
    assert out.endswith(
        "5 collections made, 0 got other properties; 35 objects added, 0 changed, 0 unchanged, "
        "0 refused\n"
    )
    files = {p: d for p, d in stored(store).items() if not p.endswith(".Radicale.props")}
    assert len(files) == 35
    for user in ("alice", "bob"):
        with installation.client(user) as client:
            for path, data in files.items():
                if path.startswith(user):
                    assert client("GET", quote(f"/{path}")).body == data
    with installation.client() as client:
        for path in ("/alice/work/", "/alice/friends/"):
            body = "".join(f"<{name}/>" for name in PROPS)
            asked = radicale.request(
                "PROPFIND",
                path,
                user="alice",
                body=f"<D:propfind {SPACES}><D:prop>{body}</D:prop></D:propfind>",
                headers={"Depth": "0"},
            )
            # Radicale also returns an empty component set for an address book.
            theirs = {name: value for name, value in props_in(asked.body).items() if value}
            assert propfind(client, path) == theirs
        assert propfind(client, "/alice/work/")["{http://apple.com/ns/ical/}calendar-order"] == "7"
        # Only the imported collections exist: no first collections were added.
        assert set(client.props("/alice/", "D:displayname", depth="1")) == {
            "/alice/",
            "/alice/work/",
            "/alice/friends/",
        }


def test_a_second_import_changes_nothing_and_a_dry_run_stores_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], radicale: RadicaleServer
) -> None:
    installation = Installation(tmp_path)
    store = str(radicale.folder / "collections" / "collection-root")
    status, out, _ = run(capsys, installation, "import", "--radicale", store, "--dry-run")
    assert status == 0
    assert out.startswith("dry run: 5 collections made")
    assert "35 objects added" in out
    with installation.client() as client:
        assert client("GET", "/alice/work/1.ics").status == 404
    run(capsys, installation, "import", "--radicale", store)
    with installation.client() as client:
        before = client.props("/alice/work/", "CS:getctag")
    status, out, _ = run(capsys, installation, "import", "--radicale", store)
    assert out == (
        "0 collections made, 0 got other properties; 0 objects added, 0 changed, 35 unchanged, "
        "0 refused\n"
    )
    with installation.client() as client:
        assert client.props("/alice/work/", "CS:getctag") == before


def test_an_export_is_the_store_that_was_imported_and_radicale_serves_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], radicale: RadicaleServer
) -> None:
    (tmp_path / "k").mkdir()
    installation = Installation(tmp_path / "k")
    store = radicale.folder / "collections"
    run(capsys, installation, "import", "--radicale", str(store))
    stock = RadicaleServer(tmp_path / "stock", users=radicale.users)
    try:
        stock.stop()
        target = tmp_path / "stock" / "collections"
        if target.exists():
            target.rename(tmp_path / "stock" / "empty")
        status, out, err = run(capsys, installation, "export", "--radicale", str(target))
        assert (status, out, err) == (0, "3 collections with 35 objects written\n", "")
        assert stored(target) == stored(store)
        assert (target.stat().st_mode & 0o777, next(target.rglob("b.ics")).stat().st_mode) == (
            0o700,
            0o100600,
        )
        stock.start()
        for path in stored(target):
            user = path.partition("/")[0]
            if not path.endswith(".Radicale.props"):
                here = stock.request("GET", quote(f"/{path}"), user=user)
                there = radicale.request("GET", quote(f"/{path}"), user=user)
                assert (here.status, here.body) == (200, there.body)
        for path in ("/alice/work/", "/alice/friends/", "/bob/calendar/"):
            user = path.split("/")[1]
            asked = [
                s.request("PROPFIND", path, user=user, headers={"Depth": "0"}).body
                for s in (stock, radicale)
            ]
            names = "{DAV:}displayname", "{http://apple.com/ns/ical/}calendar-color"
            assert [props_in(asked[0]).get(n) for n in names] == [
                props_in(asked[1]).get(n) for n in names
            ]
    finally:
        stock.close()


def test_an_export_refuses_a_folder_that_is_not_empty(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    status, _, err = run(capsys, installation, "export", "--radicale", str(tmp_path))
    assert (status, err.count("\n")) == (1, 1)
    assert "is not empty" in err


def test_files_that_cannot_be_imported_are_named_with_their_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "k").mkdir()
    installation = Installation(tmp_path / "k")
    root = tmp_path / "store" / "collection-root"
    work = root / "alice" / "work"
    work.mkdir(parents=True)
    (work / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (work / "good.ics").write_bytes(event("good"))
    (work / "method.ics").write_bytes(
        event("method").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nMETHOD:PUBLISH\r\n")
    )
    (work / "bad.ics").write_bytes(event("bad").replace(b"DURATION:", b"DURATION"))
    (work / "twice.ics").write_bytes(event("good", summary="another"))
    for name, props in (("broken", '{"tag":\n  oops}'), ("odd", '{"tag": "VTODO"}')):
        (root / "bob" / name).mkdir(parents=True)
        (root / "bob" / name / ".Radicale.props").write_text(props)
    (root / "feeds" / "calendar").mkdir(parents=True)
    (root / "stray.ics").write_bytes(event("stray"))
    status, out, err = run(capsys, installation, "import", "--radicale", str(root.parent))
    assert status == 1
    assert f"{work}/bad.ics:8: not a content line" in err
    assert f"{work}/twice.ics: has the same UID as {work}/good.ics" in err
    assert f"{root}/bob/broken/.Radicale.props:2: is not JSON" in err
    assert f"{root}/bob/odd/.Radicale.props:1: does not hold the properties of a collection" in err
    assert f"{root}/feeds: 'feeds' has no home: the name is reserved" in err
    assert f"{root}/stray.ics: is not in a calendar or address book" in err
    note = "a stored object must not have a METHOD; stored without that"
    assert f"note: {work}/method.ics: {note}" in out
    with installation.client() as client:
        assert b"METHOD" not in client("GET", "/alice/work/method.ics").body
        assert client("GET", "/alice/work/good.ics").body == event("good")


def test_names_that_radicale_ignores_are_replaced_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    names = [".hidden.ics", "backup~", "x" * 250 + "ä.ics"]
    with installation.client() as client:
        for number, name in enumerate(names):
            assert client("PUT", f"/alice/calendar/{name}", event(f"u{number}")).status == 201
    target = tmp_path / "out"
    status, out, _ = run(capsys, installation, "export", "--radicale", str(target))
    assert status == 0
    assert out.count("note: /alice/calendar/") == 3
    files = list((target / "collection-root" / "alice" / "calendar").glob("*.ics"))
    assert sorted(f.read_bytes() for f in files) == [event(f"u{n}") for n in range(3)]


def test_plain_folders_are_imported_and_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = Installation(tmp_path)
    folder = tmp_path / "in"
    (folder / "alice" / "single").mkdir(parents=True)
    (folder / "GROUPS" / "family").mkdir(parents=True)
    named = event("w1").replace(b"VERSION:2.0\r\n", b"VERSION:2.0\r\nX-WR-CALNAME:Our Work\r\n")
    (folder / "alice" / "work.ics").write_bytes(named + event("w2"))
    (folder / "alice" / "friends.vcf").write_text(card("c", "Carol") + card("d", "Dora"))
    (folder / "alice" / "single" / "one.ics").write_bytes(event("one"))
    (folder / "GROUPS" / "family" / "birthdays.ics").write_bytes(event("birthday"))
    status, out, err = run(capsys, installation, "import", "--folder", str(folder))
    assert (status, err) == (0, "")
    assert out.startswith("4 collections made")
    assert "6 objects added" in out
    with installation.client() as client:
        assert client("GET", "/alice/single/one.ics").body == event("one")
        said = client.props("/alice/work/", "D:displayname")
        assert said["/alice/work/"]["{DAV:}displayname"] == "Our Work"
    target = tmp_path / "out"
    assert run(capsys, installation, "export", "--folder", str(target), "--user", "alice")[0] == 0
    written = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert written == {"alice/work.ics", "alice/single.ics", "alice/friends.vcf"}
    # Another installation imports the export.
    (tmp_path / "second").mkdir()
    other = Installation(tmp_path / "second")
    status, out, err = run(capsys, other, "import", "--folder", str(target))
    assert (status, err) == (0, "")
    assert "5 objects added" in out


def test_apples_exports_and_documents_are_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    guid = "6423F94A-6B76-4A3A-815B-D52CFD77935D"
    installation = Installation(tmp_path)
    export = tmp_path / "export"
    export.mkdir()
    head = (
        "VERSION:2.0\r\nNAME:Home\r\nCOLOR:#0E61B9FF\r\n"
        f"SOURCE:/calendars/__uids__/{guid}/cal\r\n endar/\r\n"
    ).encode()
    (export / f"{guid}_calendar.ics").write_bytes(event("e").replace(b"VERSION:2.0\r\n", head))
    (export / f"{guid}_addressbook.vcf").write_text(card("c", "Carol"))
    arguments = ("import", "--apple", str(export), "--rename", f"{guid}=alice")
    status, out, err = run(capsys, installation, *arguments)
    assert (status, err) == (0, "")
    assert "2 objects added" in out
    with installation.client() as client:
        assert client("GET", "/alice/addressbook/c.vcf").status == 200
        assert propfind(client, "/alice/calendar/") | {} == {
            "{DAV:}displayname": "Home",
            "{http://apple.com/ns/ical/}calendar-color": "#0E61B9FF",
            "{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set": (
                "VEVENT,VFREEBUSY,VJOURNAL,VTODO"
            ),
        }
    documents = tmp_path / "Documents"
    work = documents / "calendars" / "__uids__" / "64" / "23" / guid / "work"
    work.mkdir(parents=True)
    (work.parent / "inbox").mkdir()
    (work / "A-B.ics").write_bytes(event("documents"))
    (work / ".db.sqlite").write_bytes(b"an index")
    book = documents / "addressbooks" / "__uids__" / "64" / "23" / guid / "work"
    book.mkdir(parents=True)
    (book / "c.vcf").write_text(card("d", "Dora"))
    name = b"<?xml version='1.0'?>\r\n<displayname xmlns='DAV:'>Office</displayname>\r\n"
    os.setxattr(work, "user.WebDAV:{DAV:}displayname", zlib.compress(name))
    components = (
        b"<supported-calendar-component-set xmlns='urn:ietf:params:xml:ns:caldav'>"
        b"<comp name='VEVENT'/></supported-calendar-component-set>"
    )
    os.setxattr(work, "user.{CALDAV:}supported-calendar-component-set", components)
    os.setxattr(work, "user.{http:%2F%2Fapple.com%2Fns%2Fical%2F}calendar-color", b"(cdate\nd")
    arguments = ("import", "--apple", str(documents), "--rename", f"{guid}=alice")
    status, out, err = run(capsys, installation, *arguments)
    assert (status, err) == (0, "")
    assert "inbox: skipped" in out
    assert "calendar-color is in a format that is not supported" in out
    with installation.client() as client:
        assert client("GET", "/alice/work/A-B.ics").body == event("documents")
        assert client("GET", "/alice/work-contacts/c.vcf").status == 200
        said = propfind(client, "/alice/work/")
        assert said["{DAV:}displayname"] == "Office"
        assert said["{urn:ietf:params:xml:ns:caldav}supported-calendar-component-set"] == "VEVENT"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--radicale", "{}/none"), "no such folder"),
        (("--radicale", "{}"), "not a store of Radicale"),
        (("--xandikos", "{}"), "not a store of Xandikos"),
        (("--apple", "{}/feeds"), "no such folder"),
        (("--folder", "{}/empty"), "holds no USER/CALENDAR.ics"),
        (("--folder", "{}", "--into", "alice/x"), "takes one folder"),
        (("--folder", "{}/one", "--rename", "x"), "--rename takes OLD=NEW"),
        (("--folder", "{}/one", "--rename", "x=y"), "the folder has no account 'x'"),
        (("a.ics",), "FILE... --into"),
        (("--into", "alice/x"), "FILE... --into"),
        (("--dry-run", "a.ics", "--into", "alice/x"), "need a folder"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], why: str
) -> None:
    installation = Installation(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "bob").mkdir(parents=True)
    (tmp_path / "one" / "bob" / "b.ics").write_bytes(event("b"))
    words = [word.format(tmp_path) for word in arguments]
    status, out, err = run(capsys, installation, "import", *words)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert why in err
