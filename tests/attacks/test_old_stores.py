"""Objects that an earlier version stored, or SQL: every reader still answers with the others."""

from __future__ import annotations

import io
import logging
import sqlite3
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from kalends.cli.main import main
from kalends.common.xml_text import writable
from support import nasty
from support.installation import NAMES, Answer, Client, Installation, event
from support.samples import card

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
YEAR = 'start="20260101T000000Z" end="20270101T000000Z"'
START = "DTSTART:20260105T090000Z"
CONTROLS = "".join(map(chr, [*range(9), 11, 12, *range(14, 32), 127])) + "\ufffe\uffff"


def _alarms(number: int) -> str:
    return "\r\n".join(["BEGIN:VALARM\r\nTRIGGER:PT0S\r\nEND:VALARM"] * number)


def _deep(levels: int) -> str:
    return "\r\n".join(["BEGIN:X-A"] * levels + ["END:X-A"] * levels)


def _broken_zone() -> str:
    lines = ["RRULE:FREQ=NEVER", "RDATE:yesterday", "TZOFFSETTO:east", "DTSTART:"]
    return nasty.zone("\r\n".join(["BEGIN:STANDARD", *lines, "END:STANDARD", ""]))


SICK: dict[str, Callable[[], bytes]] = {
    "too many components": lambda: nasty.calendar(nasty.event(START, _alarms(20_001))),
    "too deep": lambda: nasty.calendar(nasty.event(START, _deep(17))),
    "a thousand levels": lambda: nasty.calendar(nasty.event(START, _deep(1_000))),
    "control characters": lambda: nasty.calendar(nasty.event(START, f"SUMMARY:Lunch{CONTROLS}")),
    "a line of control characters": lambda: nasty.calendar(nasty.event(START, CONTROLS)),
    "an endless rule": nasty.KINDS["hours since the year 1"],
    "a rule of seconds": lambda: nasty.calendar(
        nasty.event("DTSTART:00010101T000000Z", "RRULE:FREQ=SECONDLY")
    ),
    "rules in overrides": nasty.KINDS["overrides with ten rules each"],
    "a broken VTIMEZONE": lambda: nasty.in_zone(_broken_zone()),
    "a VTIMEZONE without an end": lambda: nasty.in_zone("BEGIN:VTIMEZONE\r\nTZID:Z\r\n"),
    "many VTIMEZONEs": nasty.KINDS["many zones"],
    "5,000 names of zones": lambda: nasty.calendar(
        nasty.event(START, *(f"RDATE;TZID=A/{n}:20260106T100000" for n in range(5_000)))
    ),
    "too many parameters": lambda: nasty.calendar(
        nasty.event(START, f"X-A;B={',' * 30_000}:x")
    ),
    "too many lines": lambda: nasty.calendar(nasty.event(START, *["X:"] * 200_001)),
    "no end": lambda: nasty.calendar(nasty.event(START)).removesuffix(nasty.END.encode()),
    "no calendar at all": lambda: b"Dear Sir,\r\n\r\nI shall not come.\r\n",
    "no event": lambda: nasty.calendar(),
    "two calendars": lambda: 2 * nasty.calendar(nasty.event(START)),
    "no times": lambda: nasty.calendar(nasty.event("SUMMARY:whenever")),
    "bad times": lambda: nasty.calendar(
        nasty.event("DTSTART:99999999T999999Z", "DURATION:P1Y", "EXDATE:,", "RRULE:FREQ=")
    ),
    "a METHOD": lambda: nasty.calendar("METHOD:REQUEST\r\n", nasty.event(START)),
    "not UTF-8": lambda: nasty.calendar(nasty.event(START, "SUMMARY:x")).replace(b":x", b":\xe9"),
    "surrogates": lambda: nasty.calendar(nasty.event(START, "SUMMARY:x")).replace(
        b":x", b":\xed\xa0\x80"
    ),
    "a card": lambda: card("sick", "Sick").encode(),
    "an unfinished card": lambda: card("sick", "Sick").encode().replace(b"END:", b"X:"),
    "an empty text": lambda: b"",
    "an empty line": lambda: b"\r\n",
}  # fmt: skip
"""What no request can store any more, or never could."""

WHOLE = "<C:calendar-data/><CR:address-data/>"
PARTS = (
    '<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="UID"/>'
    '<C:prop name="SUMMARY"/></C:comp></C:comp></C:calendar-data>'
    '<CR:address-data><CR:prop name="UID"/><CR:prop name="FN"/></CR:address-data>'
)
EXPANDED = f"<C:calendar-data><C:expand {YEAR}/></C:calendar-data>"
LIMITED = f"<C:calendar-data><C:limit-recurrence-set {YEAR}/></C:calendar-data>"


KINDS = {kind: f"k{number}" for number, kind in enumerate(SICK)}
"""The name of the calendar, address book and feed of each kind."""

