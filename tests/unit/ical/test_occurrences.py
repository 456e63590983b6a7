"""Occurrences of objects: each row of RFC 4791's table, and comparison with a naive expansion."""

from __future__ import annotations

import cProfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from itertools import islice, takewhile
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
import recurring_ical_events
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.bounds import time_bounds
from kalends.ical.recurrence.duration import FOREVER
from kalends.ical.recurrence.expand import RuleIterator
from kalends.ical.recurrence.occurrences import (
    HORIZON,
    KEPT,
    PAST,
    Occurrence,
    Occurrences,
    happens_between,
    local_range,
    occurrences_of,
)
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.timezones.offsets import local_seconds, utc_offset_at
from kalends.ical.timezones.resolve import resolve_tzid, vtimezones_of
from support.paths import DATA

DAY = 86400
CALENDARS = sorted((DATA / "ics").glob("*.ics"))
BERLIN = ZoneInfo("Europe/Berlin")
NOW = int(datetime(2026, 6, 1, tzinfo=UTC).timestamp())

# Berlin's offsets with New York's dates, under a name that means something else to IANA.
OWN_ZONE = """\
BEGIN:VTIMEZONE
TZID:Europe/Paris
BEGIN:STANDARD
DTSTART:20001105T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:20000312T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
"""

Object = tuple[list[Component], Mapping[str, str]]


def read(text: str) -> Object:
    (calendar,) = contentlines.parse(text)
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    return parts, vtimezones_of(calendar)


def build(*components: Sequence[str], kind: str = "VEVENT") -> Object:
    """Return an object of components, each given by its lines, with the VTIMEZONE above."""
    bodies = (
        f"BEGIN:{kind}\nUID:a\n" + "\n".join(lines) + f"\nEND:{kind}\n" for lines in components
    )
    return read(f"BEGIN:VCALENDAR\n{OWN_ZONE}{''.join(bodies)}END:VCALENDAR\n")


OWN = build()[1]


def seconds_at(text: str, zone: tzinfo = UTC) -> int:
    """Return ``20260105`` or ``20260105T090000`` as seconds since 1970."""
    form = "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d"
    return int(datetime.strptime(text, form).replace(tzinfo=zone).timestamp())


def occurrences_as_tuples(
    components: Sequence[Component], own: Mapping[str, str]
) -> list[tuple[int, int, bool]]:
    time_bounds(components, own)  # every stored object has passed this
    return [tuple(o) for o in occurrences_of(components, own, NOW).found]  # type: ignore[misc]


def task_occurrences(*lines: str) -> list[tuple[int, int, bool]]:
    return occurrences_as_tuples(*build(lines, kind="VTODO"))


def starts_of(*components: Sequence[str], zone: tzinfo = UTC) -> list[str]:
    """Return the starts of an event's occurrences in local time."""
    found = occurrences_as_tuples(*build(*components))
    return [f"{datetime.fromtimestamp(start, zone):%Y%m%dT%H%M}" for start, _, _ in found]


# --- one event ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "start", "end", "floating"),
    [
        (("DTSTART:20260105T090000Z", "DTEND:20260105T100000Z"), "T090000", "T100000", False),
        (("DTSTART:20260105T090000Z", "DURATION:PT90M"), "T090000", "T103000", False),
        (("DTSTART:20260105T090000Z", "DURATION:PT0S"), "T090000", "T090001", False),
        (("DTSTART:20260105T090000Z", "DURATION:-PT1H"), "T090000", "T090001", False),
        (("DTSTART:20260105T090000Z",), "T090000", "T090001", False),
        (("DTSTART:20260105T090000Z", "DTEND:20260105T090000Z"), "T090000", "T090000", False),
        (("DTSTART:20260105T090000Z", "DTEND:20260104T090000Z"), "T090000", "T090000", False),
        (("DTSTART:20260105T090000", "DURATION:PT1H"), "T090000", "T100000", True),
        (("DTSTART;TZID=Nowhere:20260105T090000", "DURATION:PT1H"), "T090000", "T100000", True),
        (
            ("DTSTART;TZID=Europe/Berlin:20260105T100000", "DTEND:20260105T100000Z"),
            "T090000",
            "T100000",
            False,
        ),
        (
            ("DTSTART:20260105T090000Z", "DTEND:20260105T100000Z", "DURATION:PT0S"),
            "T090000",
            "T100000",
            False,
        ),
    ],
)
def test_the_occurrence_of_an_event(
    lines: tuple[str, ...], start: str, end: str, floating: bool
) -> None:
    assert occurrences_as_tuples(*build(lines)) == [
        (seconds_at(f"20260105{start}"), seconds_at(f"20260105{end}"), floating)
    ]


@pytest.mark.parametrize(
    ("lines", "days"),
    [
        ((), 1),
        (("DTEND;VALUE=DATE:20260108",), 3),
        (("DURATION:P1W",), 7),
        (("DTEND;VALUE=DATE:20260105",), 0),
    ],
)
def test_the_occurrence_of_an_event_of_whole_days(lines: tuple[str, ...], days: int) -> None:
    begin = seconds_at("20260105")
    whole = occurrences_as_tuples(*build(("DTSTART;VALUE=DATE:20260105", *lines)))
    assert whole == [(begin, begin + days * DAY, True)]


def test_an_instant_matches_a_range_that_begins_but_not_one_that_ends_with_it() -> None:
    parts, own = build(("DTSTART:20260105T090000Z",))
    t = seconds_at("20260105T090000")
    assert happens_between(parts, own, t, t + 1, UTC)
    assert not happens_between(parts, own, t - 9, t, UTC)
    assert not happens_between(parts, own, t + 1, None, UTC)
    assert happens_between(parts, own, None, t + 1, UTC)
    assert happens_between(parts, own, None, None, UTC)


def test_an_objects_own_vtimezone_takes_precedence_over_iana() -> None:
    berlin, own = "20260310T090000", "DTSTART;TZID=Europe/Paris:20260310T090000"
    assert occurrences_as_tuples(*build((own,)))[0][0] == seconds_at(berlin) - 7200
    assert occurrences_as_tuples(build((own,))[0], {})[0][0] == seconds_at(berlin) - 3600


