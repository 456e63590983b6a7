"""Filters of calendar-query: RFC 4791 section 9.7, against vectors and a naive evaluation."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.common.budget import OBJECT_STEPS, REQUEST_STEPS, Budget
from kalends.dav.filters.calendar import CalendarMatcher
from kalends.dav.filters.model import CompFilter, ParamFilter, PropFilter, TextMatch
from kalends.dav.filters.read_calendar import read_calendar_filter
from kalends.dav.reports.calendar_query import preselect
from kalends.errors import BudgetSpentError, ReportRefusedError
from support.samples import calendar, component

SPACE = "urn:ietf:params:xml:ns:caldav"


def filter_of(inner: str) -> CompFilter:
    """Read the filter whose VCALENDAR has this content."""
    text = f'<filter xmlns="{SPACE}"><comp-filter name="VCALENDAR">{inner}</comp-filter></filter>'
    return read_calendar_filter(ET.fromstring(text))


def matches(text: str, inner: str, zone: tzinfo = UTC) -> bool:
    matcher = CalendarMatcher(filter_of(inner), zone, Budget(REQUEST_STEPS))
    return matcher.matches(text.encode())


def comp(name: str, inner: str = "") -> str:
    return f'<comp-filter name="{name}">{inner}</comp-filter>'


def prop(name: str, inner: str = "") -> str:
    return f'<prop-filter name="{name}">{inner}</prop-filter>'


def text(value: str, more: str = "") -> str:
    return f"<text-match{more and ' ' + more}>{value}</text-match>"


def within(start: str = "", end: str = "") -> str:
    bounds = "".join(f' {k}="{v}"' for k, v in (("start", start), ("end", end)) if v)
    return f"<time-range{bounds}/>"


ABSENT = "<is-not-defined/>"
MEETING = calendar(
    component(
        "VEVENT",
        "abc-123",
        "DTSTART:20260601T090000Z",
        "DURATION:PT1H",
        "SUMMARY:Lunch\\, with Zoë",
        "CATEGORIES:Food,Friends",
        'ATTENDEE;PARTSTAT=NEEDS-ACTION;CN="Lisa":mailto:lisa@example.com',
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bernard@example.com",
    )
)
TASK = calendar(
    component("VTODO", "task", "DUE:20260601T090000Z", "STATUS:NEEDS-ACTION", "SUMMARY:Task"),
)


@pytest.mark.parametrize(
    ("inner", "found"),
    [
        ("", True),
        (comp("VEVENT"), True),
        (comp("vevent"), True),
        (comp("VTODO"), False),
        (comp("VTODO", ABSENT), True),
        (comp("VEVENT", ABSENT), False),
        (comp("VEVENT") + comp("VTODO"), False),
        (comp("VEVENT") + comp("VTODO", ABSENT), True),
        (comp("VEVENT", prop("UID")), True),
        (comp("VEVENT", prop("uid", text("ABC"))), True),
        (comp("VEVENT", prop("UID", text("ABC", 'collation="i;octet"'))), False),
        (comp("VEVENT", prop("UID", text("abc", 'collation="i;octet"'))), True),
        (comp("VEVENT", prop("UID", text("ABC", 'negate-condition="yes"'))), False),
        (comp("VEVENT", prop("UID", text("xyz", 'negate-condition="yes"'))), True),
        (comp("VEVENT", prop("SUMMARY", text("lunch, WITH"))), True),
        (comp("VEVENT", prop("SUMMARY", text("ZOË", 'collation="i;unicode-casemap"'))), True),
        (comp("VEVENT", prop("SUMMARY", text("ZOË"))), False),
        (comp("VEVENT", prop("CATEGORIES", text("friend"))), True),
        (comp("VEVENT", prop("LOCATION")), False),
        (comp("VEVENT", prop("LOCATION", ABSENT)), True),
        (comp("VEVENT", prop("SUMMARY", ABSENT)), False),
        (comp("VEVENT", prop("LOCATION", text("x", 'negate-condition="yes"'))), False),
        (comp("VEVENT", prop("ATTENDEE", '<param-filter name="PARTSTAT"/>')), True),
        (comp("VEVENT", prop("ATTENDEE", '<param-filter name="ROLE"/>')), False),
        (
            comp("VEVENT", prop("ATTENDEE", f'<param-filter name="CN">{ABSENT}</param-filter>')),
            True,
        ),
        (comp("VEVENT", prop("UID") + prop("LOCATION")), False),
        (prop("VERSION", text("2.0")), True),
        (prop("METHOD"), False),
        (comp("VEVENT", comp("VALARM")), False),
        (comp("VEVENT", comp("VALARM", ABSENT)), True),
        (comp("VEVENT", prop("X-OURS", ABSENT)), True),
        (comp("X-OURS", ABSENT), True),
    ],
)
def test_a_filter_tests_what_is_there(inner: str, found: bool) -> None:
    assert matches(MEETING, inner) is found


@pytest.mark.parametrize(("partstat", "found"), [("NEEDS-ACTION", True), ("ACCEPTED", False)])
def test_one_property_passes_all_tests(partstat: str, found: bool) -> None:
    """RFC 4791 section 7.8.7: the attendee lisa, with that PARTSTAT."""
    param = f'<param-filter name="PARTSTAT">{text(partstat)}</param-filter>'
    inner = comp("VEVENT", prop("ATTENDEE", text("mailto:lisa@example.com") + param))
    assert matches(MEETING, inner) is found


def test_a_parameter_tzid_is_tested() -> None:
    zoned = calendar(component("VEVENT", "u", "DTSTART;TZID=Europe/Berlin:20260601T090000"))
    param = '<param-filter name="TZID">{}</param-filter>'
    for value, found in (("europe/berlin", True), ("Europe/Paris", False)):
        assert matches(zoned, comp("VEVENT", prop("DTSTART", param.format(text(value))))) is found


@pytest.mark.parametrize(
    ("lines", "start", "end", "found"),
    [
        (("DTSTART:20260601T090000Z", "DURATION:PT1H"), "20260601T095959Z", "", True),
        (("DTSTART:20260601T090000Z", "DURATION:PT1H"), "20260601T100000Z", "", False),
        (("DTSTART:20260601T090000Z", "DURATION:PT1H"), "", "20260601T090000Z", False),
        (("DTSTART:20260601T090000Z", "DURATION:PT1H"), "", "20260601T090001Z", True),
        (("DTSTART:20260601T090000Z",), "20260601T090000Z", "20260601T090001Z", True),
        (("DTSTART;VALUE=DATE:20260601",), "20260601T235959Z", "20260603T000000Z", True),
        (("DTSTART:20200101T090000Z", "RRULE:FREQ=DAILY"), "20260601T000000Z", "", True),
        (
            ("DTSTART:20200101T090000Z", "RRULE:FREQ=DAILY;COUNT=3"),
            "20260601T000000Z",
            "",
            False,
        ),
    ],
)
def test_a_component_happens_in_a_time_range(
    lines: Sequence[str], start: str, end: str, found: bool
) -> None:
    event = calendar(component("VEVENT", "u", *lines))
    assert matches(event, comp("VEVENT", within(start, end))) is found
    assert matches(event, within(start, end)) is found


def test_times_without_a_zone_are_in_that_of_the_query() -> None:
    event = calendar(component("VEVENT", "u", "DTSTART:20260601T200000", "DURATION:PT1H"))
    inner = comp("VEVENT", within("20260602T000000Z", "20260602T010000Z"))
    assert matches(event, inner, ZoneInfo("America/New_York"))
    assert not matches(event, inner, UTC)


def test_one_component_passes_the_time_range_and_the_other_tests() -> None:
    """RFC 4791 section 9.7.1: the series is in the range, and the override has the summary."""
    lines = ("DTSTART:20260601T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY", "SUMMARY:Usual")
    moved = ("RECURRENCE-ID:20260610T090000Z", "DTSTART:20260610T150000Z", "SUMMARY:Moved")
    event = calendar(component("VEVENT", "u", *lines), component("VEVENT", "u", *moved))

    def found(summary: str, start: str, end: str) -> bool:
        """Ask with and without the index, which knows that the object happens in the range."""
        wanted = filter_of(comp("VEVENT", prop("SUMMARY", text(summary)) + within(start, end)))
        matcher = CalendarMatcher(wanted, UTC, Budget())
        one, other = (
            matcher.matches(event.encode(), certain=certain)
            for certain in (None, wanted.comps[0].within)
        )
        assert one is other
        return one

    assert found("Usual", "20260602T000000Z", "20260603T000000Z")
    assert not found("Moved", "20260602T000000Z", "20260603T000000Z")
    assert found("Moved", "20260610T140000Z", "20260610T160000Z")
    assert not found("Usual", "20260610T000000Z", "20260611T000000Z")


ALARM = "BEGIN:VALARM\r\nACTION:DISPLAY\r\n{}\r\nEND:VALARM"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("TRIGGER:-PT15M", True),
        ("TRIGGER:-PT14M", False),
        ("TRIGGER;RELATED=END:-PT75M", True),
        ("TRIGGER;VALUE=DATE-TIME:20260601T084500Z", True),
        ("TRIGGER;VALUE=DATE-TIME:20260601T084600Z", False),
        ("TRIGGER:-PT1H\r\nREPEAT:3\r\nDURATION:PT15M", True),
        ("TRIGGER:-PT1H\r\nREPEAT:2\r\nDURATION:PT15M", False),
        ("TRIGGER:-P2D\r\nREPEAT:99999999999\r\nDURATION:PT1S", False),
        ("TRIGGER:-P2D\r\nREPEAT:999999\r\nDURATION:PT1S", True),
        ("ACTION:DISPLAY", False),
    ],
)
def test_an_alarm_rings_in_a_time_range(lines: str, found: bool) -> None:
    """RFC 4791 section 9.9: with RELATED, absolute, and with repetitions."""
    inner = comp("VEVENT", comp("VALARM", within("20260601T084500Z", "20260601T084600Z")))
    for more in ((), ("RRULE:FREQ=DAILY;COUNT=3",)):
        event = ("DTSTART:20260601T090000Z", "DURATION:PT1H", *more)
        assert matches(calendar(component("VEVENT", "u", *event, ALARM.format(lines))), inner) is (
            found
        )


@pytest.mark.parametrize(
    ("trigger", "found"),
    [("PT2H", True), ("PT1H", False), ("-PT2H\r\nREPEAT:8\r\nDURATION:PT30M", True)],
)
def test_an_alarm_after_its_event_rings(trigger: str, found: bool) -> None:
    alarm = ALARM.format(f"TRIGGER:{trigger}")
    event = calendar(component("VEVENT", "u", "DTSTART:20260601T064500Z", "DURATION:PT5M", alarm))
    inner = comp("VEVENT", comp("VALARM", within("20260601T084500Z", "20260601T084600Z")))
    assert matches(event, inner) is found


def test_an_alarm_of_an_override_rings_at_its_own_time_alone() -> None:
    lines = ("DTSTART:20260601T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
    moved = ("RECURRENCE-ID:20260610T090000Z", "DTSTART:20260610T150000Z")
    event = calendar(
        component("VEVENT", "u", *lines),
        component("VEVENT", "u", *moved, ALARM.format("TRIGGER:-PT15M")),
    )
    for day, found in (("10T144000", True), ("11T084000", False), ("10T084000", False)):
        inner = comp("VALARM", within(f"202606{day}Z", f"202606{day[:5]}5959Z"))
        assert matches(event, comp("VEVENT", inner)) is found


def test_the_alarms_of_a_long_series_are_paid_for_once() -> None:
    """Each of 2,000 overrides has an alarm of its own, and none rings in the range."""
    lines = ("DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY")
    days = [f"{2027 + n // 336}{n // 28 % 12 + 1:02}{n % 28 + 1:02}T0900" for n in range(2000)]
    alarm = ALARM.format("TRIGGER:-PT15M")
    moved = (
        component("VEVENT", "u", f"RECURRENCE-ID:{day}00Z", f"DTSTART:{day}30Z", alarm)
        for day in days
    )
    text = calendar(component("VEVENT", "u", *lines), *moved).encode()
    budget = Budget(OBJECT_STEPS)
    inner = comp("VEVENT", comp("VALARM", within("20260601T084500Z", "20260601T084600Z")))
    assert not CalendarMatcher(filter_of(inner), UTC, budget).matches(text)


def test_alarms_that_cost_too_much_may_ring() -> None:
    alarms = [ALARM.format(f"TRIGGER:-P{n}W\r\nDESCRIPTION:{n}") for n in range(1, 400)]
    series = ("DTSTART:00010101T000000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29")
    event = calendar(component("VEVENT", "u", *series, *alarms))
    never = prop("DESCRIPTION", text("399", 'match-type="equals"'))
    inner = comp("VALARM", never + within("20260601T084500Z", "20260601T084600Z"))
    assert matches(event, comp("VEVENT", inner))


TRIGGERS = [
    *("TRIGGER:-PT15M", "TRIGGER:-P3D", "TRIGGER;RELATED=END:PT1H", "TRIGGER:P9D", "TRIGGER:x"),
    *("TRIGGER:-P2D\r\nREPEAT:3\r\nDURATION:PT20H", "TRIGGER;VALUE=DATE-TIME:20260602T090000Z"),
]


@given(
    st.lists(st.lists(st.sampled_from(TRIGGERS), max_size=3), min_size=3, max_size=3),
    st.integers(1, 12),
)
def test_alarms_ring_together_as_each_would_alone(parts: list[list[str]], day: int) -> None:
    heads = [("DTSTART:20260601T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;INTERVAL=2;COUNT=4")]
    heads += [("RECURRENCE-ID:20260603T090000Z", "DTSTART:20260604T090000Z", "DURATION:P1D")]
    range_ = "RECURRENCE-ID;RANGE=THISANDFUTURE:20260605T090000Z"
    heads += [(range_, "DTSTART:20260605T110000Z", "DURATION:PT2H")]

    def rings(kept: list[list[str]]) -> bool:
        events = (
            component("VEVENT", "u", *head, *map(ALARM.format, triggers))
            for head, triggers in zip(heads, kept, strict=True)
        )
        window = within(f"202606{day:02}T080000Z", f"202606{day:02}T180000Z")
        return matches(calendar(*events), comp("VEVENT", comp("VALARM", window)))

    places = [(n, trigger) for n in range(3) for trigger in parts[n]]
    alone = [rings([[t] if n == place else [] for n in range(3)]) for place, t in places]
    assert rings(parts) is any(alone)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("COMPLETED:20260601T090000Z", True),
        ("COMPLETED:20260601T085959Z", False),
        ("COMPLETED:20260601T100000Z", False),
        ("DUE;VALUE=DATE:20260601", False),
    ],
)
def test_a_property_is_in_a_time_range(value: str, found: bool) -> None:
    task = calendar(component("VTODO", "u", value))
    inner = prop("COMPLETED", within("20260601T090000Z", "20260601T100000Z"))
    assert matches(task, comp("VTODO", inner)) is found


def test_all_pending_tasks_are_found_as_clients_ask_for_them() -> None:
    """RFC 4791 section 7.8.9."""
    cancelled = text("CANCELLED", 'negate-condition="yes"')
    inner = comp("VTODO", prop("COMPLETED", ABSENT) + prop("STATUS", cancelled))
    assert matches(TASK, inner)
    assert not matches(TASK.replace("NEEDS-ACTION", "CANCELLED"), inner)
    assert not matches(TASK.replace("SUMMARY:", "COMPLETED:20260601T090000Z\r\nX-A:"), inner)


def test_an_object_that_cannot_be_read_matches() -> None:
    assert matches("BEGIN:VCALENDAR\r\nnonsense\r\n", comp("VEVENT"))


@pytest.mark.parametrize(
    ("inner", "precondition"),
    [
        (comp("VALARM"), "C:valid-filter"),
        (comp("VEVENT", comp("VEVENT")), "C:valid-filter"),
        (comp("VEVENT", comp("VCALENDAR")), "C:valid-filter"),
        (comp("VTIMEZONE", within("20260601T090000Z")), "C:valid-filter"),
        (comp("VEVENT", within()), "C:valid-filter"),
        (comp("VEVENT", within("20260601T090000", "20260602T090000")), "C:valid-filter"),
        (comp("VEVENT", within("20260602T090000Z", "20260601T090000Z")), "C:valid-filter"),
        (comp("VEVENT", within("20260631T090000Z")), "C:valid-filter"),
        (comp("VEVENT", within("2026-06-01")), "C:valid-filter"),
        (comp("VEVENT", within("20260601T090000Z") * 2), "C:valid-filter"),
        (comp("VEVENT", prop("SUMMARY", within("20260601T090000Z"))), "C:valid-filter"),
        (comp("VEVENT", prop("X-ABC", within("20260601T090000Z"))), "C:supported-filter"),
        (comp("VEVENT", prop("UID", text("x", 'collation="i;nonsense"'))), "C:supported-collation"),
        (comp("VEVENT", prop("UID", text("x") * 2)), "C:valid-filter"),
        (comp("VEVENT", prop("UID", text("x", 'negate-condition="maybe"'))), "C:valid-filter"),
        (comp("VEVENT", ABSENT + prop("UID")), "C:valid-filter"),
        (comp("VEVENT", prop("", text("x"))), "C:valid-filter"),
        (comp("VEVENT", "<nonsense/>"), "C:valid-filter"),
        ("<is-not-defined/><is-not-defined/>", "C:valid-filter"),
        (comp("X-A", comp("X-A", comp("X-A", comp("X-A", "")))), "C:valid-filter"),
    ],
)
def test_an_invalid_filter_is_refused(inner: str, precondition: str) -> None:
    with pytest.raises(ReportRefusedError) as refused:
        filter_of(inner)
    assert refused.value.precondition == precondition


@pytest.mark.parametrize(
    ("inner", "component", "is_all"),
    [
        ("", None, True),
        (comp("VEVENT"), "VEVENT", True),
        (comp("VEVENT", within("20260601T090000Z")), "VEVENT", True),
        (comp("VEVENT", prop("UID")), "VEVENT", False),
        (comp("VTODO", ABSENT), None, False),
        (comp("VTIMEZONE"), None, False),
        (within("20260601T090000Z"), None, True),
        (comp("VEVENT") + prop("VERSION"), "VEVENT", False),
    ],
)
def test_the_index_answers_what_it_can(inner: str, component: str | None, is_all: bool) -> None:
    found = preselect(filter_of(inner))
    assert (found.component, found.is_all) == (component, is_all)


def test_many_filters_on_many_properties_are_bounded() -> None:
    many = [f"X-A:{number}" for number in range(2000)]
    wanted = CompFilter(
        "VCALENDAR",
        comps=(
            CompFilter(
                "VEVENT",
                props=tuple(
                    PropFilter("X-A", texts=(TextMatch(str(n), "i;octet", negated=True),))
                    for n in range(2000)
                ),
            ),
        ),
    )
    data = calendar(component("VEVENT", "u", *many)).encode()
    spending = Budget(10 * REQUEST_STEPS)
    assert CalendarMatcher(wanted, UTC, spending).matches(data)
    with pytest.raises(BudgetSpentError):
        CalendarMatcher(wanted, UTC, Budget(spending.spent - 1)).matches(data)
    assert spending.spent > 3 * len(many)


def test_an_object_without_the_text_is_not_parsed() -> None:
    """A search among 100,000 events takes less than the steps of a request."""
    budget = Budget()
    wanted = filter_of(comp("VEVENT", prop("SUMMARY", text("absent"))))
    assert not CalendarMatcher(wanted, UTC, budget).matches(MEETING.encode())
    assert 100_000 * budget.spent < REQUEST_STEPS


def test_the_same_test_many_times_is_one() -> None:
    assert filter_of(comp("VEVENT", prop("UID", text("x")) * 1000)) == filter_of(
        comp("VEVENT", prop("UID", text("x")))
    )


# A naive evaluation, on lists of properties instead of text.
@dataclass(frozen=True)
class Line:
    name: str
    params: tuple[tuple[str, str], ...]
    value: str

    def text(self) -> str:
        params = "".join(f";{name}={value}" for name, value in self.params)
        return f"{self.name}{params}:{self.value}"


WORDS = ["a", "B", "ab", "Ba", ""]
NAMES = ["SUMMARY", "LOCATION", "COMMENT"]
lines = st.builds(
    Line,
    st.sampled_from(NAMES),
    st.dictionaries(st.sampled_from(["X-P", "X-Q"]), st.sampled_from(WORDS[:4])).map(
        lambda params: tuple(params.items())
    ),
    st.sampled_from(WORDS),
)
components = st.lists(lines, max_size=4)
text_matches = st.builds(
    TextMatch,
    st.sampled_from([word.upper() for word in WORDS]),
    st.just("i;ascii-casemap"),
    negated=st.booleans(),
)
param_filters = st.builds(
    ParamFilter, st.sampled_from(["X-P", "X-Q"]), text=st.none() | text_matches
) | st.builds(ParamFilter, st.sampled_from(["X-P", "X-Q"]), st.just(False))
prop_filters = st.builds(
    PropFilter,
    st.sampled_from(NAMES),
    texts=st.lists(text_matches, max_size=1).map(tuple),
    params=st.lists(param_filters, max_size=2).map(tuple),
) | st.builds(PropFilter, st.sampled_from(NAMES), st.just(False))


def has_text(wanted: TextMatch, value: str) -> bool:
    return (wanted.text in value.upper()) != wanted.negated


def has_param(wanted: ParamFilter, line: Line) -> bool:
    value = dict(line.params).get(wanted.name)
    if not wanted.is_defined:
        return value is None
    return value is not None and (wanted.text is None or has_text(wanted.text, value))


def has_prop(wanted: PropFilter, part: list[Line]) -> bool:
    named = [line for line in part if line.name == wanted.name]
    if not wanted.is_defined:
        return named == []
    for line in named:
        if all(has_text(one, line.value) for one in wanted.texts) and all(
            has_param(one, line) for one in wanted.params
        ):
            return True
    return False


@given(st.lists(components, min_size=1, max_size=3), st.lists(prop_filters, max_size=3))
def test_filters_agree_with_a_naive_evaluation(
    parts: list[list[Line]], wanted: list[PropFilter]
) -> None:
    object_text = calendar(
        *(
            component("VEVENT", "u", "DTSTART:20260601T090000Z", *(line.text() for line in part))
            for part in parts
        )
    )
    expected = any(all(has_prop(one, part) for one in wanted) for part in parts)
    event = CompFilter("VEVENT", props=tuple(wanted))
    matcher = CalendarMatcher(CompFilter("VCALENDAR", comps=(event,)), UTC, Budget())
    assert matcher.matches(object_text.encode()) is expected
