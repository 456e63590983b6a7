"""Searches that cost more than their object has octets: each pays for what it does."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator, Mapping

import pytest

from kalends.common.budget import Budget, Steps
from kalends.dav.filters import calendar as calendar_filters
from kalends.ical.contentlines import Component
from support import nasty
from support.installation import NAMES, Client, Installation
from support.samples import card

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
CALENDAR, BOOK = "/alice/calendar/", "/alice/contacts/"
START = "DTSTART:20260601T100000Z"
TOO_MUCH = 403, "{DAV:}number-of-matches-within-limits"


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("searches"), feeds="").client() as client:
        client("PROPFIND", "/alice/")
        yield client


def of_calendar(inner: str, data: str = "") -> str:
    comp = f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter>'
    return (
        f"<C:calendar-query {SPACES}><D:prop><C:calendar-data>{data}</C:calendar-data></D:prop>"
        f'<C:filter><C:comp-filter name="VCALENDAR">{comp}</C:comp-filter></C:filter>'
        "</C:calendar-query>"
    )


def of_book(inner: str, data: str = "") -> str:
    return (
        f"<CR:addressbook-query {SPACES}><D:prop><D:getetag/>{data}</D:prop>"
        f"<CR:filter>{inner}</CR:filter></CR:addressbook-query>"
    )


def text(space: str, name: str, wanted: str, collation: str = "") -> str:
    named = f' collation="{collation}"' if collation else ""
    match = f"<{space}:text-match{named}>{wanted}</{space}:text-match>"
    return f'<{space}:prop-filter name="{name}">{match}</{space}:prop-filter>'


def put(client: Client, path: str, data: bytes | str) -> None:
    assert client("PUT", path, data).status == 201


LINES = card("a", "Ann").replace("END", "X:\r\n" * 100_000 + "END")
TIMES = nasty.calendar(nasty.event(START, *["DTSTAMP:20260101T000000Z"] * 50_000))
SEARCHES: dict[str, tuple[str, str | bytes, str]] = {
    "the lines of a card": (BOOK, LINES, of_book(text("CR", "FN", "x"))),
    "a part of a card": (
        BOOK,
        LINES,
        of_book('<CR:prop-filter name="FN"/>').replace(
            "<D:getetag/>", '<CR:address-data><CR:prop name="FN"/></CR:address-data>'
        ),
    ),
    "the values of a list": (
        BOOK,
        card("a", "Ann").replace("END", f"CATEGORIES:{'a,' * 200_000}\r\nEND"),
        of_book(text("CR", "CATEGORIES", "x")),
    ),
    "text beyond ASCII": (
        CALENDAR,
        nasty.calendar(nasty.event(START, f"SUMMARY:{'ä' * 600_000}")),
        of_calendar(text("C", "SUMMARY", "x", "i;unicode-casemap")),
    ),
    "the lines of an event": (CALENDAR, TIMES, of_calendar(text("C", "DTSTAMP", "x"))),
    "a part of an event": (
        CALENDAR,
        TIMES,
        of_calendar("", '<C:comp name="VCALENDAR"/>'),
    ),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_pays_for_lines_and_characters(
    client: Client, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, data, body = SEARCHES[name]
    put(client, f"{path}a", data)
    assert client("REPORT", path, body).status == 207
    monkeypatch.setattr(Steps, "of_request", lambda sizes: Budget(30_000, sizes))
    answer = client("REPORT", path, body)
    assert (answer.status, answer.precondition()) == TOO_MUCH


@pytest.mark.parametrize(
    ("path", "data", "body"),
    [
        pytest.param(
            CALENDAR,
            nasty.calendar(nasty.event(START, "SUMMARY:" + "\ufdfa" * 600_000)),
            of_calendar(text("C", "SUMMARY", "x", "i;unicode-casemap")),
            id="a ligature of eighteen letters",
        ),
        pytest.param(
            BOOK,
            card("a", "Ann").replace("END", f"CATEGORIES:{'a,' * 500_000}\r\nEND"),
            of_book(text("CR", "CATEGORIES", "x")),
            id="a list",
        ),
    ],
)
def test_a_comparison_takes_bounded_memory(
    client: Client, path: str, data: str | bytes, body: str
) -> None:
    put(client, f"{path}a", data)
    tracemalloc.start()
    try:
        assert client("REPORT", path, body).status in (207, 403)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 18_000_000


def test_text_beyond_ascii_is_found_up_to_a_bound(client: Client) -> None:
    put(client, f"{CALENDAR}a", nasty.calendar(nasty.event(START, f"SUMMARY:{'ä' * 90_000}Öl")))
    found = client("REPORT", CALENDAR, of_calendar(text("C", "SUMMARY", "öL", "i;unicode-casemap")))
    assert found.hrefs() == [f"{CALENDAR}a"]


def test_the_zones_of_an_object_are_read_once_for_all_its_times(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    vtimezones_of = calendar_filters.vtimezones_of  # type: ignore[attr-defined] # imported there

    def counted(calendar: Component) -> Mapping[str, str]:
        nonlocal calls
        calls += 1
        found: Mapping[str, str] = vtimezones_of(calendar)
        return found

    monkeypatch.setattr(calendar_filters, "vtimezones_of", counted)
    zone = nasty.zone(nasty.observance())
    put(client, f"{CALENDAR}a", nasty.in_zone(zone, *["DTSTAMP:20260101T000000Z"] * 500))
    within = '<C:time-range start="20300101T000000Z" end="20300102T000000Z"/>'
    body = of_calendar(f'<C:prop-filter name="DTSTAMP">{within}</C:prop-filter>')
    assert client("REPORT", CALENDAR, body).hrefs() == []
    assert calls == 1