def test_days_of_a_duration_are_local_and_hours_are_exact() -> None:
    start = "DTSTART;TZID=Europe/Berlin:20260328T120000"  # in the night the clock is put forward
    for length, hours in (("P1D", 23), ("PT24H", 24), ("P1DT2H", 25), ("P1W", 167)):
        (found,) = occurrences_as_tuples(*build((start, f"DURATION:{length}")))
        assert found[1] - found[0] == hours * 3600
    repeated = (start, "DTEND;TZID=Europe/Berlin:20260329T120000", "RRULE:FREQ=DAILY;COUNT=3")
    assert [end - begin for begin, end, _ in occurrences_as_tuples(*build(repeated))] == [
        23 * 3600
    ] * 3


def test_a_skipped_and_a_repeated_local_time() -> None:
    gap = ("DTSTART;TZID=Europe/Berlin:20260328T023000", "RRULE:FREQ=DAILY;COUNT=3")
    assert starts_of(gap) == ["20260328T0130", "20260329T0130", "20260330T0030"]
    fold = ("DTSTART;TZID=Europe/Berlin:20261024T023000", "RRULE:FREQ=DAILY;COUNT=3")
    assert starts_of(fold) == ["20261024T0030", "20261025T0030", "20261026T0130"]


# --- recurrence --------------------------------------------------------------------------------

MONDAY = "DTSTART;TZID=Europe/Berlin:20260105T090000"
NINE = ["20260105T0900", "20260106T0900", "20260107T0900", "20260108T0900"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("RRULE:FREQ=DAILY;COUNT=3",), NINE[:3]),
        (("RRULE:FREQ=DAILY;UNTIL=20260107T080000Z",), NINE[:3]),
        (("RRULE:FREQ=DAILY;UNTIL=20260107T075959Z",), NINE[:2]),
        (("RRULE:FREQ=DAILY;UNTIL=20260107T090000",), NINE[:3]),
        (("RRULE:FREQ=DAILY;UNTIL=20260107",), NINE[:3]),
        (("RRULE:FREQ=DAILY;UNTIL=20250101",), NINE[:1]),
        (("RRULE:FREQ=DAILY;COUNT=2;UNTIL=20270101",), NINE[:2]),
        (("RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=2"), [*NINE[:2], NINE[3]]),
        (
            ("RRULE:FREQ=DAILY;COUNT=4", "EXDATE;TZID=Europe/Berlin:20260106T090000"),
            [NINE[0], *NINE[2:]],
        ),
        (("RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260106T080000Z"), [NINE[0], *NINE[2:]]),
        (("RRULE:FREQ=DAILY;COUNT=4", "EXDATE:20260106T090000"), [NINE[0], *NINE[2:]]),
        (("RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20260106,20260107"), [NINE[0], NINE[3]]),
        (("RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=America/New_York:20260105T030000"), NINE[1:3]),
        (("RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260106T080001Z"), NINE[:3]),
        # DTSTART is the first that COUNT counts, even if it does not match the rule.
        (("RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2",), NINE[:2]),
        (("RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2", f"EXDATE{MONDAY[7:]}"), NINE[1:2]),
        (("RDATE;TZID=Europe/Berlin:20260106T090000,20260108T090000",), [*NINE[:2], NINE[3]]),
        (("RDATE:20260106T080000Z",), NINE[:2]),
        (("RDATE:20260106T090000",), NINE[:2]),
        (("RDATE:20260106T080000Z", "EXDATE;VALUE=DATE:20260106"), NINE[:1]),
        (("RDATE:20260105T080000Z",), NINE[:1]),
    ],
)
def test_recurrence_properties(lines: tuple[str, ...], expected: list[str]) -> None:
    assert starts_of((MONDAY, "DURATION:PT1H", *lines), zone=BERLIN) == expected


def test_a_period_has_its_own_duration() -> None:
    lines = (
        "DTSTART:20260105T090000Z",
        "DURATION:PT1H",
        "RDATE;VALUE=PERIOD:20260106T090000Z/PT2H,20260107T090000Z/20260107T120000Z",
    )
    lengths = [end - start for start, end, _ in occurrences_as_tuples(*build(lines))]
    assert lengths == [3600, 7200, 10800]


def test_days_recur_floating_and_an_rdate_keeps_its_own_type() -> None:
    day, until = "DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;UNTIL=20260108"
    excluded = "EXDATE;VALUE=DATE:20260106"
    begin = seconds_at("20260105")
    whole = [(begin + n * DAY, begin + (n + 1) * DAY, True) for n in range(4)]
    assert occurrences_as_tuples(*build((day, until, excluded))) == [whole[0], *whole[2:]]
    assert occurrences_as_tuples(*build((day, "RDATE;VALUE=DATE:20260106"))) == whole[:2]
    assert occurrences_as_tuples(*build((day, until, "EXDATE:20260106T000000"))) == [
        whole[0],
        *whole[2:],
    ]
    timed = ("DTSTART:20260105T090000Z", "DURATION:PT1H", "RDATE;VALUE=DATE:20260106")
    assert occurrences_as_tuples(*build(timed))[1] == whole[1]


# --- overrides ---------------------------------------------------------------------------------

