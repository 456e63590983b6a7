"""VFREEBUSY objects: stored, found by their time, in part, and counted (RFC 4791 section 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from support.installation import NAMES, Answer, Client, Installation
from support.samples import calendar, component, event

CALENDAR = "/alice/busy/"
SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in ("D", "C"))
PERIODS = (
    "FREEBUSY:20260601T090000Z/PT1H,20260603T090000Z/20260603T100000Z",
    "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260602T120000Z/PT30M",
    "FREEBUSY;FBTYPE=X-OURS:20260602T150000Z/PT30M",
    "FREEBUSY;FBTYPE=FREE:20260602T180000Z/PT30M",
)
BOUNDS = ("DTSTART:20260610T000000Z", "DTEND:20260611T000000Z")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application where alice has two objects with busy times, and an event."""
    with Installation(tmp_path_factory.mktemp("busy")).client() as client:
        objects = {
            "periods": calendar(component("VFREEBUSY", "periods", *PERIODS)),
            "bounds": calendar(component("VFREEBUSY", "bounds", *BOUNDS)),
            "empty": calendar(component("VFREEBUSY", "empty")),
            "event": event("event", "Lunch", "20260601T093000Z"),
        }
        assert client("MKCALENDAR", CALENDAR).status == 201
        for name, text in objects.items():
            assert client("PUT", f"{CALENDAR}{name}.ics", text).status == 201
        yield client


def query(client: Client, start: str, end: str, data: str = "", name: str = "VFREEBUSY") -> Answer:
    within = f'<C:time-range start="{start}" end="{end}"/>'
    inner = f'<C:comp-filter name="{name}">{within}</C:comp-filter>'
    return client(
        "REPORT",
        CALENDAR,
        f"<C:calendar-query {SPACES}><D:prop><D:getetag/>{data}</D:prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter></C:calendar-query>',
    )


def names(answer: Answer) -> list[str]:
    assert answer.status == 207, answer
    return sorted(href.rpartition("/")[2].partition(".")[0] for href in answer.hrefs())


@pytest.mark.parametrize(
    ("start", "end", "found"),
    [
        ("20260601T000000Z", "20260602T000000Z", ["periods"]),
        ("20260602T000000Z", "20260602T120000Z", []),
        ("20260602T000000Z", "20260602T120001Z", ["periods"]),
        ("20260601T100000Z", "20260602T000000Z", []),
        ("20260610T120000Z", "20260610T130000Z", ["bounds"]),
        ("20260611T000000Z", "20260612T000000Z", ["bounds"]),  # "start <= DTEND"
        ("20260611T000001Z", "20260612T000000Z", []),
        ("20000101T000000Z", "21000101T000000Z", ["bounds", "periods"]),
    ],
)
def test_its_time_is_that_of_the_table(
    client: Client, start: str, end: str, found: list[str]
) -> None:
    """RFC 4791 section 9.9: DTSTART and DTEND, otherwise the periods, otherwise never."""
    assert names(query(client, start, end)) == found


def test_events_are_not_found_as_busy_times(client: Client) -> None:
    assert names(query(client, "20260601T000000Z", "20260602T000000Z", name="VEVENT")) == ["event"]


@pytest.mark.parametrize(
    ("form", "left"),
    [
        ("limit-freebusy-set", ["20260602T120000Z/PT30M", "20260602T150000Z/PT30M",
                                "20260602T180000Z/PT30M"]),
        ("expand", [line.partition(":")[2] for line in PERIODS]),
    ],
)  # fmt: skip
def test_its_periods_can_be_limited(client: Client, form: str, left: list[str]) -> None:
    """RFC 4791 section 9.6.7; a VFREEBUSY does not recur, so that expand leaves it as it is."""
    bounds = 'start="20260602T000000Z" end="20260603T000000Z"'
    data = f"<C:calendar-data><C:{form} {bounds}/></C:calendar-data>"
    answer = query(client, "20260601T000000Z", "20260604T000000Z", data)
    (text,) = [node.text or "" for node in answer.xml().iterfind(".//C:calendar-data", NAMES)]
    assert re.findall("FREEBUSY.*:(2.*)", text) == left


def test_free_busy_counts_its_periods(client: Client) -> None:
    """RFC 4791 section 7.10, RFC 5545 section 3.2.9: an unknown FBTYPE is BUSY, FREE is not."""
    bounds = '<C:time-range start="20260601T000000Z" end="20260603T093000Z"/>'
    body = f"<C:free-busy-query {SPACES}>{bounds}</C:free-busy-query>"
    answer = client("REPORT", CALENDAR, body)
    assert re.findall("FREEBUSY;FBTYPE=(.*)\r\n", answer.body.decode()) == [
        "BUSY:20260601T090000Z/20260601T103000Z",
        "BUSY-UNAVAILABLE:20260602T120000Z/20260602T123000Z",
        "BUSY:20260602T150000Z/20260602T153000Z",
        "BUSY:20260603T090000Z/20260603T093000Z",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "FREEBUSY:20260601T090000Z",
        "FREEBUSY:20260601T090000/PT1H",
        "FREEBUSY:20260601T090000Z/20260601T080000Z",
        "FREEBUSY:20260601T090000Z/P",
        "FREEBUSY:nonsense",
        "DTSTART:nonsense",
    ],
)
def test_an_invalid_period_is_refused(client: Client, line: str) -> None:
    answer = client("PUT", f"{CALENDAR}bad.ics", calendar(component("VFREEBUSY", "bad", line)))
    assert answer.status == 403
    assert answer.precondition() == f"{{{NAMES['C']}}}valid-calendar-data"


def test_no_feed_has_it(client: Client) -> None:
    feed = client("GET", "/feeds/alice.ics")
    assert feed.status == 200
    assert b"Lunch" in feed.body
    assert b"FREEBUSY" not in feed.body
    assert b"Lunch" in client("GET", "/feeds/alice/?date=2026-06-01").body
