"""Objects as reports ask for them: expanded, limited, in part (RFC 4791 sections 9.6 and 7.10)."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.common.budget import REQUEST_STEPS, Budget
from kalends.errors import BudgetSpentError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.instances import components_between, instances_between
from kalends.ical.recurrence.occurrences import happens_between
from kalends.ical.retrieval.expand import expand
from kalends.ical.retrieval.free_busy import (
    BusyPeriod,
    busy_periods,
    free_busy_calendar,
    merge_periods,
)
from kalends.ical.retrieval.limit import limit_freebusy_set, limit_recurrence_set
from kalends.ical.retrieval.partial import ComponentSelection, select_lines, select_parts
from kalends.ical.timezones.resolve import vtimezones_of
from support.expansions import FROM, UNTIL, Occurrences, expand_with_icalendar
from support.randomcalendars import BERLIN, RandomObject, random_objects
from support.samples import calendar, card, component

NEW_YORK = ZoneInfo("America/New_York")


def seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp())


JUNE = seconds("20260601T000000Z"), seconds("20260701T000000Z")


def parsed(text: str) -> Component:
    (found,) = contentlines.parse(text)
    return found


def expanded(
    text: str, start: int = JUNE[0], end: int = JUNE[1], steps: int = REQUEST_STEPS
) -> str:
    """Return the expansion of an object as text without folds; times without zone are in UTC."""
    made = expand(parsed(text), start, end, UTC, Budget(steps), lambda: None)
    return contentlines.serialize([made]).decode().replace("\r\n ", "")


def instances(text: str) -> list[list[str]]:
    """Return the lines with times of each instance in an expansion."""
    return [
        [line for line in part.splitlines() if re.match("DT(START|END)|DUE|DURATION|RECUR", line)]
        for part in re.findall(r"BEGIN:V(?:EVENT|TODO|JOURNAL)\r\n(.*?)END:V", text, re.DOTALL)
    ]


def series(*lines: str, zone: str = "", more: str = "") -> str:
    return calendar(component("VEVENT", "u", *lines, "SUMMARY:S"), more, extra=zone)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param(
            series("DTSTART;TZID=Europe/Berlin:20260601T100000", "DURATION:PT1H", zone=BERLIN),
            [["DTSTART:20260601T080000Z", "DURATION:PT1H"]],
            id="one event with a zone is in UTC",
        ),
        pytest.param(
            series(
                "DTSTART;TZID=Europe/Berlin:20260526T100000",
                "DTEND;TZID=Europe/Berlin:20260526T110000",
                "RRULE:FREQ=WEEKLY;COUNT=3",
                "EXDATE;TZID=Europe/Berlin:20260602T100000",
                zone=BERLIN,
            ),
            [
                [
                    "DTSTART:20260609T080000Z",
                    "DTEND:20260609T090000Z",
                    "RECURRENCE-ID:20260609T080000Z",
                ]
            ],
            id="a series in a zone",
        ),
        pytest.param(
            series("DTSTART:20260601T090000", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2"),
            [
                ["DTSTART:20260601T090000", "DURATION:PT1H", "RECURRENCE-ID:20260601T090000"],
                ["DTSTART:20260602T090000", "DURATION:PT1H", "RECURRENCE-ID:20260602T090000"],
            ],
            id="floating times stay floating",
        ),
        pytest.param(
            series("DTSTART;VALUE=DATE:20260629", "RRULE:FREQ=DAILY", "EXDATE;VALUE=DATE:20260629"),
            [["DTSTART;VALUE=DATE:20260630", "RECURRENCE-ID;VALUE=DATE:20260630"]],
            id="days stay days",
        ),
        pytest.param(
            series("DTSTART:20260601T090000Z", "DURATION:PT1H", "RDATE:20260603T120000Z"),
            [
                ["DTSTART:20260603T120000Z", "DURATION:PT1H", "RECURRENCE-ID:20260603T120000Z"],
                ["DTSTART:20260601T090000Z", "DURATION:PT1H", "RECURRENCE-ID:20260601T090000Z"],
            ],
            id="RDATE alone",
        ),
        pytest.param(
            series(
                *("DTSTART:20260601T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=2"),
                *("RDATE:20260602T090000Z,20260602T090000Z", "RDATE:20260601T090000Z"),
            ),
            [
                ["DTSTART:20260602T090000Z", "DURATION:PT1H", "RECURRENCE-ID:20260602T090000Z"],
                ["DTSTART:20260601T090000Z", "DURATION:PT1H", "RECURRENCE-ID:20260601T090000Z"],
            ],
            id="an instance that RRULE and RDATE name is one",
        ),
        pytest.param(
            series(
                "DTSTART:20260501T090000Z",
                "DURATION:PT1H",
                "RDATE;VALUE=PERIOD:20260603T120000Z/PT3H",
            ),
            [
                [
                    "DTSTART:20260603T120000Z",
                    "DTEND:20260603T150000Z",
                    "RECURRENCE-ID:20260603T120000Z",
                ]
            ],
            id="a period has its own end",
        ),
        pytest.param(
            series(
                *("RECURRENCE-ID:20260608T090000Z", "DTSTART:20260608T150000Z"),
                "DTEND:20260608T160000Z",
            ),
            [
                [
                    "RECURRENCE-ID:20260608T090000Z",
                    "DTSTART:20260608T150000Z",
                    "DTEND:20260608T160000Z",
                ]
            ],
            id="an override without a master",
        ),
        pytest.param(
            series(
                *(
                    "DTSTART:20260601T090000Z",
                    "DTEND:20260601T100000Z",
                    "RRULE:FREQ=WEEKLY;COUNT=3",
                ),
                more=component(
                    "VEVENT",
                    "u",
                    "RECURRENCE-ID;RANGE=THISANDFUTURE:20260608T090000Z",
                    "DTSTART:20260608T110000Z",
                    "DTEND:20260608T113000Z",
                ),
            ),
            [
                [
                    "RECURRENCE-ID:20260608T090000Z",
                    "DTSTART:20260608T110000Z",
                    "DTEND:20260608T113000Z",
                ],
                [
                    "DTSTART:20260601T090000Z",
                    "DTEND:20260601T100000Z",
                    "RECURRENCE-ID:20260601T090000Z",
                ],
                [
                    "DTSTART:20260615T110000Z",
                    "DTEND:20260615T113000Z",
                    "RECURRENCE-ID:20260615T090000Z",
                ],
            ],
            id="THISANDFUTURE moves what follows",
        ),
        pytest.param(
            calendar(component("VTODO", "u", "DUE:20260602T090000Z", "RRULE:FREQ=DAILY;COUNT=2")),
            [
                ["DUE:20260602T090000Z", "RECURRENCE-ID:20260602T090000Z"],
                ["DUE:20260603T090000Z", "RECURRENCE-ID:20260603T090000Z"],
            ],
            id="a task that is due again",
        ),
        pytest.param(
            series("DTSTART:20260601T090000Z", "RRULE:FREQ=WEEKLY;BYDAY=TU;COUNT=2"),
            [
                ["DTSTART:20260601T090000Z", "RECURRENCE-ID:20260601T090000Z"],
                ["DTSTART:20260602T090000Z", "RECURRENCE-ID:20260602T090000Z"],
            ],
            id="DTSTART that the rule does not make",
        ),
        pytest.param(series("DTSTART:20260801T090000Z"), [], id="nothing in the range"),
    ],
)
def test_an_expansion_has_the_instances_of_the_range(text: str, found: list[list[str]]) -> None:
    made = expanded(text)
    assert instances(made) == found
    assert not re.search("RRULE|RDATE|EXDATE|TZID|VTIMEZONE", made)


def test_an_expansion_keeps_all_else() -> None:
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM"
    made = expanded(series("DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY;COUNT=2", "X-A:b", alarm))
    assert made.count("SUMMARY:S") == made.count("X-A:b") == made.count("TRIGGER:-PT5M") == 2
    assert made.count("PRODID:-//Kalends tests//EN") == 1


def test_times_of_a_zone_that_nobody_knows_stay_without_it() -> None:
    made = expanded(series("DTSTART;TZID=Nowhere:20260602T090000", "RRULE:FREQ=DAILY;COUNT=1"))
    assert instances(made) == [["DTSTART:20260602T090000", "RECURRENCE-ID:20260602T090000"]]


def test_an_undated_task_is_expanded_to_itself() -> None:
    made = expanded(calendar(component("VTODO", "u", "SUMMARY:Some day")))
    assert "SUMMARY:Some day" in made


def occurrences_of(source: RandomObject) -> Occurrences:
    start = int(datetime(FROM.year, 1, 1, tzinfo=UTC).timestamp())
    end = int(datetime(UNTIL.year, 1, 1, tzinfo=UTC).timestamp())
    return expand_with_icalendar(
        re.sub("RECURRENCE-ID.*\r\n", "", _with_own_uids(expanded(source.text("u"), start, end)))
    )


def _with_own_uids(text: str) -> str:
    """Return the text of instances as events of their own, so that no reader joins them."""
    numbers = iter(range(text.count("UID:u") + 1))
    return re.sub("UID:u", lambda _: f"UID:{next(numbers)}", text)


@settings(max_examples=40)
@given(random_objects)
def test_an_expansion_has_the_occurrences_that_another_reader_finds(source: RandomObject) -> None:
    text = source.text("u")
    expected = expand_with_icalendar(text)
    zoned = source.zone in ("berlin", "here", "there", "secret", "utc")
    ours: Occurrences = Counter()
    for (start, end, summary), times in occurrences_of(source).items():
        assert start.endswith("Z") is zoned
        ours[start, end, summary] += times
    assert ours == expected


@given(random_objects, st.integers(-5, 430), st.integers(1, 400))
def test_the_components_of_a_range_are_those_of_its_instances(
    source: RandomObject, day: int, hours: int
) -> None:
    top = parsed(source.text("u"))
    parts = [child for child in top.children if child.name == "VEVENT"]
    start = seconds("20260101T000000Z") + day * 86400
    place = (parts, vtimezones_of(top), start, start + hours * 3600, NEW_YORK)
    components = components_between(*place, Budget())
    described = [instance.component for instance in instances_between(*place, Budget())]
    assert {id(part) for part in components} == {id(part) for part in described}
    assert bool(components) is happens_between(*place)


def test_an_expansion_is_bounded_by_its_steps() -> None:
    hourly = series("DTSTART:00010101T000000Z", "RRULE:FREQ=HOURLY")
    assert len(instances(expanded(hourly, JUNE[0], JUNE[0] + 7200))) == 2
    with pytest.raises(BudgetSpentError):
        expanded(hourly, seconds("00010101T000000Z"), seconds("99991231T000000Z"), 100_000)
    long = series("DTSTART:20260101T000000Z", "RRULE:FREQ=DAILY", f"COMMENT:{'x' * 100_000}")
    with pytest.raises(BudgetSpentError):
        expanded(long, steps=100_000)


def overridden(*overrides: tuple[str, str]) -> str:
    parts = [
        component("VEVENT", "u", f"RECURRENCE-ID{at}", f"DTSTART:{to}", "DURATION:PT1H")
        for at, to in overrides
    ]
    lines = ("DTSTART:20260101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    return series(*lines, more="".join(parts))


@pytest.mark.parametrize(
    ("recurrence_id", "start", "kept"),
    [
        (":20260610T090000Z", "20260610T120000Z", True),
        (":20260510T090000Z", "20260610T120000Z", True),
        (":20260610T090000Z", "20260710T120000Z", True),
        (":20260510T090000Z", "20260511T120000Z", False),
        (":20260801T090000Z", "20260801T120000Z", False),
        (";RANGE=THISANDFUTURE:20260510T090000Z", "20260510T120000Z", True),
        (";RANGE=THISANDFUTURE:20260801T090000Z", "20260801T120000Z", False),
    ],
)
def test_overrides_that_do_not_affect_the_range_are_left_out(
    recurrence_id: str, start: str, kept: bool
) -> None:
    """RFC 4791 section 9.6.6: those that are in it, and those that were moved out of it."""
    whole = parsed(overridden((recurrence_id, start)))
    limited = limit_recurrence_set(whole, *JUNE, UTC)
    assert limited.children[0] is whole.children[0]
    assert (len(limited.children) == 2) is kept


def test_periods_outside_of_the_range_are_left_out() -> None:
    periods = "20260501T090000Z/PT1H,20260610T090000Z/20260610T100000Z"
    busy = parsed(calendar(component("VFREEBUSY", "u", f"FREEBUSY:{periods}")))
    (limited,) = limit_freebusy_set(busy, *JUNE).children
    assert limited.value("FREEBUSY") == "20260610T090000Z/20260610T100000Z"


def test_a_selection_has_the_named_components_and_properties() -> None:
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM"
    whole = parsed(series("DTSTART;TZID=Europe/Berlin:20260601T100000", alarm, zone=BERLIN))
    event = ComponentSelection("VEVENT", {"SUMMARY": False, "DTSTART": True}, {})
    selected = select_parts(whole, ComponentSelection("VCALENDAR", {}, {"VEVENT": event}))
    assert list(selected.lines()) == [
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "DTSTART;TZID=Europe/Berlin:",
        "SUMMARY:S",
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    everything = ComponentSelection("VCALENDAR")
    assert list(select_parts(whole, everything).lines()) == list(whole.lines())


def test_a_card_is_reduced_to_the_named_lines_as_they_were_stored() -> None:
    folded = "NOTE:" + "long " * 10 + "\r\n  and longer\r\n"
    more = folded + "item1.EMAIL;TYPE=HOME:a@example.org\r\nPHOTO:" + "A\r\n " * 50 + "\r\nEND"
    whole = card("u", "Ann").replace("END", more)
    lines = select_lines(whole.encode(), {"NOTE": False, "EMAIL": False, "FN": True}).decode()
    assert lines == (
        f"BEGIN:VCARD\r\nFN:\r\n{folded}item1.EMAIL;TYPE=HOME:a@example.org\r\nEND:VCARD\r\n"
    )


def busy(*events: str, start: int = JUNE[0], end: int = JUNE[1]) -> list[tuple[str, str, str]]:
    zone = NEW_YORK
    found: list[BusyPeriod] = []
    for text in events:
        found += busy_periods(text.encode(), start, end, zone, Budget(), lambda: None)

    def time(second: int) -> str:
        return f"{datetime.fromtimestamp(second, UTC):%d %H:%M}"

    return [(kind, time(begin), time(finish)) for kind, begin, finish in merge_periods(found)]


def timed(start: str, length: str, *more: str) -> str:
    return series(f"DTSTART{start}", f"DURATION:{length}", *more)


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([timed(":20260602T090000Z", "PT1H")], [("BUSY", "02 09:00", "02 10:00")]),
        ([timed(":20260602T090000Z", "PT1H", "TRANSP:TRANSPARENT")], []),
        ([timed(":20260602T090000Z", "PT1H", "STATUS:CANCELLED")], []),
        (
            [timed(":20260602T090000Z", "PT1H", "STATUS:TENTATIVE")],
            [("BUSY-TENTATIVE", "02 09:00", "02 10:00")],
        ),
        (
            [timed(":20260602T090000Z", "PT1H"), timed(":20260602T093000Z", "PT1H")],
            [("BUSY", "02 09:00", "02 10:30")],
        ),
        (
            [timed(":20260602T090000Z", "PT1H"), timed(":20260602T100000Z", "PT1H")],
            [("BUSY", "02 09:00", "02 11:00")],
        ),
        ([timed(":20260531T230000Z", "PT2H")], [("BUSY", "01 00:00", "01 01:00")]),
        ([timed(":20260602T090000", "PT1H")], [("BUSY", "02 13:00", "02 14:00")]),
        ([timed(";VALUE=DATE:20260602", "P1D")], [("BUSY", "02 04:00", "03 04:00")]),
        ([series("DTSTART;VALUE=DATE:20260602")], [("BUSY", "02 04:00", "03 04:00")]),
        ([series("DTSTART:20260602T090000Z")], []),
        (
            [timed(":20260528T090000Z", "PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")],
            [("BUSY", "04 09:00", "04 10:00")],
        ),
        ([calendar(component("VTODO", "u", "DTSTART:20260602T090000Z", "DURATION:PT1H"))], []),
        (["BEGIN:VCALENDAR\r\nnonsense"], []),
    ],
)
def test_busy_times_follow_status_and_transparency(
    events: list[str], found: list[tuple[str, str, str]]
) -> None:
    assert busy(*events) == found


def test_the_answer_to_a_free_busy_query_has_no_more_than_the_periods() -> None:
    periods = [BusyPeriod("BUSY", JUNE[0], JUNE[0] + 3600)]
    text = free_busy_calendar(periods, *JUNE, "alice/calendar", JUNE[0]).decode()
    lines = [line for line in text.splitlines() if not line.startswith("UID:")]
    assert lines == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Kalends//Free-busy//EN",
        "BEGIN:VFREEBUSY",
        "DTSTAMP:20260601T000000Z",
        "DTSTART:20260601T000000Z",
        "DTEND:20260701T000000Z",
        "FREEBUSY;FBTYPE=BUSY:20260601T000000Z/20260601T010000Z",
        "END:VFREEBUSY",
        "END:VCALENDAR",
    ]
