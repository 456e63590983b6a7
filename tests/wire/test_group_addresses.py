"""Addresses of group calendars: named after the group, and the former ones go on to answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from kalends.cli.main import main
from kalends.store import schema_version
from support.installation import NAMES, Answer, Client, Installation, event
from support.paths import DATA
from support.postgres import PostgresServer

USERS = {"alice": "wonderland", "bob": "builder", "eve": "apple"}
FEEDS = '[feed.shared]\ncalendars = ["GROUPS/family/calendar"]\naccess = "public"\n'
OLD = "/GROUPS/family/calendar/"
NEW = "/GROUPS/family/family/"
SYNC = """<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>
<prop><getetag/></prop></sync-collection>"""
MULTIGET = """<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop>
<getetag/><C:calendar-data/></prop><href>{}</href></C:calendar-multiget>"""
NAME = """<propertyupdate xmlns="DAV:"><set><prop><displayname>We</displayname></prop></set>
</propertyupdate>"""


def site(folder: Path, groups: str = "family: alice bob\n", **options: str) -> Installation:
    (folder / "groups").write_text(groups)
    given = {"auth__htgroup_filename": str(folder / "groups"), **options}
    return Installation(folder, users=USERS, feeds=FEEDS, options=given)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with site(tmp_path).client() as client:
        assert client("PROPFIND", "/alice/", headers={"Depth": "0"}).status == 207
        yield client


def ends(client: Client, user: str = "alice") -> list[str]:
    """Return the addresses in a home's listing, which must not end alike."""
    client.user = user
    found = list(client.props(f"/{user}/", "D:resourcetype", depth="1"))[1:]
    last = [path.rstrip("/").rpartition("/")[2] for path in found]
    assert len(last) == len(set(last)), found
    return found


def token(answer: Answer) -> str:
    return answer.xml().findtext("D:sync-token", "", NAMES)


def test_a_groups_first_calendar_is_called_after_the_group(client: Client) -> None:
    assert NEW in ends(client)
    assert OLD not in ends(client)
    assert client.props(NEW, "D:displayname")[NEW]["{DAV:}displayname"] == "family"


def test_all_methods_answer_at_both_addresses(client: Client) -> None:
    for one, other in ((OLD, NEW), (NEW, OLD)):
        assert client("PUT", f"{one}a.ics", event("a")).status == 201
        tag = client("GET", f"{other}a.ics").headers["ETag"]
        assert client("GET", f"{one}a.ics", headers={"If-None-Match": tag}).status == 304
        known = token(client("REPORT", one, SYNC.format("")))
        changed = {"If-Match": tag}
        text = event("a", summary="Other")
        assert client("PUT", f"{other}a.ics", text, headers=changed).status == 204
        for place in (one, other):
            answer = client("REPORT", place, SYNC.format(known))
            assert (answer.status, answer.hrefs()) == (207, [f"{place}a.ics"])
            found = client("REPORT", place, MULTIGET.format(f"{place}a.ics"))
            assert found.hrefs() == [f"{place}a.ics"]
            assert b"SUMMARY:Other" in found.body
            assert list(client.props(place, "D:getetag", depth="1")) == [place, f"{place}a.ics"]
            assert list(client.props(place, "D:getetag", depth="0")) == [place]
            assert b"SUMMARY:Other" in client("GET", place).body
        assert client("PROPPATCH", one, NAME).status == 207
        assert client.props(other, "D:displayname")[other]["{DAV:}displayname"] == "We"
        assert client("MKCALENDAR", one).status in (403, 405, 409)
        target = {"Destination": f"http://127.0.0.1{one}b.ics", "Overwrite": "T"}
        assert client("MOVE", f"{one}a.ics", headers=target).status == 201
        assert client("DELETE", f"{other}b.ics").status == 204
        assert client("GET", f"{one}b.ics").status == 404


def test_the_former_address_gives_nobody_other_rights(client: Client) -> None:
    client("PUT", f"{NEW}a.ics", event("a"))
    for method in ("GET", "PROPFIND", "DELETE"):
        for path in (OLD, f"{OLD}a.ics"):
            assert client(method, path, user="eve").status == 403, (method, path)
    assert client("GET", f"{OLD}a.ics", user="bob").status == 200


@pytest.mark.parametrize("place", [OLD, NEW])
def test_a_deleted_calendar_is_gone_from_both(client: Client, place: str) -> None:
    client("PUT", f"{NEW}a.ics", event("a"))
    assert client("DELETE", place).status in (200, 204)
    for path in (OLD, NEW, f"{OLD}a.ics", f"{NEW}a.ics"):
        assert client("GET", path).status == 404
    assert client("MKCALENDAR", OLD).status == 201
    assert client("PUT", f"{OLD}b.ics", event("b")).status == 201
    assert client("GET", NEW).status == 404


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_calendar_is_copied_and_moved_from_its_former_address(
    client: Client, method: str
) -> None:
    client("PUT", f"{NEW}a.ics", event("a"))
    target = {"Destination": "http://127.0.0.1/GROUPS/family/other/"}
    assert client(method, OLD, headers=target).status == 201
    assert client("GET", "/GROUPS/family/other/a.ics").body == event("a")
    assert client("GET", f"{NEW}a.ics").status == (200 if method == "COPY" else 404)


