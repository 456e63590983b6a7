"""Limits that the configuration sets, lowered and raised, also for what is stored already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from kalends.config import loader
from kalends.errors import ConfigurationError
from support.installation import NAMES, Answer, Client, Installation, event

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
YEAR = "start='20260101T000000Z' end='20270101T000000Z'"
DEAR = ["RRULE:FREQ=DAILY;BYHOUR=1,2,3,4;BYMINUTE=1,2,3,4,5;COUNT=20000"] * 9
FEEDS = """
[feed.all]
calendars = ["alice/*"]
access = "login"
"""


def with_dates(number: int) -> bytes:
    return event(
        "a", "20260105T090000Z", "RRULE:FREQ=DAILY", f"EXDATE:{','.join(['20260106'] * number)}"
    )


def with_alarms(number: int) -> bytes:
    return event("a", "20260105T090000Z", *["BEGIN:VALARM\r\nEND:VALARM"] * number)


def with_attendees(number: int) -> bytes:
    return event("a", "20260105T090000Z", *["ATTENDEE:mailto:a@example.org"] * number)


def with_overrides(number: int) -> bytes:
    times = (f"2026{1 + n // 600:02}{1 + n // 60 % 10:02}T00{n % 60:02}00Z" for n in range(number))
    return event(
        "a",
        "20260105T090000Z",
        *(
            f"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTART:{at}\r\nRECURRENCE-ID:{at}"
            for at in times
        ),
    )


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


def multiget(number: int) -> str:
    asked = (f"<D:href>/alice/calendar/{n}.ics</D:href>" for n in range(number))
    return report("C:calendar-multiget", "<D:prop><D:getetag/></D:prop>", *asked)


def opened(folder: Path, ask: Callable[[Client], Answer], **options: int) -> Answer:
    """Ask an installation with some options of ``[kalends]``."""
    given = {f"kalends__{name}": str(value) for name, value in options.items()}
    folder.mkdir(exist_ok=True)
    with Installation(folder, feeds=FEEDS, options=given).client() as client:
        client("PROPFIND", "/alice/")
        return ask(client)


@pytest.mark.parametrize(
    ("option", "make", "usual", "lower", "element"),
    [
        ("max_dates", with_dates, 50_000, 1_000, "max-instances"),
        ("max_alarms", with_alarms, 1_000, 10, "valid-calendar-data"),
        ("max_attendees", with_attendees, 20_000, 100, "max-attendees-per-instance"),
        ("max_overrides", with_overrides, 5_000, 100, "max-instances"),
    ],
)
def test_a_limit_of_objects_is_lowered_and_raised(
    tmp_path: Path, option: str, make: Callable[[int], bytes], usual: int, lower: int, element: str
) -> None:
    def put(number: int) -> Callable[[Client], Answer]:
        return lambda client: client("PUT", "/alice/calendar/a.ics", make(number))

    for most in (lower, usual):
        answer = opened(tmp_path / str(most), put(most + 1), **{option: most})
        assert answer.status == 403
        assert answer.precondition().endswith(f"}}{element}")
        assert f" {most} " in (answer.xml().findtext(".//{urn:x-kalends}why") or "")
    assert opened(tmp_path / "lower", put(lower), **{option: lower}).status == 201
    assert opened(tmp_path / "more", put(usual + 1), **{option: usual + 1}).status == 201


def test_the_hrefs_of_a_multiget_are_fewer_or_more(tmp_path: Path) -> None:
    def ask(number: int) -> Callable[[Client], Answer]:
        return lambda client: client("REPORT", "/alice/calendar/", multiget(number))

    refused = opened(tmp_path / "few", ask(101), max_hrefs=100)
    assert (refused.status, refused.precondition()) == (
        507,
        "{DAV:}number-of-matches-within-limits",
    )
    assert opened(tmp_path / "few", ask(100), max_hrefs=100).status == 207
    assert opened(tmp_path / "usual", ask(26_000)).status == 400
    more = opened(tmp_path / "more", ask(26_000), max_hrefs=26_000)
    assert (more.status, len(more.xml())) == (207, 26_000)


def test_what_was_stored_under_other_limits_is_read_or_refused(tmp_path: Path) -> None:
    """A reader's budget for an object is the one that a PUT has now."""

    def put(client: Client) -> Answer:
        return client("PUT", "/alice/calendar/a.ics", event("a", "20260105T090000Z", *DEAR))

    assert opened(tmp_path / "usual", put).status == 403
    assert opened(
        tmp_path, put, max_object_steps=8_000_000, max_request_steps=8_000_000
    ).status == (201)
    data = "<D:prop><C:calendar-data/></D:prop>"
    filters = f"<C:comp-filter name='VEVENT'><C:time-range {YEAR}/></C:comp-filter>"
    query = f"<C:filter><C:comp-filter name='VCALENDAR'>{filters}</C:comp-filter></C:filter>"
    expanded = f"<D:prop><C:calendar-data><C:expand {YEAR}/></C:calendar-data></D:prop>"
    asked = [
        ("GET", "/alice/calendar/a.ics", "", 200),
        ("GET", "/alice/calendar/?view=freebusy", "", 403),
        ("REPORT", "/alice/calendar/", report("C:calendar-query", data, query), 207),
        ("REPORT", "/alice/calendar/", report("C:calendar-query", expanded, query), 403),
        ("REPORT", "/alice/calendar/", report("C:free-busy-query", f"<C:time-range {YEAR}/>"), 403),
        ("GET", "/feeds/all.ics", "", 200),
        ("GET", "/feeds/all/?date=2026-01-05", "", 200),
        ("PUT", "/alice/calendar/a.ics", event("a", "20260105T090000Z", *DEAR).decode(), 403),
    ]
    for method, path, body, status in asked:

        def ask(client: Client, method: str = method, path: str = path, body: str = body) -> Answer:
            return client(method, path, body)

        answer = opened(tmp_path, ask, max_object_steps=100_000, max_request_steps=100_000)
        assert answer.status == status, (method, path)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(
            ("max_dates", value)
            for value in ("999", "200001", "many", "-5000", "5e3", "", "\u0665000")
        ),
        *(("max_hrefs", value) for value in ("99", "100001")),
        *(("max_connections", value) for value in ("9", "100001")),
        *(("max_overrides", value) for value in ("99", "20001")),
        *(("max_alarms", value) for value in ("9", "10001")),
        *(("max_attendees", value) for value in ("99", "100001")),
        *(("max_object_steps", value) for value in ("99999", "20000001", "5000000")),
        *(("max_request_steps", value) for value in ("99999", "80000001", "999999")),
        *(("stuck_seconds", value) for value in ("9", "3601")),
    ],
)
def test_a_value_beyond_what_is_sane_is_refused_with_what_may_be_set(
    tmp_path: Path, option: str, value: str
) -> None:
    installation = Installation(tmp_path, options={f"kalends__{option}": value})
    with pytest.raises(ConfigurationError, match=r"must be .*\d") as refused:
        loader.load(installation.config)
    said = str(refused.value)
    assert said.count("\n") == 0
    assert f"{installation.config}:" in said
    assert option in said
