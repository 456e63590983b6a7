"""Calendar objects that cost much for their size: refused, or cheap for everybody, for ever."""

from __future__ import annotations

import cProfile
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.common.budget import OBJECT_STEPS, USUAL_STEPS, Budget
from kalends.errors import BudgetSpentError, ObjectRefusedError
from kalends.feeds.compose.select import select_visible
from kalends.feeds.definitions.model import Rules
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.index import has_duplicate_starts, matches_time_range
from kalends.ical.recurrence.occurrences import occurrences_between
from kalends.ical.retrieval.free_busy import busy_periods
from kalends.ical.timezones.resolve import iana_zone, is_readable_vtimezone, vtimezones_of
from kalends.ical.validate import CalendarObject, read_calendar_object, read_card
from kalends.store.objects.read import ObjectRow
from support import nasty

MOMENTS = [
    int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) for year in (1, 1970, 2026, 2199, 9998)
]
MONTH = 31 * 86400
RULES = (Rules("a", "busy", past=30), Rules("b", "hide"), Rules("c", "show", alarms=True))


def read(data: bytes) -> CalendarObject | None:
    """Return an object as a PUT stores it, or None if it is refused."""
    try:
        return read_calendar_object(data)
    except ObjectRefusedError:
        return None


def row_of(data: bytes, component: str) -> ObjectRow:
    return ObjectRow(1, 1, "a.ics", "nasty", "", "VCALENDAR", component, 0, len(data), data)


def readers(stored: CalendarObject, moments: Iterable[int]) -> Iterable[Callable[[Budget], object]]:
    """Return all that reads an object later, each with the budget that it may spend."""
    (top,) = contentlines.parse(stored.data.decode())
    parts = [child for child in top.children if child.name != "VTIMEZONE"]
    zones, data = vtimezones_of(top), stored.data
    row = row_of(data, stored.component)
    for start in moments:
        end = start + MONTH
        yield partial(matches_time_range, data, start, end, UTC)
        yield partial(has_duplicate_starts, data, start, end, UTC)
        yield partial(occurrences_between, parts, zones, start, end, UTC)
    for rules in RULES:
        yield partial(select_visible, [row], {1: "a/b"}, rules, date(2026, 6, 1))


def assert_cheap_for_readers(stored: CalendarObject, moments: Iterable[int] = MOMENTS) -> None:
    """Run all readers; one that has to give up raises, or leaves the object out."""
    for reader in readers(stored, moments):
        found = reader(Budget(OBJECT_STEPS))
        assert not getattr(found, "unreadable", ())


@pytest.mark.parametrize("kind", [*nasty.ZONES, *nasty.SERIES])
def test_each_costs_little_work_to_store_and_to_read(kind: str) -> None:
    data = nasty.KINDS[kind]()
    with cProfile.Profile() as profile:  # counts calls: durations depend on the machine
        stored = read(data)
        if stored is not None:
            assert_cheap_for_readers(stored)
    assert sum(entry.callcount for entry in profile.getstats()) < 8_000_000


