"""sync-collection: cut-off answers, and homes (RFC 6578)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.installation import NAMES, Answer, Client, Installation, event

SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in ("D", "C", "CR"))
CALENDAR = "/alice/calendar/"


def sync(
    client: Client, path: str, token: str = "", limit: int | None = None, level: str = "1"
) -> Answer:
    most = "" if limit is None else f"<D:limit><D:nresults>{limit}</D:nresults></D:limit>"
    body = (
        f"<D:sync-collection {SPACES}><D:sync-token>{token}</D:sync-token>"
        f"<D:sync-level>{level}</D:sync-level>{most}<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )
    return client("REPORT", path, body, headers={"Depth": "0"})


def token_of(answer: Answer) -> str:
    assert answer.status == 207, answer
    return answer.xml().findtext("D:sync-token", namespaces=NAMES) or ""


def told(answer: Answer) -> dict[str, str]:
    """Return the status of each response, by href."""
    found = {}
    for response in answer.xml().findall("D:response", NAMES):
        status = response.find("D:status", NAMES)
        if status is None:
            status = response.find("D:propstat/D:status", NAMES)
        assert isinstance(status, ET.Element)
        href = response.findtext("D:href", namespaces=NAMES) or ""
        found[href] = (status.text or "").split()[1]
    return found


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Installation(tmp_path).client() as client:
        yield client


def follow(client: Client, known: dict[str, str], token: str, limit: int) -> str:
    """Synchronise as a client does, page by page; return the last token."""
    while True:
        answer = sync(client, CALENDAR, token, limit)
        found = told(answer)
        cut = found.pop(CALENDAR, None)
        assert cut in (None, "507")
        assert len(found) <= limit
        for href, status in found.items():
            if status == "404":
                known.pop(href, None)
            else:
                known[href] = status
        assert cut is None or token_of(answer) != token
        token = token_of(answer)
        if cut is None:
            return token


@given(
    first=st.lists(st.integers(0, 12), max_size=12),
    changes=st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=12),
    limit=st.integers(1, 5),
    whole=st.booleans(),
)
def test_a_client_that_asks_for_a_few_at_a_time_has_all_in_the_end(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[int],
    changes: list[tuple[bool, int]],
    limit: int,
    whole: bool,
) -> None:
    with Installation(tmp_path_factory.mktemp("sync")).client() as client:
        for number in first:
            client("PUT", f"{CALENDAR}{number}.ics", event(f"u{number}"))
        known: dict[str, str] = {}
        token = follow(client, known, "", limit)
        assert known.keys() == {f"{CALENDAR}{number}.ics" for number in first}
        there = set(first)
        for is_put, number in changes:
            if is_put:
                client("PUT", f"{CALENDAR}{number}.ics", event(f"u{number}", summary="again"))
                there.add(number)
            else:
                client("DELETE", f"{CALENDAR}{number}.ics")
                there.discard(number)
        answer = sync(client, CALENDAR, token, 1)
        if whole and CALENDAR in told(answer):  # the rest at once, from a token within a change
            for href, status in told(answer).items():
                known.pop(href, None) if status == "404" else known.update({href: status})
            answer = sync(client, CALENDAR, token_of(answer))
            for href, status in told(answer).items():
                known.pop(href, None) if status == "404" else known.update({href: status})
            known.pop(CALENDAR, None)
        else:
            follow(client, known, token, limit)
        assert known.keys() == {f"{CALENDAR}{number}.ics" for number in there}


def test_objects_that_were_stored_at_once_are_told_a_few_at_a_time(client: Client) -> None:
    """The objects of a whole calendar have one change number."""
    parts = [event(f"u{n}").split(b"BEGIN:VEVENT")[1].split(b"END:VEVENT")[0] for n in range(7)]
    events = b"".join(b"BEGIN:VEVENT" + part + b"END:VEVENT\r\n" for part in parts)
    head = event("x").split(b"BEGIN:VEVENT")[0]
    assert client("PUT", "/alice/new/", head + events + b"END:VCALENDAR\r\n").status == 201
    token = ""
    known: set[str] = set()
    for expected in (3, 3, 1):
        answer = sync(client, "/alice/new/", token, 3)
        found = told(answer)
        assert found.pop("/alice/new/", None) == ("507" if expected == 3 else None)
        assert len(found) == expected
        known |= found.keys()
        token = token_of(answer)
    assert len(known) == 7


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", ""])
def test_a_limit_that_is_not_a_number_above_0_is_refused(client: Client, limit: str) -> None:
    body = (
        f"<D:sync-collection {SPACES}><D:sync-token/><D:sync-level>1</D:sync-level>"
        f"<D:limit><D:nresults>{limit}</D:nresults></D:limit><D:prop/></D:sync-collection>"
    )
    assert client("REPORT", CALENDAR, body).status == 400


def test_a_home_tells_which_of_its_calendars_have_changed(client: Client) -> None:
    first = sync(client, "/alice/")
    assert {"/alice/calendar/", "/alice/contacts/"} <= told(first).keys()
    assert told(sync(client, "/alice/", token_of(first))) == {}
    client("PUT", f"{CALENDAR}a.ics", event("a"))
    changed = sync(client, "/alice/", token_of(first))
    assert told(changed) == {"/alice/calendar/": "200"}
    assert client("MKCALENDAR", "/alice/new/").status == 201
    made = sync(client, "/alice/", token_of(changed))
    assert told(made) == {"/alice/new/": "200"}
    assert client("DELETE", "/alice/new/").status in (200, 204)
    assert told(sync(client, "/alice/", token_of(made))) == {"/alice/new/": "404"}
    assert told(sync(client, "/alice/", token_of(changed))) == {}


def test_a_home_tells_a_few_at_a_time(client: Client) -> None:
    everything = told(sync(client, "/alice/"))
    one = sync(client, "/alice/", limit=1)
    assert told(one).pop("/alice/") == "507"
    assert len(told(one)) == 2
    rest = sync(client, "/alice/", token_of(one))
    assert {*told(one), *told(rest)} - {"/alice/"} == everything.keys()
    assert told(sync(client, "/alice/", token_of(rest))) == {}


def test_the_token_of_a_home_is_its_property(client: Client) -> None:
    body = f"<D:propfind {SPACES}><D:prop><D:sync-token/></D:prop></D:propfind>"
    for _ in range(2):
        answer = client("PROPFIND", "/alice/", body, headers={"Depth": "0"})
        token = answer.xml().findtext(".//D:sync-token", namespaces=NAMES)
        assert token == token_of(sync(client, "/alice/"))
        client("PUT", f"{CALENDAR}a.ics", event("a"))


@pytest.mark.parametrize("token", ["nonsense", "data:,kalends-members-1-x-", "data:,kalends-1-2-3"])
def test_a_token_of_something_else_is_refused(client: Client, token: str) -> None:
    for path in ("/alice/", CALENDAR):
        answer = sync(client, path, token)
        assert answer.status == 403
        assert answer.precondition() == "{DAV:}valid-sync-token"


def test_reports_on_a_home_are_about_its_calendars(client: Client) -> None:
    """RFC 4791 section 7.8; programs write Depth 1 and mean the objects of all calendars."""
    assert client("MKCALENDAR", "/alice/new/").status == 201
    for calendar in ("calendar", "new"):
        client("PUT", f"/alice/{calendar}/a.ics", event("a"))
    found = ["/alice/calendar/a.ics", "/alice/new/a.ics"]
    query = (
        f"<C:calendar-query {SPACES}><D:prop><D:getetag/></D:prop><C:filter>"
        '<C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>'
    )
    for depth, expected in (("infinity", found), ("1", found), ("0", [])):
        answer = client("REPORT", "/alice/", query, headers={"Depth": depth})
        assert answer.hrefs() == expected
    hrefs = "".join(f"<D:href>{href}</D:href>" for href in [*found, "/alice/new/none.ics"])
    multiget = (
        f"<C:calendar-multiget {SPACES}><D:prop><D:getetag/></D:prop>{hrefs}</C:calendar-multiget>"
    )
    answer = client("REPORT", "/alice/", multiget)
    assert told(answer) == dict.fromkeys(found, "200") | {"/alice/new/none.ics": "404"}
    busy = (
        f'<C:free-busy-query {SPACES}><C:time-range start="20260105T000000Z" '
        'end="20260106T000000Z"/></C:free-busy-query>'
    )
    answer = client("REPORT", "/alice/", busy, headers={"Depth": "infinity"})
    assert answer.status == 200
    assert b"FREEBUSY" in answer.body


def deep(client: Client, token: str = "", limit: int | None = None) -> Answer:
    """Ask a home for what is in its calendars, too (RFC 6578 section 3.3)."""
    return sync(client, "/alice/", token, limit, level="infinite")


def test_a_home_tells_what_has_changed_in_its_calendars(client: Client) -> None:
    client("PUT", f"{CALENDAR}a.ics", event("a"))
    first = deep(client)
    assert {CALENDAR, f"{CALENDAR}a.ics", "/alice/contacts/"} <= told(first).keys()
    assert told(deep(client, token_of(first))) == {}
    client("PUT", f"{CALENDAR}b.ics", event("b"))
    client("DELETE", f"{CALENDAR}a.ics")
    changed = deep(client, token_of(first))
    expected = {CALENDAR: "200", f"{CALENDAR}b.ics": "200", f"{CALENDAR}a.ics": "404"}
    assert told(changed) == expected
    assert told(deep(client, token_of(changed))) == {}


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_home_tells_all_in_the_end(client: Client, limit: int) -> None:
    for name in "abc":
        client("PUT", f"{CALENDAR}{name}.ics", event(name))
    token = ""
    known: dict[str, str] = {}
    expected = told(deep(client))
    for _ in range(2):
        while True:
            answer = deep(client, token, limit)
            found = told(answer)
            cut = found.pop("/alice/", None)
            assert len(found) <= limit
            known |= found
            token = token_of(answer)
            if cut is None:
                break
        assert known == expected
        client("DELETE", f"{CALENDAR}a.ics")
        expected = expected | {f"{CALENDAR}a.ics": "404"}


def test_a_calendar_at_the_address_of_a_removed_one_is_told_once(client: Client) -> None:
    client("PUT", f"{CALENDAR}a.ics", event("a"))
    token = token_of(sync(client, "/alice/"))
    assert client("DELETE", CALENDAR).status in (200, 204)
    assert client("MKCALENDAR", CALENDAR).status == 201
    answer = sync(client, "/alice/", token)
    assert [told(answer), answer.hrefs()] == [{CALENDAR: "200"}, [CALENDAR]]
    # What was in the old one is not known any more, and the client has to begin again.
    assert deep(client, token).precondition() == "{DAV:}valid-sync-token"


@pytest.mark.parametrize(("depth", "is_deep"), [("infinity", True), ("1", False), ("0", False)])
def test_without_a_level_the_depth_is_the_level(
    client: Client, depth: str, *, is_deep: bool
) -> None:
    """RFC 6578 appendix A."""
    client("PUT", f"{CALENDAR}a.ics", event("a"))
    body = f"<D:sync-collection {SPACES}><D:sync-token/><D:prop/></D:sync-collection>"
    answer = client("REPORT", "/alice/", body, headers={"Depth": depth})
    assert (f"{CALENDAR}a.ics" in told(answer)) is is_deep


def test_a_level_that_is_not_one_is_refused(client: Client) -> None:
    assert sync(client, "/alice/", level="7").status == 400
