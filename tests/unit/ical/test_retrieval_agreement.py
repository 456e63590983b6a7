"""expand and limit-recurrence-set against two other readers, ical.js and recurring_ical_events.

Where a reader differs, the difference is listed with the sentence of RFC 5545 that decides.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kalends.common.budget import REQUEST_STEPS, Budget
from kalends.errors import ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.retrieval.expand import expand
from kalends.ical.retrieval.limit import limit_recurrence_set
from kalends.ical.split import split_file
from kalends.ical.values import read_duration, read_time
from support.expansions import FROM, UNTIL, IcalJs, Occurrences, expand_with_icalendar
from support.randomcalendars import BERLIN
from support.randomseries import Series, random_series
from support.samples import calendar, component

Reader = Callable[[str], Occurrences]
LONG_AGO, LATER = dt.date(1990, 1, 1), dt.date(2030, 1, 1)
FILES = Path(__file__).resolve().parents[2] / "data" / "ics"


class Difference(NamedTuple):
    """Something that a reader reads in its own way.

    Attributes:
        reader: its name.
        features: those of the series that have it, all together.
        sentence: the section of RFC 5545 that decides, and what it says.
        lines: of an event, whose occurrences the reader finds otherwise.
        starts: the starts of these occurrences.
    """

    reader: str
    features: frozenset[str]
    sentence: str
    lines: tuple[str, ...]
    starts: tuple[str, ...]
    more: str = ""


DIFFERENCES = (
    Difference(
        "icalendar",
        frozenset({"DTSTART is not of the rule", "ends COUNT=6"}),
        "3.3.10, COUNT: DTSTART counts as the first occurrence",
        ("DTSTART:20260525T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2"),
        ("2026-05-25T09:00:00Z", "2026-05-26T09:00:00Z"),
    ),
    Difference(
        "icalendar",
        frozenset({"RDATE date"}),
        "3.8.5.2: a DATE is one of its types; 3.6.1: an event on a DATE is all day",
        ("DTSTART:20260525T090000Z", "RDATE;VALUE=DATE:20260527"),
        ("2026-05-25T09:00:00Z", "2026-05-27"),
    ),
    Difference(
        "icalendar",
        frozenset({"THISANDFUTURE", "RDATE period"}),
        "3.8.4.4: a changed duration is that of all subsequent instances, too",
        ("DTSTART:20260525T090000Z", "RRULE:FREQ=WEEKLY;COUNT=2",
         "RDATE;VALUE=PERIOD:20260603T090000Z/PT5H"),
        ("2026-05-25T09:00:00Z", "2026-06-01T09:00:00Z", "2026-06-03T09:00:00Z"),
        component("VEVENT", "u", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260601T090000Z",
                  "DTSTART:20260601T090000Z", "DURATION:PT1H"),
    ),
    Difference(
        "ical.js",
        frozenset({"DTSTART is not of the rule"}),
        "3.8.5.3: DTSTART defines the first instance of the set",
        ("DTSTART:20260525T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;UNTIL=20260530T000000Z"),
        ("2026-05-25T09:00:00Z", "2026-05-26T09:00:00Z"),
    ),
    Difference(
        "ical.js",
        frozenset({"RDATE alone"}),
        "3.8.5.2: the set comes of DTSTART together with RRULE, RDATE and EXDATE",
        ("DTSTART:20260525T090000Z", "RDATE:20260527T090000Z"),
        ("2026-05-25T09:00:00Z", "2026-05-27T09:00:00Z"),
    ),
    Difference(
        "ical.js",
        frozenset({"RDATE of the rule"}),
        "3.8.5.2: of duplicate instances only one is considered",
        ("DTSTART:20260525T090000Z", "RRULE:FREQ=DAILY;COUNT=2", "RDATE:20260526T090000Z"),
        ("2026-05-25T09:00:00Z", "2026-05-26T09:00:00Z"),
    ),
    Difference(
        "ical.js",
        frozenset({"RDATE period"}),
        "3.8.5.2: a PERIOD is one of its types",
        ("DTSTART:20260525T090000Z", "RDATE;VALUE=PERIOD:20260527T090000Z/PT1H"),
        ("2026-05-25T09:00:00Z", "2026-05-27T09:00:00Z"),
    ),
    Difference(
        "ical.js",
        frozenset({"RDATE date"}),
        "3.8.5.2: a DATE is one of its types; 3.6.1: an event on a DATE is all day",
        ("DTSTART:20260525T090000Z", "RRULE:FREQ=DAILY;COUNT=1", "RDATE;VALUE=DATE:20260527"),
        ("2026-05-25T09:00:00Z", "2026-05-27"),
    ),
    Difference(
        "ical.js",
        frozenset({"EXDATE of nothing"}),
        "3.8.5.1: the set is generated, and then each given time is excluded",
        ("DTSTART:20260525T090000Z", "RRULE:FREQ=WEEKLY;COUNT=3", "EXDATE:20260527T090000Z",
         "EXDATE:20260601T090000Z"),
        ("2026-05-25T09:00:00Z", "2026-06-08T09:00:00Z"),
    ),
    Difference(
        "ical.js",
        frozenset({"THISANDFUTURE", "RECURRENCE-ID utc"}),
        "3.8.4.4: the changes apply to the instances from the named one on, in any zone",
        ("DTSTART;TZID=Europe/Berlin:20260525T090000", "RRULE:FREQ=WEEKLY;COUNT=3"),
        ("2026-05-25T07:00:00Z", "2026-06-01T08:00:00Z", "2026-06-08T08:00:00Z"),
        component("VEVENT", "u", "RECURRENCE-ID;RANGE=THISANDFUTURE:20260601T070000Z",
                  "DTSTART;TZID=Europe/Berlin:20260601T100000"),
    ),
    *(
        Difference(
            "ical.js",
            frozenset({f"zone {kind}"}),
            "3.2.19: a TZID needs a VTIMEZONE; without one it means what its name says",
            (f"DTSTART;TZID={name}:20260525T090000",),
            (start,),
        )
        for kind, name, start in (
            ("iana undefined", "America/New_York", "2026-05-25T13:00:00Z"),
            ("windows undefined", "W. Europe Standard Time", "2026-05-25T07:00:00Z"),
        )
    ),
)  # fmt: skip

# Files that a reader cannot read, or in which it finds other occurrences, and why.
OTHER_FILES = {
    "icalendar": {
        "its zones fail: several RDATEs": {
            "america_new_york_forward_reference.ics",
            "fuzzing__corpus__america_new_york.ics",
            "fuzzing__corpus__pacific_fiji.ics",
            "pacific_fiji.ics",
        },
        "3.8.5.2: a PERIOD of two DATEs": {
            "issue_1633_rdate_with_dates.ics",
            "issue_1633_rdate_with_dates_and_tzid.ics",
        },
    },
    "ical.js": {
        "3.2.19: a TZID without a VTIMEZONE": {
            "issue_1081_tzid_param.ics",
            "issue_156_RDATE_with_PERIOD_TZID_khal.ics",
            "issue_313_globally_unique_tzid.ics",
            "issue_466_convert_tzid_with_slash.ics",
        },
        "3.8.5.2: a PERIOD": {
            "issue_1426.ics",
            "issue_1633_rdate_with_dates.ics",
            "issue_1633_rdate_with_dates_and_tzid.ics",
            "issue_722_missing_timezones.ics",
            "period_with_timezone.ics",
            "rfc_7265_appendix_example_2_ical.ics",
        },
        "3.3.5: a DATE without VALUE=DATE": {"example.ics", "rfc_7265_appendix_example_1_ical.ics"},
    },
}


@pytest.fixture(scope="module")
def ical_js() -> Iterator[Reader]:
    with IcalJs() as reader:
        yield reader


def parsed(text: str) -> Component:
    (found,) = contentlines.parse(text)
    return found


def second(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp())


def expanded(text: str, first: dt.date = FROM, until: dt.date = UNTIL) -> Occurrences:
    """Return the occurrences that our expansion of an object states."""
    budget = Budget(REQUEST_STEPS)
    made = expand(parsed(text), second(first), second(until), dt.UTC, budget, lambda: None)
    found: Occurrences = Counter()
    for part in made.children:
        begin = part.all("DTSTART")[0]
        start, utc = read_time(begin, {}), begin.value.endswith("Z")
        if finish := part.first("DTEND"):
            end = read_time(finish, {}).local
        elif length := part.first("DURATION"):
            end = start.local + read_duration(length)
        else:
            end = start.local + dt.timedelta(days=start.is_day)
        stated = [
            f"{time:%Y-%m-%d}" if start.is_day else f"{time:%Y-%m-%dT%H:%M:%S}{'Z' * utc}"
            for time in (start.local, end)
        ]
        if first.isoformat() <= stated[0] < until.isoformat():
            found[stated[0], stated[1], contentlines.unescape(part.value("SUMMARY"))] += 1
    return found


def is_read_alike(reader: str, series: Series) -> bool:
    return not any(
        other.reader == reader and other.features <= series.features for other in DIFFERENCES
    )


@settings(max_examples=50)
@given(random_series)
def test_an_expansion_has_the_occurrences_that_icalendar_finds(series: Series) -> None:
    assume(is_read_alike("icalendar", series))
    assert expanded(series.text()) == expand_with_icalendar(series.text())


def test_an_expansion_has_the_occurrences_that_ical_js_finds(ical_js: Reader) -> None:
    @settings(max_examples=150)
    @given(random_series)
    def run(series: Series) -> None:
        assume(is_read_alike("ical.js", series))
        assert expanded(series.text()) == ical_js(series.text())

    run()


def in_window(found: Occurrences, first: dt.date, until: dt.date) -> Occurrences:
    """Return the occurrences in a time range; floating times and days are in UTC."""

    def second_of(text: str) -> str:
        return (text if "T" in text else f"{text}T00:00:00").removesuffix("Z")

    begins, ends = second_of(first.isoformat()), second_of(until.isoformat())
    return Counter(
        {
            (start, end, summary): times
            for (start, end, summary), times in found.items()
            if second_of(start) < ends and (second_of(end) > begins or second_of(start) >= begins)
        }
    )


def test_limited_overrides_leave_the_occurrences_of_the_range(ical_js: Reader) -> None:
    """RFC 4791 section 9.6.6: what is left out does not affect the range."""

    @settings(max_examples=100)
    @given(random_series, st.integers(-20, 5), st.integers(1, 30))
    def run(series: Series, day: int, length: int) -> None:
        assume(series.changes)
        moved = series.start.date() + dt.timedelta(days=series.changes[0].place)
        first = moved + dt.timedelta(days=day)
        until = first + dt.timedelta(days=length)
        text = series.text()
        whole = parsed(text)
        limited = limit_recurrence_set(whole, second(first), second(until), dt.UTC)
        left = contentlines.serialize([limited]).decode()
        for name, reader in (("ical.js", ical_js), ("icalendar", expand_with_icalendar)):
            if is_read_alike(name, series) and limited.children != whole.children:
                if not any(child.name == "VEVENT" for child in limited.children):
                    assert not in_window(reader(text), first, until)
                    continue
                assert in_window(reader(left), first, until) == in_window(
                    reader(text), first, until
                )

    run()


@pytest.mark.parametrize("other", DIFFERENCES, ids=lambda d: f"{d.reader} {sorted(d.features)}")
def test_each_listed_difference_is_one(other: Difference, ical_js: Reader) -> None:
    zone = BERLIN if "Europe/Berlin" in other.lines[0] else ""
    text = calendar(component("VEVENT", "u", *other.lines), other.more, extra=zone)
    ours = expanded(text)
    assert sorted(start for start, _, _ in ours.elements()) == sorted(other.starts)
    try:
        theirs = expand_with_icalendar(text) if other.reader == "icalendar" else ical_js(text)
    except AssertionError:  # it fails
        theirs = Counter()
    assert theirs != ours


def objects_of(path: Path) -> list[str]:
    try:
        whole = split_file(path.read_bytes())
    except ObjectRefusedError:
        return []
    return [found.data.decode() for found in whole.objects if found.component == "VEVENT"]


@pytest.mark.parametrize("name", ["icalendar", "ical.js"])
def test_real_calendars_are_expanded_alike(name: str) -> None:
    others = set().union(*OTHER_FILES[name].values())
    compared = 0
    with IcalJs(LONG_AGO, LATER) as ical_js:
        for path in sorted(FILES.glob("*.ics")):
            if path.name in others:
                continue
            for text in objects_of(path):
                ours = expanded(text, LONG_AGO, LATER)
                if name == "icalendar":
                    theirs = expand_with_icalendar(text, LONG_AGO, LATER)
                else:
                    theirs = ical_js(text)
                assert ours == theirs, path.name
                compared += bool(ours)
    assert compared >= 40


@given(random_series)
def test_an_expansion_names_each_instance_once(series: Series) -> None:
    """RFC 4791 section 9.6.5: each has a RECURRENCE-ID of its own."""
    budget = Budget(REQUEST_STEPS)
    whole = parsed(series.text())
    made = expand(whole, second(FROM), second(UNTIL), dt.UTC, budget, lambda: None)
    named = Counter(part.value("RECURRENCE-ID") for part in made.children)
    assert all(times == 1 for times in named.values())
    text = contentlines.serialize([made]).decode()
    assert not re.search("RRULE|RDATE|EXDATE|TZID|RANGE|VTIMEZONE", text)