@pytest.mark.parametrize("kind", nasty.TEXTS)
def test_no_text_takes_memory_by_the_gigabyte(kind: str) -> None:
    data = nasty.KINDS[kind]()
    tracemalloc.start()
    try:
        read(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000_000


@pytest.mark.parametrize(
    "rule",
    [
        "YEARLY;BYWEEKNO=53,-53;BYYEARDAY=366;BYDAY=5TH",
        "YEARLY;BYWEEKNO=53;BYDAY=MO,TU,WE,TH,FR,SA,SU",
        "DAILY;BYMONTHDAY=31;BYYEARDAY=-366;BYWEEKNO=53",
        "HOURLY;BYMONTHDAY=30;BYYEARDAY=366;BYWEEKNO=53",
        "MINUTELY;BYWEEKNO=1,2,3,4,5,6,7,8,9;BYDAY=MO,TU,WE",
        f"DAILY;BYSETPOS={','.join(map(str, range(2, 367)))}",
        "MONTHLY;BYDAY=-5SU;BYMONTHDAY=31;BYWEEKNO=53",
    ],
)
def test_a_step_stands_for_equally_little_work_in_each_rule(rule: str) -> None:
    (top,) = contentlines.parse(
        nasty.calendar(nasty.event("DTSTART:20260601T100000Z", f"RRULE:FREQ={rule}")).decode()
    )
    budget = Budget(50_000)
    with cProfile.Profile() as profile:
        occurrences_between(top.children, {}, MOMENTS[0], MOMENTS[4], UTC, budget)
    assert sum(entry.callcount for entry in profile.getstats()) < 7 * budget.spent


REFUSED = {
    "80,000 observances": "C:max-resource-size",
    "300,000 dates": "C:valid-calendar-data",
    "many zones": "C:max-instances",
    "a million weekdays": "C:valid-calendar-data",
    "500,000 EXDATEs": "C:max-instances",
    "30,000 overrides of all that follow": "C:max-resource-size",
    "each second of a year": "C:max-instances",
    "50,000 names of zones": "C:valid-calendar-data",
    "9 million commas": "C:max-resource-size",
    "a UID of 8 megabytes": "C:valid-calendar-data",
}


@pytest.mark.parametrize(("kind", "precondition"), REFUSED.items())
def test_a_refusal_names_the_limit(kind: str, precondition: str) -> None:
    with pytest.raises(ObjectRefusedError) as caught:
        read_calendar_object(nasty.KINDS[kind]())
    assert caught.value.precondition == precondition


def test_too_many_attendees_alarms_and_overrides_are_refused() -> None:
    start = "DTSTART:20260601T100000Z"
    people = [f"ATTENDEE:mailto:{n}@example.org" for n in range(20_001)]
    alarm = "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:PT0S\r\nEND:VALARM"
    moved = [nasty.event(f"RECURRENCE-ID:{day}", start) for day in nasty.days(5_001)]
    for parts, precondition in (
        ([nasty.event(start, *people)], "C:max-attendees-per-instance"),
        ([nasty.event(start, *[alarm] * 1_001)], "C:valid-calendar-data"),
        ([nasty.event(start), *moved], "C:max-instances"),
    ):
        with pytest.raises(ObjectRefusedError) as caught:
            read_calendar_object(nasty.calendar(*parts))
        assert caught.value.precondition == precondition


def test_many_lines_beside_many_instances_do_not_multiply() -> None:
    scanned = Component.first.__code__
    dates = [f"RDATE:{day}" for day in nasty.days(2_000, 2026)]
    times = ["DTSTART:20260601T100000Z", "DURATION:PT1H"]
    data = nasty.calendar(nasty.event(*["X-A:x"] * 2_000, *dates, *times))
    with cProfile.Profile() as profile:
        found = list(busy_periods(data, 0, 1 << 33, UTC, Budget(), lambda: None))
    assert len(found) >= 2_000
    looks = [entry.callcount for entry in profile.getstats() if entry.code is scanned]
    assert sum(looks) < 100  # each goes through all lines


# --- what people have --------------------------------------------------------------------------


def attachment(octets: int) -> str:
    return contentlines.fold(
        "ATTACH;ENCODING=BASE64;VALUE=BINARY:" + "QUJD" * (octets // 4)
    ).decode()


def people_have() -> dict[str, bytes]:
    start, daily = "DTSTART:20260601T100000Z", "RRULE:FREQ=DAILY"
    days = list(nasty.days(20_000, 2027))
    alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nEND:VALARM"
    detail = [start, "DTEND:20260601T110000Z", "SUMMARY:moved", *[f"X-{n}:x" for n in range(9)]]
    return {
        "2,000 overrides": nasty.calendar(
            nasty.event(start, daily),
            *(nasty.event(f"RECURRENCE-ID:{day}", *detail, alarm) for day in days[:2000]),
        ),
        "20,000 EXDATEs": nasty.calendar(
            nasty.event(start, daily, "EXDATE:" + ",".join(days))
        ),
        "20,000 lines of EXDATE": nasty.calendar(
            nasty.event(start, daily, *(f"EXDATE:{day}" for day in days))
        ),
        "3,000 attendees": nasty.calendar(
            nasty.event(start, *(f"ATTENDEE;CN=N{n}:mailto:n{n}@example.org" for n in range(3000)))
        ),
        "an attachment of 8 MB": nasty.calendar(
            nasty.event(start, "SUMMARY:\U0001f600", attachment(8_000_000).rstrip())
        ),
    }  # fmt: skip


@pytest.mark.parametrize("what", people_have())
def test_what_people_have_is_stored_and_read(what: str) -> None:
    stored = read_calendar_object(people_have()[what])
    assert_cheap_for_readers(stored, MOMENTS[2:3])


def test_a_card_with_a_picture_of_8_mb_is_stored() -> None:
    picture = contentlines.fold("PHOTO;ENCODING=b;TYPE=JPEG:" + "QUJD" * 2_000_000).decode()
    card = f"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:a\r\nFN:A\r\n{picture}END:VCARD\r\n"
    assert read_card(card.encode()).uid == "a"


# --- caches ------------------------------------------------------------------------------------


def test_nothing_is_kept_of_long_names() -> None:
    iana_zone("Europe/Berlin")
    tracemalloc.start()
    try:
        for n in range(8):
            assert iana_zone(f"{n}" + "Z" * 1_000_000) is None
            read(nasty.calendar(nasty.event(f"DTSTART;TZID={n}{'Z' * 1_000_000}:20260601T100000")))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


def test_definitions_are_kept_by_their_octets() -> None:
    tracemalloc.start()
    try:
        for n in range(250):
            definition = nasty.zone(nasty.observance(f"X-N:{n}{'x' * 90_000}"))
            assert is_readable_vtimezone(definition)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 20_000_000


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "a\0b", "Europe", "Europe/../Europe/Berlin", "", "."],
)
def test_hostile_names_are_no_zones(name: str) -> None:
    assert iana_zone(name) is None