FEEDS = "".join(
    f'[feed.{name}]\ncalendars = ["alice/{name}"]\naccess = "login"\n' for name in KINDS.values()
)
BOOK = (
    "<D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype></D:prop>"
    "</D:set>"
)


def spoil(installation: Installation, data: Mapping[str, bytes]) -> None:
    """Write octets into the objects that have these UIDs."""
    with closing(sqlite3.connect(installation.folder / "kalends.db")) as connection, connection:
        for uid, octets in data.items():
            etag = f'"{sha256(octets).hexdigest()}"'
            connection.execute(
                "UPDATE object SET data = ?, etag = ? WHERE uid = ?", (octets, etag, uid)
            )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Return a store that has one sick object, and one sick card, of each kind among good ones."""
    installation = Installation(tmp_path_factory.mktemp("store"), feeds=FEEDS)
    with installation.client() as client:
        for name in KINDS.values():
            assert client("MKCALENDAR", f"/alice/{name}/").status == 201
            assert client("MKCOL", f"/alice/{name}-book/", report("D:mkcol", BOOK)).status == 201
            for uid in ("a", "sick", "z"):
                path = f"/alice/{name}/{uid}.ics"
                assert client("PUT", path, event(f"{name}-{uid}")).status == 201
                path = f"/alice/{name}-book/{uid}.vcf"
                assert client("PUT", path, card(f"{name}-{uid}", uid)).status == 201
    spoil(installation, {f"{name}-sick": SICK[kind]() for kind, name in KINDS.items()})
    return installation


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        yield client


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of one kind's collections."""
    found: str = KINDS[request.param]
    return found


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


def window(component: str = "VEVENT", inside: str = f"<C:time-range {YEAR}/>") -> str:
    """Return a filter of a calendar-query."""
    one = f'<C:comp-filter name="{component}">{inside}</C:comp-filter>'
    return f'<C:filter><C:comp-filter name="VCALENDAR">{one}</C:comp-filter></C:filter>'


def searched(name: str, text: str, space: str) -> str:
    """Return a filter of a property by its text."""
    match = f"<{space}:text-match>{text}</{space}:text-match>"
    return f'<{space}:prop-filter name="{name}">{match}</{space}:prop-filter>'


def ask(client: Client, method: str, path: str, body: str = "", depth: str = "1") -> Answer:
    answer = client(method, path, body, headers={"Depth": depth})
    assert answer.status < 500, (method, path, body, answer)
    return answer


def has_good_ones(answer: Answer, suffix: str) -> None:
    """Assert that an answer is XML, and has the good objects."""
    assert answer.status == 207, answer
    ET.fromstring(answer.body)
    found = {href.rpartition("/")[2] for href in answer.hrefs()}
    assert {f"a.{suffix}", f"z.{suffix}"} <= found, answer


def places(name: str) -> tuple[tuple[str, str], ...]:
    """Return the path, and the suffix of the objects, of both collections of a kind."""
    return (f"/alice/{name}/", "ics"), (f"/alice/{name}-book/", "vcf")


@pytest.mark.parametrize("data", [WHOLE, PARTS, EXPANDED, LIMITED])
def test_reports(client: Client, name: str, data: str) -> None:
    props = f"<D:prop><D:getetag/>{data}</D:prop>"
    (calendar, _), (book, _) = places(name)
    zone = nasty.calendar(nasty.zone(nasty.observance())).decode()
    summary = searched("SUMMARY", "Meeting", "C")
    filters = [
        window(),
        window(inside=""),
        window(inside=summary),
        window(inside=f"<C:time-range {YEAR}/>{summary}"),
        window() + f"<C:timezone>{zone}</C:timezone>",
    ]
    for content in filters if data == PARTS else filters[:1]:
        body = report("C:calendar-query", props, content)
        has_good_ones(ask(client, "REPORT", calendar, body), "ics")
    people = f'<CR:filter test="anyof">{searched("UID", name, "CR")}</CR:filter>'
    has_good_ones(ask(client, "REPORT", book, report("CR:addressbook-query", props, people)), "vcf")
    for path, suffix in places(name) if data in (WHOLE, PARTS) else places(name)[:1]:
        body = report("D:sync-collection", "<D:sync-token/>", props)
        has_good_ones(ask(client, "REPORT", path, body), suffix)
        hrefs = "".join(f"<D:href>{path}{uid}.{suffix}</D:href>" for uid in ("a", "sick", "z"))
        kind = "C:calendar-multiget" if path == calendar else "CR:addressbook-multiget"
        has_good_ones(ask(client, "REPORT", path, report(kind, props, hrefs)), suffix)


def test_busy_times(client: Client, name: str) -> None:
    view = "?view=freebusy&start=20260101T000000Z&end=20270101T000000Z"
    body = report("C:free-busy-query", f"<C:time-range {YEAR}/>")
    for answer in (
        ask(client, "REPORT", f"/alice/{name}/", body),
        ask(client, "GET", f"/alice/{name}/{view}"),
    ):
        assert answer.status == 200, answer
        assert b":20260105T090000Z/" in answer.body