DAILY = (MONDAY, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=4")


def override(named: str, begin: str, length: str = "PT1H") -> tuple[str, str, str]:
    return f"RECURRENCE-ID{named}", f"DTSTART;TZID=Europe/Berlin:{begin}", f"DURATION:{length}"


@pytest.mark.parametrize(
    "named",
    [
        ";TZID=Europe/Berlin:20260106T090000",
        ":20260106T080000Z",
        ";TZID=America/New_York:20260106T030000",
        ":20260106T090000",
        ";VALUE=DATE:20260106",
    ],
)
def test_an_override_replaces_the_occurrence_that_it_names(named: str) -> None:
    found = starts_of(DAILY, override(named, "20260301T120000"), zone=BERLIN)
    assert found == [NINE[0], *NINE[2:], "20260301T1200"]


def test_an_override_of_whole_days_has_a_date() -> None:
    master = ("DTSTART;VALUE=DATE:20260105", "RRULE:FREQ=DAILY;COUNT=2")
    moved = ("RECURRENCE-ID;VALUE=DATE:20260106", "DTSTART;VALUE=DATE:20260109")
    assert starts_of(master, moved) == ["20260105T0000", "20260109T0000"]


def test_overrides_without_an_occurrence_or_a_master_are_occurrences() -> None:
    stray = override(":20260120T080000Z", "20260121T090000")
    assert starts_of(DAILY, stray, zone=BERLIN) == [*NINE, "20260121T0900"]
    assert starts_of(stray, zone=BERLIN) == ["20260121T0900"]


def test_thisandfuture_moves_all_following_and_sets_their_duration() -> None:
    named, begin, length = override(
        ";RANGE=THISANDFUTURE;TZID=Europe/Berlin:20260106T090000", "20260106T113000", "PT2H"
    )
    later = override(":20260108T080000Z", "20260108T200000", "PT3H")
    found = occurrences_as_tuples(*build(DAILY, (named, begin, length), later))
    shown = [(f"{datetime.fromtimestamp(s, BERLIN):%d %H%M}", (e - s) // 3600) for s, e, _ in found]
    assert shown == [("05 0900", 1), ("06 1130", 2), ("07 1130", 2), ("08 2000", 3)]


def test_a_moved_series_keeps_its_time_zone() -> None:
    master = (MONDAY, "DURATION:PT1H", "RRULE:FREQ=MONTHLY;COUNT=5")
    for begin in ("DTSTART;TZID=Europe/Berlin:20260205T100000", "DTSTART:20260205T090000Z"):
        moved = ("RECURRENCE-ID;RANGE=THISANDFUTURE:20260205T080000Z", begin, "DURATION:PT1H")
        found = starts_of(master, moved, zone=BERLIN)
        assert found == ["20260105T0900", *(f"20260{month}05T1000" for month in (2, 3, 4, 5))]
    named = "RECURRENCE-ID;RANGE=THISANDFUTURE:20260205T080000Z"
    abroad = (named, "DTSTART;TZID=America/New_York:20260205T100000")
    found = starts_of(master, abroad, zone=ZoneInfo("America/New_York"))
    assert found[1:] == [f"20260{month}05T1000" for month in (2, 3, 4, 5)]


def test_the_last_thisandfuture_before_an_occurrence_applies() -> None:
    def moved(named: str, begin: str) -> tuple[str, str, str]:
        return override(f";RANGE=THISANDFUTURE{named}", begin)

    first = moved(";VALUE=DATE:20260106", "20260106T100000")  # the day's occurrence, at nine
    second = moved(":20260108T080000Z", "20260108T110000")
    days = ["05T0900", "06T1000", "07T1000", "08T1100", "09T1100"]
    expected = [f"202601{day}" for day in days]
    master = (MONDAY, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5")
    assert starts_of(master, first, second, zone=BERLIN) == expected
    assert starts_of(master, second, first, zone=BERLIN) == expected


# --- tasks, journals, and the rest -------------------------------------------------------------

D, C = "DTSTART:20260105T090000Z", "COMPLETED:20260107T090000Z"
CREATED = "CREATED:20260101T090000Z"


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        ((D, "DURATION:PT1H"), "20260105T090000", "20260105T100001"),
        ((D, "DURATION:PT0S"), "20260105T085959", "20260105T090001"),
        ((D, "DUE:20260106T090000Z"), "20260105T090000", "20260106T090000"),
        ((D, "DUE:20260105T090000Z"), "20260105T085959", "20260105T090001"),
        ((D, "DUE:20260104T090000Z"), "20260104T085959", "20260105T090001"),
        ((D,), "20260105T090000", "20260105T090001"),
        ((D, C, CREATED), "20260105T090000", "20260105T090001"),
        (("DUE:20260105T090000Z",), "20260105T085959", "20260105T090000"),
        ((C, CREATED), "20260101T085959", "20260107T090001"),
        ((C,), "20260107T085959", "20260107T090001"),
    ],
)
def test_the_occurrence_of_a_task(lines: tuple[str, ...], start: str, end: str) -> None:
    assert task_occurrences(*lines) == [(seconds_at(start), seconds_at(end), False)]


def test_an_unscheduled_task_has_no_end_or_matches_always() -> None:
    assert task_occurrences(CREATED) == [(seconds_at("20260101T090000"), FOREVER, False)]
    assert task_occurrences("CREATED:20260101T090000") == [
        (seconds_at("20260101T090000"), FOREVER, True)
    ]
    assert task_occurrences() == [(-FOREVER, FOREVER, False)]


def test_tasks_match_by_the_rfcs_conditions() -> None:
    """Compare with the conditions of RFC 4791 section 9.9, as they are written there."""
    d, dur, due, c, created = (
        seconds_at(f"202601{day}T090000") for day in ("05", "06", "07", "08", "01")
    )
    names = {
        "d": "DTSTART:20260105T090000Z",
        "dur": "DURATION:P1D",
        "due": "DUE:20260107T090000Z",
        "c": "COMPLETED:20260108T090000Z",
        "created": CREATED,
    }
    rows: list[tuple[str, Callable[[int, int], bool]]] = [
        ("d dur", lambda s, e: s <= dur and (e > d or e >= dur)),
        ("d due", lambda s, e: (s < due or s <= d) and (e > d or e >= due)),
        ("d", lambda s, e: s <= d and e > d),
        ("due", lambda s, e: s < due and e >= due),
        ("c created", lambda s, e: (s <= created or s <= c) and (e >= created or e >= c)),
        ("c", lambda s, e: s <= c and e >= c),
        ("created", lambda _, e: e > created),
        ("", lambda _s, _e: True),
    ]
    edges = sorted({t + n for t in (d, dur, due, c, created) for n in (-1, 0, 1)})
    for row, condition in rows:
        parts, own = build([names[name] for name in row.split()], kind="VTODO")
        for s in edges:
            for e in (edge for edge in edges if edge > s):
                assert happens_between(parts, own, s, e, UTC) == condition(s, e), (row, s, e)


def test_tasks_recur_by_dtstart_or_by_due() -> None:
    rule = "RRULE:FREQ=DAILY;COUNT=2"
    begin = seconds_at("20260105T090000")
    by_start = [(begin + n * DAY, begin + n * DAY + 7200, False) for n in (0, 1)]
    assert task_occurrences(D, "DUE:20260105T110000Z", rule) == by_start
    by_due = [(begin + n * DAY - 1, begin + n * DAY, False) for n in (0, 1)]
    assert task_occurrences("DUE:20260105T090000Z", rule) == by_due
    days = task_occurrences("DTSTART;VALUE=DATE:20260105", "DUE;VALUE=DATE:20260106", rule)
    assert days == [
        (seconds_at("20260105") + n * DAY, seconds_at("20260106") + n * DAY, True) for n in (0, 1)
    ]


def test_journals_and_components_without_times() -> None:
    def journal(*lines: str) -> list[tuple[int, int, bool]]:
        return occurrences_as_tuples(*build(lines, kind="VJOURNAL"))

    t = seconds_at("20260105T090000")
    assert journal("DTSTART:20260105T090000Z", "DURATION:PT1H") == [(t, t + 1, False)]
    assert journal("DTSTART;VALUE=DATE:20260105") == [
        (seconds_at("20260105"), seconds_at("20260106"), True)
    ]
    assert journal() == []
    assert occurrences_as_tuples(*build((), kind="VAVAILABILITY")) == [(-FOREVER, FOREVER, False)]
    assert not happens_between(*build((), kind="VJOURNAL"), None, None, UTC)


# --- the occurrences that the index keeps ------------------------------------------------------


def kept(*lines: str) -> Occurrences:
    parts, own = build(lines)
    time_bounds(parts, own)
    return occurrences_of(parts, own, NOW)


def test_a_finite_object_is_kept_completely() -> None:
    found = kept("DTSTART:20260105T090000Z", "RRULE:FREQ=DAILY;COUNT=400")
    assert (len(found.found), found.covered_from, found.covered_until) == (400, None, None)
    far = kept("DTSTART:20500105T090000Z")
    assert (len(far.found), far.covered_from, far.covered_until) == (1, None, None)


def test_an_endless_object_is_kept_to_the_horizon() -> None:
    found = kept("DTSTART:20260105T090000Z", "RRULE:FREQ=WEEKLY")
    assert found.covered_from is None
    assert found.covered_until is not None
    assert NOW + HORIZON <= found.covered_until < NOW + HORIZON + 9 * DAY
    assert found.found[0].start == seconds_at("20260105T090000")


def test_a_dense_object_is_kept_from_sixty_days_ago() -> None:
    found = kept("DTSTART:19700105T090000Z", "RRULE:FREQ=DAILY")
    assert len(found.found) == KEPT
    assert found.covered_from == NOW - PAST
    assert found.covered_until is not None
    assert found.covered_until > NOW + 300 * DAY
    assert NOW - PAST - 3 * DAY < found.found[0].start < NOW - PAST


def test_an_object_with_more_occurrences_than_are_kept() -> None:
    days = [f"{date(2025, 1, 1) + timedelta(n):%Y%m%d}T090000Z" for n in range(900)]
    for object_ in (
        build((f"DTSTART:{days[0]}", f"RDATE:{','.join(days)}")),
        build(*((f"RECURRENCE-ID:{day}", f"DTSTART:{day}") for day in days)),
    ):
        found = occurrences_of(*object_, NOW)
        assert len(found.found) == KEPT
        assert found.covered_from == NOW - PAST
        assert found.covered_until is not None
        assert NOW + 300 * DAY < found.covered_until < found.found[-1].start + DAY
        assert happens_between(*object_, seconds_at(days[-1][:-1]), None, UTC)


def test_two_masters_are_covered_as_far_as_both_are() -> None:
    dense, rare = (
        (f"DTSTART:20260505T0{n}0000Z", f"RRULE:FREQ={f}") for n, f in ((1, "HOURLY"), (2, "DAILY"))
    )
    alone = occurrences_of(*build(dense), NOW).covered_until
    for masters in ((dense, rare), (rare, dense)):
        both = occurrences_of(*build(*masters), NOW).covered_until
        assert alone is not None
        assert both is not None
        assert both <= alone


def test_an_unknown_rule_is_not_covered_and_always_matches() -> None:
    easter = build(("DTSTART:20260105T090000Z", "RRULE:FREQ=YEARLY;BYEASTER=0"))
    time_bounds(*easter)
    found = occurrences_of(*easter, NOW)
    assert found.covered_until is not None
    assert found.covered_until <= seconds_at("20260105T090000")
    assert happens_between(*easter, NOW, NOW + 1, UTC)
    assert not happens_between(*easter, None, seconds_at("20250105"), UTC)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY",
        "FREQ=HOURLY;BYHOUR=7;BYDAY=MO",
        "FREQ=MINUTELY;BYHOUR=9;BYMINUTE=0;COUNT=20000",
        "FREQ=SECONDLY;BYHOUR=9;BYMINUTE=0;BYSECOND=7;COUNT=20000",
        "FREQ=DAILY;COUNT=20000",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=20000",
        "FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=1;COUNT=20000",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=20000",
        "FREQ=WEEKLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;BYSETPOS=1;COUNT=20000",
    ],
)
def test_the_most_costly_rules_take_bounded_work(rule: str) -> None:
    parts, own = build(("DTSTART;TZID=Europe/Paris:20000229T090000", f"RRULE:{rule}"))
    time_bounds(parts, own)
    with cProfile.Profile() as profile:  # counts calls: durations depend on the machine
        for start in ("20010101T003000", "20261101T003000", "24000101T003000", "99980101T003000"):
            happens_between(parts, own, seconds_at(start), seconds_at(start) + 1, BERLIN)
        occurrences_of(parts, own, NOW)
    calls = sum(entry.callcount for entry in profile.getstats())
    assert calls < 12_000_000