# --- whatever is stored can be read ------------------------------------------------------------

FREQUENCIES = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]


@st.composite
def rules(draw: st.DrawFn) -> str:
    parts = [f"FREQ={draw(st.sampled_from(FREQUENCIES))}"]
    numbers = {
        "INTERVAL": st.integers(1, 999),
        "COUNT": st.integers(1, 20_000),
        "BYMONTH": st.integers(1, 12),
        "BYMONTHDAY": st.integers(-31, 31),
        "BYYEARDAY": st.integers(-366, 366),
        "BYWEEKNO": st.integers(-53, 53),
        "BYHOUR": st.integers(0, 23),
        "BYMINUTE": st.integers(0, 59),
        "BYSECOND": st.integers(0, 59),
        "BYSETPOS": st.integers(-366, 366),
    }
    for name, values in numbers.items():
        if draw(st.integers(0, 3)) == 0:
            most = 1 if name in ("INTERVAL", "COUNT") else 60
            some = draw(st.lists(values, min_size=1, max_size=most))
            parts.append(f"{name}={','.join(map(str, some))}")
    if draw(st.booleans()):
        weekdays = st.sampled_from(["MO", "1TU", "-1WE", "5TH", "FR", "SA", "-5SU"])
        parts.append(f"BYDAY={','.join(draw(st.lists(weekdays, min_size=1, max_size=9)))}")
    return "RRULE:" + ";".join(parts)


TIMES = st.sampled_from(
    ["00010101T000000", "16010101T000000", "19700101T000000", "20260601T100000", "99991231T235959"]
)


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """Draw an object made of nasty rules, zones, dates and overrides."""
    observances = st.builds(
        nasty.observance, rules() | st.just(""), TIMES, st.sampled_from(["STANDARD", "DAYLIGHT"])
    )
    zone = nasty.zone(*draw(st.lists(observances, min_size=1, max_size=4)))
    mark = draw(st.sampled_from(["", ";TZID=Z", ";TZID=Europe/Berlin"]))
    lines = [f"DTSTART{mark}:{draw(TIMES)}", *draw(st.lists(rules(), max_size=3))]
    lines += [
        f"{name}{mark}:{','.join(draw(st.lists(TIMES, min_size=1, max_size=9)))}"
        for name in draw(st.lists(st.sampled_from(["RDATE", "EXDATE"]), max_size=3))
    ]
    if draw(st.booleans()):
        lines.append(draw(st.sampled_from(["DURATION:P9999D", "DURATION:PT1S", "CLASS:PRIVATE"])))
    ranges = st.sampled_from(["", ";RANGE=THISANDFUTURE"])
    overrides = [
        nasty.event(f"RECURRENCE-ID{draw(ranges)}{mark}:{draw(TIMES)}", *lines[:1], "CLASS:PRIVATE")
        for _ in range(draw(st.integers(0, 3)))
    ]
    return nasty.calendar(zone, nasty.event(*lines), *overrides)


@settings(max_examples=25, deadline=None)
@given(objects())
def test_whatever_is_stored_is_within_its_budget_for_each_reader(data: bytes) -> None:
    stored = read(data)
    if stored is not None:
        assert_cheap_for_readers(stored, MOMENTS[2:3])


def test_an_object_of_an_earlier_version_matches_in_doubt_and_is_named_by_feeds() -> None:
    """An older store may hold such an object: it spends its own share and no other's."""
    data = nasty.KINDS["many zones"]()
    row = row_of(data, "VEVENT")
    budget = Budget(4 * OBJECT_STEPS)
    assert matches_time_range(data, MOMENTS[2], MOMENTS[2] + 1, UTC, budget)
    assert budget.left > 0
    rules = Rules("c", "hide", past=30)
    found = select_visible([row], {1: "a/b"}, rules, date(2026, 6, 1), USUAL_STEPS)
    assert not found.copies or not found.unreadable
    assert matches_time_range(b"BEGIN:VCALENDAR", None, None, UTC, budget)


def test_once_a_request_has_spent_its_steps_every_object_matches() -> None:
    budget = Budget(0)
    budget.take()
    never = nasty.calendar(nasty.event("DTSTART:20260601T100000Z"))
    assert not matches_time_range(never, MOMENTS[0], MOMENTS[1], UTC, Budget())
    assert matches_time_range(never, MOMENTS[0], MOMENTS[1], UTC, budget)


def test_work_without_an_end_is_an_error() -> None:
    (top,) = contentlines.parse(nasty.calendar(nasty.event("DTSTART:20260601T100000Z")).decode())
    parts: list[Component] = top.children
    with pytest.raises(BudgetSpentError):
        occurrences_between(parts, {}, 0, 1, UTC, Budget(5))