def test_a_feed_that_names_the_former_address_goes_on(client: Client) -> None:
    client("PUT", f"{NEW}a.ics", event("a", summary="Picnic"))
    assert b"SUMMARY:Picnic" in client("GET", "/feeds/shared.ics", user="").body


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    installation = site(tmp_path, "")
    with installation.client() as client:
        assert client("PROPFIND", "/alice/", headers={"Depth": "0"}).status == 207
        assert client("MKCALENDAR", "/alice/family/").status == 201
    (tmp_path / "groups").write_text("family: alice bob\nchess: alice\n")
    first = '{"calendar": {"tag": "VCALENDAR"}, "contacts": {"tag": "VADDRESSBOOK"}}'
    installation.write(storage__group_collections=first)
    with installation.client() as client:
        assert [path for path in ends(client) if path.startswith("/GROUPS/")] == [
            "/GROUPS/chess/chess/",
            "/GROUPS/chess/chess-contacts/",
            "/GROUPS/family/family-2/",
            "/GROUPS/family/family-contacts/",
        ]
        assert client("PUT", f"{OLD}a.ics", event("a")).status == 201
        assert client("GET", "/GROUPS/family/family-2/a.ics").status == 200


PATHS = (
    ("", None, ""),
    ("alice", "", ""),
    ("alice/calendar", "alice", "VCALENDAR"),
    ("alice/holidays", "alice", "VCALENDAR"),
    ("alice/family", "alice", "VCALENDAR"),
    ("GROUPS", "", ""),
    ("GROUPS/chess", "GROUPS", ""),
    ("GROUPS/chess/calendar", "GROUPS/chess", "VCALENDAR"),
    ("GROUPS/chess/league", "GROUPS/chess", "VCALENDAR"),
    ("GROUPS/family", "GROUPS", ""),
    ("GROUPS/family/calendar", "GROUPS/family", "VCALENDAR"),
    ("GROUPS/family/holidays", "GROUPS/family", "VCALENDAR"),
    ("GROUPS/family/league", "GROUPS/family", "VADDRESSBOOK"),
)
SHARED = {"calendar": "family-2", "holidays": "family-holidays", "league": "family-league"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_renames_what_ends_alike(
    tmp_path: Path, request: pytest.FixtureRequest, kind: str
) -> None:
    url = f"sqlite:///{tmp_path}/kalends.db"
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database()
    engine = create_engine(url)
    with engine.begin() as connection:
        schema_version.upgrade(connection, "0005")
        for path, parent, tag in PATHS:
            above = "NULL" if parent is None else f"'{parent}'"
            connection.exec_driver_sql(
                "INSERT INTO collection (path, parent, tag, props, incarnation, modseq, forgotten,"
                f" changed) VALUES ('{path}', {above}, '{tag}', '{{\"tag\": \"{tag}\"}}', 'i', 7,"
                " 0, 1)"
            )
    engine.dispose()
    (tmp_path / "feeds").mkdir()
    installation = site(tmp_path, "family: alice bob\nchess: alice\n", storage__database=url)
    with installation.client() as client:
        assert [path for path in ends(client) if path.startswith("/GROUPS/")] == [
            "/GROUPS/chess/chess/",
            "/GROUPS/chess/chess-league/",
            *(f"/GROUPS/family/{name}/" for name in SHARED.values()),
        ]
        for old, new in SHARED.items():
            places = [f"/GROUPS/family/{name}/" for name in (old, new)]
            known = [client.props(place, "CS:getctag", "D:sync-token") for place in places]
            assert known[0][places[0]] == known[1][places[1]]
            assert '"i-7"' in known[0][places[0]].values()


def test_a_store_of_0_1_0_is_read_at_both_addresses(tmp_path: Path) -> None:
    shutil.copy(DATA / "store-0.1.0" / "kalends.db", tmp_path)
    with site(tmp_path).client() as client:
        assert NEW in ends(client)
        assert ends(client) == [path for path in ends(client) if path != OLD]
        assert client("GET", f"{OLD}picnic.ics").body == client("GET", f"{NEW}picnic.ics").body
        assert b"UID:picnic" in client("GET", "/feeds/shared.ics", user="").body


def run(installation: Installation, *words: str) -> None:
    with pytest.raises(SystemExit) as left:
        main([*words, "--config", str(installation.config)])
    assert left.value.code in (0, None)


@pytest.mark.parametrize("way", ["backup", "export"])
def test_former_addresses_survive_a_move(tmp_path: Path, way: str) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with site(one).client() as client:
        assert client("PUT", f"{OLD}a.ics", event("a")).status == 201
    if way == "backup":
        run(site(one), "backup", str(tmp_path / "kept.tar"))
        run(site(other), "backup", "--restore", str(tmp_path / "kept.tar"))
    else:
        run(site(one), "export", "--radicale", str(tmp_path / "out"))
        run(site(other), "import", "--radicale", str(tmp_path / "out"))
    with site(other).client() as client:
        assert NEW in ends(client)
        for path in (OLD, NEW):
            assert client("GET", f"{path}a.ics").body == event("a")
            assert not [p for p in client.props(path, "D:resourcetype") if "aliases" in p]


def test_an_import_renames_what_ends_alike(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "radicale" / "collection-root" / "GROUPS" / "family" / "calendar"
    folder.mkdir(parents=True)
    (folder / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    (folder / "a.ics").write_bytes(event("a"))
    run(site(tmp_path), "import", "--radicale", str(tmp_path / "radicale"))
    assert f"{OLD}: is at {NEW} now" in capsys.readouterr().out
    with site(tmp_path).client() as client:
        assert NEW in ends(client)
        assert client("GET", f"{OLD}a.ics").body == event("a")