def test_beyond_the_expansion_every_range_matches() -> None:
    rule = "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=TU;COUNT=20000"
    parts, own = build(("DTSTART:20000229T090000Z", rule))
    assert not happens_between(parts, own, seconds_at("20010101"), seconds_at("20270101"), UTC)
    assert happens_between(parts, own, seconds_at("90010101"), seconds_at("90010102"), UTC)


# --- time zones --------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["20260329T010000", "20261025T010000", "20260701T000000"])
def test_a_local_range_contains_all_local_times_of_the_range(change: str) -> None:
    middle = seconds_at(change)
    locals_ = range(middle - 6 * 3600, middle + 6 * 3600, 450)
    instants = {local: local - utc_offset_at(local, BERLIN) for local in locals_}
    forward = change == "20260329T010000"
    for instant in range(middle - 2 * 3600, middle + 2 * 3600, 450):
        start, end = local_range(instant, instant, BERLIN)
        assert start is not None
        assert end is not None
        before = {local for local in locals_ if instants[local] < instant}
        after = {local for local in locals_ if instants[local] > instant}
        assert before <= {local for local in locals_ if local < end}
        assert after <= {local for local in locals_ if local > start}
        if not forward and end == start:  # no local time occurs twice here
            assert before == {local for local in locals_ if local < end}
    assert local_range(None, None, BERLIN) == (None, None)