def test_properties(client: Client, name: str) -> None:
    for path, suffix in places(name):
        for wanted in ("<D:allprop/>", "<D:prop><D:getetag/><D:getcontentlength/></D:prop>"):
            body = report("D:propfind", wanted)
            has_good_ones(ask(client, "PROPFIND", path, body), suffix)
            ask(client, "PROPFIND", f"{path}sick.{suffix}", body, "0")


def test_objects_and_whole_collections(client: Client, name: str) -> None:
    for path, suffix in places(name):
        assert ask(client, "GET", f"{path}sick.{suffix}").status == 200
        whole = ask(client, "GET", path)
        assert whole.status == 200
        for uid in ("a", "z"):
            assert f"UID:{name}-{uid}\r\n".encode() in whole.body


def test_what_is_left_out_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    installation = Installation(tmp_path)
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        client("PUT", "/alice/calendar/a.ics", event("a"))
        client("PUT", "/alice/contacts/b.vcf", card("b", "B"))
    spoil(installation, {"a": SICK["too deep"](), "b": SICK["an empty text"]()})
    with installation.client() as client, caplog.at_level(logging.WARNING, "kalends.feeds"):
        assert client("GET", "/alice/calendar/").status == 200
        assert client("GET", "/alice/contacts/").status == 200
    for named in ("/alice/calendar/ UID 'a': line 21", "/alice/contacts/ UID 'b': line 1"):
        assert f"a whole collection: left out because it cannot be read: {named}" in caplog.text


def test_feeds_and_pages(client: Client, name: str) -> None:
    answer = ask(client, "GET", f"/feeds/{name}.ics")
    assert answer.status == 200
    for uid in ("a", "z"):
        assert f"UID:{name}-{uid}\r\n".encode() in answer.body
    for view in ("month", "week", "day", "agenda"):
        page = ask(client, "GET", f"/feeds/{name}/?view={view}&date=2026-01-05")
        assert page.status == 200
        assert page.body.count(b"Meeting") >= 2, page
        assert writable(page.body.decode()) == page.body.decode()


def test_the_download_of_everything(client: Client) -> None:
    assert ask(client, "GET", "/.web/account/").status == 200
    answer = ask(client, "GET", "/.web/account/download")
    assert answer.status == 200
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        for name in KINDS.values():
            for file in (f"{name}.ics", f"{name}-book.vcf"):
                inside = archive.read(file)
                assert f"UID:{name}-a\r\n".encode() in inside
                assert f"UID:{name}-z\r\n".encode() in inside


def run(
    installation: Installation, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main([words[0], "--config", str(installation.config), *words[1:]])
    printed = capsys.readouterr()
    return int(left.value.code or 0), printed.out + printed.err


def test_the_command_line(
    client: Client, installation: Installation, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, printed = run(installation, capsys, "export", "--folder", str(tmp_path / "files"))
    assert status == 0, printed
    for name in KINDS.values():
        for file in (f"{name}.ics", f"{name}-book.vcf"):
            whole = (tmp_path / "files" / "alice" / file).read_bytes()
            assert f"UID:{name}-a\r\n".encode() in whole
            assert f"UID:{name}-z\r\n".encode() in whole
    assert f"/alice/{KINDS['too deep']}/sick.ics: left out: line 21: components nest" in printed
    status, printed = run(installation, capsys, "export", "--radicale", str(tmp_path / "radicale"))
    assert status == 0, printed
    assert len(list((tmp_path / "radicale").rglob("sick.*"))) == 2 * len(KINDS)
    status, printed = run(installation, capsys, "backup", str(tmp_path / "backup.tar"))
    assert status == 0, printed
    status, printed = run(installation, capsys, "feed", "list")
    assert status == 0, printed
    run(installation, capsys, "check")


def test_an_occurrence_for_a_sick_series_is_named(
    client: Client,
    installation: Installation,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
) -> None:
    good = event(f"{name}-new")
    change = event(f"{name}-sick", "20260105T100000Z", "RECURRENCE-ID:20260105T090000Z")
    (tmp_path / "change.ics").write_bytes(good + change)
    file, into = str(tmp_path / "change.ics"), f"alice/{name}"
    status, printed = run(installation, capsys, "import", file, "--into", into)
    assert status in (0, 1), printed
    assert f"UID:{name}-new\r\n".encode() in client("GET", f"/alice/{name}/").body


def test_it_can_be_moved_replaced_and_removed(client: Client, name: str) -> None:
    for path, suffix in places(name):
        target = f"{path}moved.{suffix}"
        headers = {"Destination": f"http://127.0.0.1{target}", "Host": "127.0.0.1"}
        moved = client("MOVE", f"{path}sick.{suffix}", headers=headers)
        assert moved.status == 201, moved
        well = event(f"{name}-sick") if suffix == "ics" else card(f"{name}-sick", "Well").encode()
        assert client("PUT", target, well).status == 204
        assert client("DELETE", target).status == 204
