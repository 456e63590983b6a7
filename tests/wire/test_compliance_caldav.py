"""Requirements of RFC 4791 (CalDAV) that no other test asks for: see docs/compliance.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.installation import NAMES, Client, Installation, event
from support.multistatus import parse_multistatus

CALENDAR, OBJECT = "/alice/calendar/", "/alice/calendar/a.ics"
SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
C = f"{{{NAMES['C']}}}"
PRIVATE = event("odd", "20260105T090000Z", "X-ABC;X-P=1:val").replace(
    b"END:VEVENT\r\n", b"BEGIN:X-COMP\r\nX-Q:1\r\nEND:X-COMP\r\nEND:VEVENT\r\n"
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has one event."""
    with Installation(tmp_path_factory.mktemp("caldav"), feeds="").client() as client:
        assert client("PUT", OBJECT, event("a")).status == 201
        yield client


def query(*tests: str) -> str:
    inner = f'<C:comp-filter name="VEVENT">{"".join(tests)}</C:comp-filter>'
    filters = f'<C:filter><C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter>'
    return f"<C:calendar-query {SPACES}><D:prop><D:getetag/></D:prop>{filters}</C:calendar-query>"


def multiget(href: str, prop: str) -> str:
    return (
        f"<C:calendar-multiget {SPACES}><D:prop>{prop}</D:prop><D:href>{href}</D:href>"
        "</C:calendar-multiget>"
    )


def second(component: str) -> bytes:
    """Return an object with an event and another component."""
    return event("two").replace(b"END:VCALENDAR", f"{component}END:VCALENDAR".encode())


@pytest.mark.parametrize(
    "body",
    [
        second("BEGIN:VTODO\r\nUID:two\r\nDTSTAMP:20260101T000000Z\r\nEND:VTODO\r\n"),
        second(
            "BEGIN:VEVENT\r\nUID:three\r\nDTSTAMP:20260101T000000Z\r\n"
            "DTSTART:20260101T000000Z\r\nEND:VEVENT\r\n"
        ),
    ],
    ids=["two-kinds", "two-uids"],
)
def test_an_object_has_one_kind_of_component_and_one_uid(client: Client, body: bytes) -> None:
    """Section 4.1."""
    answer = client("PUT", f"{CALENDAR}two.ics", body)
    assert (answer.status, answer.precondition()) == (403, f"{C}valid-calendar-object-resource")


def test_a_calendar_says_so_in_its_type(client: Client) -> None:
    """Section 4.2."""
    body = f"<D:propfind {SPACES}><D:prop><D:resourcetype/></D:prop></D:propfind>"
    answer = client("PROPFIND", CALENDAR, body)
    kinds = {node.tag for node in answer.xml().iterfind(".//D:resourcetype/*", NAMES)}
    assert kinds == {"{DAV:}collection", f"{C}calendar"}


def test_components_properties_and_parameters_of_others_are_kept_and_returned(
    client: Client,
) -> None:
    """Sections 5.3.3 and 7.7."""
    path = f"{CALENDAR}odd.ics"
    assert client("PUT", path, PRIVATE).status == 201
    assert client("GET", path).body == PRIVATE
    wanted = (
        '<C:calendar-data><C:comp name="VCALENDAR"><C:comp name="VEVENT"><C:prop name="X-ABC"/>'
        '<C:comp name="X-COMP"/></C:comp></C:comp></C:calendar-data>'
    )
    answer = client("REPORT", CALENDAR, multiget(path, wanted))
    text = answer.xml().findtext(".//C:calendar-data", "", NAMES)
    assert text.split() == [
        *("BEGIN:VCALENDAR", "BEGIN:VEVENT", "X-ABC;X-P=1:val", "BEGIN:X-COMP", "X-Q:1"),
        *("END:X-COMP", "END:VEVENT", "END:VCALENDAR"),
    ]
    parameter = '<C:param-filter name="X-P"><C:text-match>1</C:text-match></C:param-filter>'
    prop = f'<C:prop-filter name="X-ABC">{parameter}</C:prop-filter>'
    assert client("REPORT", CALENDAR, query(prop)).hrefs() == [path]


def test_reports_are_announced_on_calendars_and_their_objects(client: Client) -> None:
    """Sections 2, 7 and 7.1; RFC 3253 section 3.1.5."""
    body = f"<D:propfind {SPACES}><D:prop><D:supported-report-set/></D:prop></D:propfind>"
    for path in (CALENDAR, OBJECT):
        answer = client("PROPFIND", path, body)
        told = {node.tag for node in answer.xml().iterfind(".//D:report/*", NAMES)}
        assert {
            f"{C}calendar-query",
            f"{C}calendar-multiget",
            "{DAV:}expand-property",
        } <= told
        assert (f"{C}free-busy-query" in told) is (path == CALENDAR)


@pytest.mark.parametrize(
    ("collation", "text", "is_found"),
    [
        ("", "mEETING", True),
        ('collation="default"', "mEETING", True),
        ('collation="i;ascii-casemap"', "eEt", True),
        ('collation="i;octet"', "mEETING", False),
        ('collation="i;octet"', "eeting", True),
    ],
)
def test_text_is_compared_by_the_collation(
    client: Client, collation: str, text: str, is_found: bool
) -> None:
    """Sections 7.5 and 9.7.5."""
    match = f"<C:text-match {collation}>{text}</C:text-match>"
    answer = client(
        "REPORT", CALENDAR, query(f'<C:prop-filter name="SUMMARY">{match}</C:prop-filter>')
    )
    assert (OBJECT in answer.hrefs()) is is_found


def test_a_collation_has_no_wildcards(client: Client) -> None:
    """Section 7.5."""
    match = '<C:text-match collation="i;*">a</C:text-match>'
    prop = f'<C:prop-filter name="SUMMARY">{match}</C:prop-filter>'
    answer = client("REPORT", CALENDAR, query(prop))
    assert (answer.status, answer.precondition()) == (403, f"{C}supported-collation")


@pytest.mark.parametrize("depth", ["0", "1", "infinity", "nonsense"])
def test_the_depth_of_a_multiget_is_ignored(client: Client, depth: str) -> None:
    """Section 7.9."""
    body = multiget(OBJECT, "<D:getetag/>")
    for path in (CALENDAR, OBJECT):
        answer = client("REPORT", path, body, headers={"Depth": depth})
        assert parse_multistatus(answer.body)[OBJECT]["{DAV:}getetag"][0] == 200


def test_without_busy_times_there_is_an_empty_vfreebusy(client: Client) -> None:
    """Section 7.10."""
    within = '<C:time-range start="20360101T000000Z" end="20360102T000000Z"/>'
    body = f"<C:free-busy-query {SPACES}>{within}</C:free-busy-query>"
    answer = client("REPORT", CALENDAR, body)
    assert answer.status == 200
    assert answer.body.count(b"BEGIN:VFREEBUSY") == 1
    assert b"\nFREEBUSY" not in answer.body
    assert client("REPORT", OBJECT, body).status == 403


def test_attachments_within_events_are_kept(client: Client) -> None:
    """Section 8.5.1."""
    value = "ATTACH;VALUE=BINARY;ENCODING=BASE64;FMTTYPE=text/plain:aGVsbG8="
    body = event("attached", "20260105T090000Z", value)
    assert client("PUT", f"{CALENDAR}attached.ics", body).status == 201
    assert client("GET", f"{CALENDAR}attached.ics").body == body