def test_the_offsets_of_vtimezones_agree_with_dateutil() -> None:
    texts = {(z, text) for path in CALENDARS for z, text in _zones_in(path)}
    assert texts
    for name, text in texts:
        zone = resolve_tzid(name, {name: text})
        if zone is None:  # the definition cannot be read and the name is unknown
            continue
        for day in range(0, 365 * 3, 5):
            shown = datetime(2023, 1, 1, 2, 30) + timedelta(days=day)
            offset = zone.utcoffset(shown)
            assert offset is not None
            assert utc_offset_at(local_seconds(shown), zone) == offset.total_seconds(), (
                name,
                shown,
            )


def test_the_second_of_a_change_and_simultaneous_changes() -> None:
    zone = resolve_tzid("Europe/Paris", OWN)
    assert zone is not None
    change = seconds_at("20260308T020000")
    assert [utc_offset_at(change + n, zone) for n in (-1, 0, 1)] == [3600, 7200, 7200]
    twice = OWN["Europe/Paris"].replace("20000312", "20001105").replace("BYMONTH=3;BYDAY=2SU", "X")
    twice = twice.replace("RRULE:FREQ=YEARLY;X\r\n", "")
    both = resolve_tzid("Europe/Paris", {"Europe/Paris": twice})
    assert both is not None
    shown = datetime(2000, 11, 20)
    offset = both.utcoffset(shown)
    assert offset is not None
    assert utc_offset_at(local_seconds(shown), both) == offset.total_seconds()


def _zones_in(path: Path) -> Iterable[tuple[str, str]]:
    try:
        top = contentlines.parse(path.read_bytes().decode("utf-8", "replace"))
    except IcalendarSyntaxError:
        return []
    return vtimezones_of(top[0]).items() if top else []


# --- rules, compared with dateutil -------------------------------------------------------------

WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def some(values: Sequence[object], most: int = 3) -> st.SearchStrategy[str]:
    few = st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)
    return few.map(lambda chosen: ",".join(map(str, chosen)))


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Draw a rule without COUNT and UNTIL."""
    often = st.sampled_from([False, False, True])
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={frequency}"]
    if draw(often):
        parts.append(f"INTERVAL={draw(st.integers(2, 6))}")
    if draw(often):
        parts.append(f"WKST={draw(st.sampled_from(WEEKDAYS))}")
    if draw(often):
        parts.append(f"BYMONTH={draw(some(range(1, 13), 4))}")
    if draw(often):
        parts.append(f"BYMONTHDAY={draw(some([*range(1, 32), *range(-31, 0)]))}")
    if "BYMONTHDAY" not in parts[-1] and draw(st.integers(0, 9)) == 0:
        parts.append(f"BYYEARDAY={draw(some([1, 59, 60, 100, 365, 366, -1, -307, -366]))}")
    if draw(often):
        nth = frequency in ("MONTHLY", "YEARLY") and draw(st.booleans())
        every = [f"{n}{day}" for n in (1, 2, 3, 4, 5, -1, -2) for day in WEEKDAYS]
        parts.append(f"BYDAY={draw(some(every if nth else WEEKDAYS))}")
    if frequency == "YEARLY" and draw(st.integers(0, 5)) == 0:
        parts.append(f"BYWEEKNO={draw(some([1, 2, 20, -1]))}")
    if draw(st.integers(0, 5)) == 0:
        parts.append(f"BYHOUR={draw(some(range(24)))}")
    if draw(st.integers(0, 5)) == 0:
        parts.append(f"BYMINUTE={draw(some(range(60), 2))}")
    if draw(often):
        parts.append(f"BYSETPOS={draw(some([1, 2, 3, -1, -2]))}")
    return ";".join(parts)


@st.composite
def fine_rules(draw: st.DrawFn) -> str:
    """Draw a rule with a frequency of hours, minutes or seconds."""
    interval = draw(st.integers(1, 100))
    parts = [f"FREQ={draw(st.sampled_from(['HOURLY', 'MINUTELY', 'SECONDLY']))}"]
    parts.append(f"INTERVAL={interval}")
    if draw(st.booleans()):
        parts.append(f"BYDAY={draw(some(WEEKDAYS))}")
    if draw(st.booleans()):
        parts.append(f"BYHOUR={draw(some(range(24), 9))}")
    if draw(st.booleans()):
        parts.append(f"BYMINUTE={draw(some(range(0, 60, 5), 9))}")
    if draw(st.booleans()):
        parts.append(f"BYSECOND={draw(some(range(0, 60, 5), 9))}")
    return ";".join(parts)


def whole_seconds(least: datetime, most: datetime) -> st.SearchStrategy[datetime]:
    span = int((most - least).total_seconds())
    quarters = st.integers(0, span // 900).map(lambda n: least + timedelta(seconds=900 * n))
    return quarters | st.integers(0, span).map(lambda n: least + timedelta(seconds=n))


# dateutil searches for the next occurrence until the year 9999. The calendar repeats after 400
# years, so it can start this many years later and search less.
CYCLES = 19 * 400


def by_dateutil(rule: str, first: datetime) -> Iterator[datetime]:
    made_ = rrulestr(rule, dtstart=first.replace(year=first.year + CYCLES))
    return (found.replace(year=found.year - CYCLES) for found in made_)


def accepted(rule: str, first: datetime) -> bool:
    """Return True if a rule may be stored."""
    try:
        if next(by_dateutil(rule, first), None) is None:
            return False
        time_bounds(*build((f"DTSTART:{first:%Y%m%dT%H%M%S}", f"RRULE:{rule}")))
    except (ObjectRefusedError, ValueError):  # dateutil cannot make some rules at all
        return False
    return True


BEGINNINGS = whole_seconds(datetime(1995, 1, 1), datetime(2027, 1, 1))


@settings(max_examples=300)
@example(first=datetime(2026, 1, 7), rule="FREQ=WEEKLY;BYDAY=MO,TH,FR;BYSETPOS=1", days=0)
@given(first=BEGINNINGS, rule=rules(), days=st.just(0) | st.integers(-100, 4000))
def test_an_expansion_agrees_with_dateutil_from_any_start(
    first: datetime, rule: str, days: int
) -> None:
    since = first + timedelta(days=days)
    until = since + timedelta(days=1500)
    assume(accepted(rule, first))
    coming = takewhile(lambda local: local <= until, by_dateutil(rule, first))
    expected = list(islice((local_seconds(x) for x in coming if x >= since), 300))
    read_ = read_rule(rule, local_seconds(first), is_day=False, zoned=False)
    assert read_ is not None
    walk = RuleIterator(read_, local_seconds(since), local_seconds(until), Budget())
    assert list(islice(walk, 300)) == expected


@pytest.mark.parametrize("week", [1, 9, 52, 53, -1, -53])
def test_week_numbers_are_those_of_iso_8601(week: int) -> None:
    # dateutil uses the length of the wrong year if the last week extends into the next year.
    first = datetime(1990, 1, 1)
    days = [first + timedelta(n) for n in range(40 * 366)]
    weeks = [day.isocalendar().week for day in days]
    if week < 0:
        lengths = [date(day.isocalendar().year, 12, 28).isocalendar().week for day in days]
        weeks = [week_ - length - 1 for week_, length in zip(weeks, lengths, strict=True)]
    expected = [local_seconds(day) for day, its in zip(days, weeks, strict=True) if its == week]
    read_ = read_rule(
        f"FREQ=YEARLY;BYWEEKNO={week}", local_seconds(first), is_day=False, zoned=False
    )
    assert read_ is not None
    assert list(RuleIterator(read_, None, local_seconds(days[-1]), Budget())) == expected


@settings(max_examples=200)
@given(first=BEGINNINGS, rule=fine_rules(), hours=st.integers(0, 100))
def test_an_expansion_of_hours_minutes_and_seconds_agrees_with_dateutil(
    first: datetime, rule: str, hours: int
) -> None:
    try:
        dense = by_dateutil(rule, first)
    except ValueError:  # INTERVAL never reaches an hour of BYHOUR
        return
    since = first + timedelta(hours=hours)
    until = since + timedelta(days=8)
    read_ = read_rule(rule, local_seconds(first), is_day=False, zoned=False)
    assert read_ is not None
    walk = RuleIterator(read_, local_seconds(since), local_seconds(until), Budget())
    found = list(islice(walk, 50))
    after = local_seconds(until)
    goes_on = RuleIterator(read_, after, after + 30 * DAY, Budget())
    assume(any(goes_on))  # dateutil would search for ever
    coming = takewhile(lambda local: local <= until, dense)
    assert found == list(islice((local_seconds(x) for x in coming if x >= since), 50))


# --- objects, compared with a naive expansion --------------------------------------------------


@dataclass
class DrawnEvent:
    """An event, and its occurrences according to a naive expansion from DTSTART."""

    components: list[list[str]]
    occurrences: set[Occurrence] = field(default_factory=set)
    kind: str = "VEVENT"

    def read(self) -> Object:
        return build(*self.components, kind=self.kind)


ZONE_NAMES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Europe/Paris"]
LAST = datetime(2031, 1, 1)  # the end of the naive expansion; no range goes beyond 2030


@dataclass(frozen=True)
class TimeKind:
    """A kind of time, and how its values are written."""

    name: str  # one of ZONE_NAMES, "" for floating, "DAY" for days

    def zone(self) -> tzinfo | None:
        return resolve_tzid(self.name, OWN) if self.name in ZONE_NAMES else None

    def seconds(self, local: datetime) -> int:
        return _seconds(self.name, local)

    def write(self, name: str, *times: datetime) -> str:
        form = "%Y%m%d" if self.name == "DAY" else "%Y%m%dT%H%M%S"
        texts = ",".join(f"{time:{form}}{'Z' if self.name == 'UTC' else ''}" for time in times)
        param = ";VALUE=DATE" if self.name == "DAY" else ""
        if self.name in ZONE_NAMES[1:]:
            param = f";TZID={self.name}"
        return f"{name}{param}:{texts}"


@cache
def _seconds(name: str, local: datetime) -> int:
    aware = local.replace(tzinfo=TimeKind(name).zone() or UTC)
    return int((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def occurrence_lasting(
    kind_of_time: TimeKind, local: datetime, days: int, hours: int
) -> Occurrence:
    begin = kind_of_time.seconds(local)
    end = kind_of_time.seconds(local + timedelta(days=days)) + hours * 3600
    return Occurrence(begin, end, kind_of_time.zone() is None)


@st.composite
def events(draw: st.DrawFn, first: st.SearchStrategy[datetime]) -> DrawnEvent:
    """Draw a recurring event with any combination of properties."""
    kind_of_time = TimeKind(draw(st.sampled_from([*ZONE_NAMES, "", "DAY"])))
    begin = draw(first)
    begin = datetime(begin.year, begin.month, begin.day) if kind_of_time.name == "DAY" else begin
    days = draw(st.integers(0 if kind_of_time.name != "DAY" else 1, 2))
    hours = draw(st.integers(1, 30)) if kind_of_time.name != "DAY" else 0
    lines = [
        kind_of_time.write("DTSTART", begin),
        f"DURATION:P{days}D" + (f"T{hours}H" if hours else ""),
    ]
    local = _repeat(draw, kind_of_time, begin, lines)
    left, fixed = _except(draw, kind_of_time, local, lines, days, hours)
    drawn = DrawnEvent([lines])
    move = _override(draw, kind_of_time, left, drawn)
    for time in left:
        drawn.occurrences.add(move(time) or occurrence_lasting(kind_of_time, time, days, hours))
    drawn.occurrences |= fixed
    return drawn


def _repeat(
    draw: st.DrawFn, kind_of_time: TimeKind, begin: datetime, lines: list[str]
) -> list[datetime]:
    rule = draw(rules())
    if kind_of_time.name == "DAY":
        kept_ = [p for p in rule.split(";") if not p.startswith(("BYHOUR", "BYMINUTE"))]
        rule = ";".join(kept_)
    assume(accepted(rule, begin))
    local = list(takewhile(lambda time: time < LAST, by_dateutil(rule, begin)))
    local = local if begin in local[:1] else [begin, *local]
    ending = draw(st.sampled_from(["", "COUNT", "UNTIL", "LOCAL", "DATE"]))
    if ending == "COUNT":
        count = draw(st.integers(1, 500))
        rule, local = f"{rule};COUNT={count}", local[:count]
    elif ending:
        last = draw(st.sampled_from(local[:400])) - timedelta(seconds=draw(st.integers(0, 1)))
        rule, local = _until(kind_of_time, rule, local, ending, last)
        local = local or [begin]
    lines.append(f"RRULE:{rule}")
    return local


def _until(
    kind_of_time: TimeKind, rule: str, local: list[datetime], ending: str, last: datetime
) -> tuple[str, list[datetime]]:
    if ending == "DATE" or kind_of_time.name == "DAY":
        return f"{rule};UNTIL={last:%Y%m%d}", [x for x in local if x.date() <= last.date()]
    if ending == "LOCAL" or kind_of_time.zone() is None:
        return f"{rule};UNTIL={last:%Y%m%dT%H%M%S}", [x for x in local if x <= last]
    instant = kind_of_time.seconds(last)
    text = f"{datetime.fromtimestamp(instant, UTC):%Y%m%dT%H%M%SZ}"
    return f"{rule};UNTIL={text}", [x for x in local if kind_of_time.seconds(x) <= instant]


def _except(
    draw: st.DrawFn,
    kind_of_time: TimeKind,
    local: list[datetime],
    lines: list[str],
    days: int,
    hours: int,
) -> tuple[list[datetime], set[Occurrence]]:
    """Add EXDATEs and RDATEs; return the remaining times, and occurrences in another zone."""
    added = draw(st.lists(st.timedeltas(timedelta(0), timedelta(days=900)), max_size=2))
    more = {local[0] + timedelta(days=x.days, seconds=900 * (x.seconds // 900)) for x in added}
    if kind_of_time.name == "DAY":
        more = {datetime(x.year, x.month, x.day) for x in more}
    if more:
        lines.append(kind_of_time.write("RDATE", *more))
    times = sorted({*local, *more})
    out = draw(st.lists(st.sampled_from(times[:60]), max_size=4))
    instants = {kind_of_time.seconds(x) for x in out}
    form = draw(st.sampled_from(["own", "UTC", "DATE"]))
    if out and form == "DATE" and kind_of_time.name != "DAY":
        lines.append(TimeKind("DAY").write("EXDATE", *out))
        gone = {x.date() for x in out}
        times = [x for x in times if x.date() not in gone]
    elif out and form == "UTC" and kind_of_time.zone() is not None:
        stamps = [datetime.fromtimestamp(x, UTC).replace(tzinfo=None) for x in instants]
        lines.append(TimeKind("UTC").write("EXDATE", *stamps))
    elif out:
        lines.append(kind_of_time.write("EXDATE", *out))
    times = [
        x for x in times if not out or form == "DATE" or kind_of_time.seconds(x) not in instants
    ]
    if form == "DATE" and kind_of_time.name == "DAY":
        times = [x for x in times if x not in out]
    abroad: set[Occurrence] = set()
    if kind_of_time.zone() is not None and draw(st.booleans()):
        there = TimeKind("America/New_York")
        time = local[0] + timedelta(days=70, minutes=1)  # at none of the series' minutes
        lines.append(there.write("RDATE", time))
        gone_days = {x.date() for x in out} if form == "DATE" else set()
        shown = datetime.fromtimestamp(there.seconds(time), kind_of_time.zone())
        if shown.date() not in gone_days:
            abroad.add(occurrence_lasting(there, time, days, hours))
    return times, abroad


def _override(
    draw: st.DrawFn, kind_of_time: TimeKind, left: list[datetime], drawn: DrawnEvent
) -> Callable[[datetime], Occurrence | None]:
    """Add overrides, at most one with THISANDFUTURE; return a function that applies them."""
    replaced: dict[int, Occurrence] = {}
    moved: tuple[int, timedelta] | None = None
    abroad = any("RDATE;TZID=America" in line for line in drawn.components[0])
    for named in draw(st.lists(st.sampled_from(left[:60]), max_size=3)) if left else []:
        key = kind_of_time.seconds(named)
        future = moved is None and not abroad and draw(st.booleans())
        shift = timedelta(days=draw(st.integers(-40, 40)))
        if kind_of_time.name != "DAY":
            shift += timedelta(minutes=15 * draw(st.integers(-50, 50)))
        if key in replaced:
            continue
        if future:
            moved = (key, shift)
        replaced[key] = occurrence_lasting(kind_of_time, named + shift, 1, 0)
        how = ";RANGE=THISANDFUTURE" if future else ""
        begin = kind_of_time.write("DTSTART", named + shift)
        drawn.components.append(
            [kind_of_time.write(f"RECURRENCE-ID{how}", named), begin, "DURATION:P1D"]
        )
    drawn.occurrences.update(replaced.values())

    def move(time: datetime) -> Occurrence | None:
        key = kind_of_time.seconds(time)
        if key in replaced:
            return replaced[key]
        if moved and key >= moved[0]:
            return occurrence_lasting(kind_of_time, time + moved[1], 1, 0)
        return None

    return move


RECENT = whole_seconds(datetime(2024, 1, 1), datetime(2027, 1, 1))
LONG_AGO = whole_seconds(datetime(1996, 1, 1), datetime(2010, 1, 1))
ASKED_UNTIL = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())


def matches(occurrences: Iterable[Occurrence], start: int, end: int, zone: tzinfo) -> bool:
    ranges = {False: (start, end), True: local_range(start, end, zone)}
    for occurrence in occurrences:
        begin, finish = ranges[occurrence.floating]
        assert begin is not None
        assert finish is not None
        if occurrence.start < finish and occurrence.end > begin:
            return True
    return False


@st.composite
def ranges_of(draw: st.DrawFn, occurrences: set[Occurrence]) -> tuple[int, int]:
    """Draw a range whose bounds are mostly those of occurrences, or a second off."""
    few = sorted(occurrences)[:: max(1, len(occurrences) // 40)] or [
        Occurrence(NOW, NOW, floating=False)
    ]
    edge = st.sampled_from(few).flatmap(lambda o: st.sampled_from([o.start, o.end]))
    start = draw(edge) + draw(st.sampled_from([-3600, -1, 0, 0, 1, 5000]))
    length = draw(st.sampled_from([1, 900, 3600, DAY, 30 * DAY]))
    return (start - length, start) if draw(st.booleans()) else (start, start + length)


ZONES = st.sampled_from([UTC, BERLIN, ZoneInfo("America/New_York")])


@settings(max_examples=100)
@given(drawn=events(RECENT), zone=ZONES, data=st.data())
def test_queries_agree_with_a_naive_expansion(
    drawn: DrawnEvent, zone: tzinfo, data: st.DataObject
) -> None:
    parts, own = drawn.read()
    for _ in range(6):
        start, end = data.draw(ranges_of(drawn.occurrences))
        assume(end < ASKED_UNTIL)
        assert happens_between(parts, own, start, end, zone) == matches(
            drawn.occurrences, start, end, zone
        )


@settings(max_examples=100)
@given(
    drawn=events(RECENT) | events(LONG_AGO),
    now=st.integers(seconds_at("20240101"), seconds_at("20270101")),
    zone=ZONES,
    data=st.data(),
)
def test_the_covered_time_agrees_with_a_naive_expansion(
    drawn: DrawnEvent, now: int, zone: tzinfo, data: st.DataObject
) -> None:
    parts, own = drawn.read()
    found = occurrences_of(parts, own, now)
    assert len(found.found) <= KEPT
    assert list(found.found) == sorted(set(found.found))
    begin = found.covered_from
    until = min(ASKED_UNTIL, found.covered_until or ASKED_UNTIL)
    inside = _inside(drawn.occurrences, begin, until)
    assert inside <= set(found.found)
    assert _inside(found.found, begin, until) <= inside
    for _ in range(4):
        start, end = data.draw(ranges_of(drawn.occurrences))
        if (begin is None or start >= begin) and end <= until:
            from_index = matches(found.found, start, end, zone)
            assert from_index == happens_between(parts, own, start, end, zone)


def _inside(occurrences: Iterable[Occurrence], begin: int | None, until: int) -> set[Occurrence]:
    """Return the occurrences in a UTC range, floating ones only if they are so in any zone."""
    return {
        o
        for o in occurrences
        if o.start + (14 * 3600 if o.floating else 0) < until
        and (begin is None or o.end - (14 * 3600 if o.floating else 0) > begin)
    }


@settings(max_examples=40)
@given(first=RECENT, rule=rules(), hours=st.integers(1, 50), days=st.integers(0, 900))
def test_queries_agree_with_recurring_ical_events(
    first: datetime, rule: str, hours: int, days: int
) -> None:
    lines = (f"DTSTART:{first:%Y%m%dT%H%M%SZ}", f"DURATION:PT{hours}H", f"RRULE:{rule}")
    assume(accepted(rule, first))
    start = first.replace(tzinfo=UTC) + timedelta(days=days)
    end = start + timedelta(days=20)
    body = "\r\n".join(["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:a", *lines, "END:VEVENT"])
    calendar = icalendar.Calendar.from_ical(f"{body}\r\nEND:VCALENDAR\r\n")
    occurrences = list(recurring_ical_events.of(calendar).between(start, end))
    found = happens_between(*build(lines), int(start.timestamp()), int(end.timestamp()), UTC)
    assert found == bool(occurrences)


@pytest.mark.parametrize("path", CALENDARS, ids=lambda path: path.stem[-40:])
def test_every_stored_object_can_be_queried(path: Path) -> None:
    try:
        (calendar,) = contentlines.parse(path.read_bytes().decode("utf-8"))
    except (IcalendarSyntaxError, UnicodeDecodeError, ValueError):
        return
    own = vtimezones_of(calendar)
    objects: dict[tuple[str, str], list[Component]] = {}
    for child in calendar.children:
        if child.name != "VTIMEZONE":
            objects.setdefault((child.name, child.value("UID")), []).append(child)
    for parts in objects.values():
        try:
            time_bounds(parts, own)
        except ObjectRefusedError:
            continue
        found = occurrences_of(parts, own, NOW)
        assert len(found.found) <= KEPT
        if found.covered_from is None and (found.covered_until or FOREVER) > NOW:
            assert happens_between(parts, own, None, NOW, UTC) == any(
                o.start < NOW for o in found.found
            )
