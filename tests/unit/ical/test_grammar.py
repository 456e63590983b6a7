"""The grammar of rules and values, compared with the libraries that read them before."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st
from icalendar.prop import vDDDTypes, vDuration, vRecur

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property, unescape
from kalends.ical.recurrence.grammar import is_grammatical
from kalends.ical.values import read_duration, read_time

NUMBERS = st.lists(
    st.integers(-400, 400).map(str) | st.sampled_from(["+1", " 2", "x", ""]), max_size=3
)
PARTS = (
    st.sampled_from(["FREQ=DAILY", "FREQ=weekly", "FREQ=YEARLY", "FREQ=X", "WKST=SU", "WKST=X"])
    | st.sampled_from(["BYDAY=MO,TU", "BYDAY=1MO", "BYDAY=-2SU", "BYDAY=0MO", "BYDAY=X", "BYDAY="])
    | st.sampled_from(["INTERVAL=2", "INTERVAL=x", "BYEASTER=0", "X=1", "FREQ", "", "FREQ=A=B"])
    | st.builds(
        lambda name, values: f"{name}={','.join(values)}",
        st.sampled_from(["BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYSETPOS", "BYHOUR", "BYWEEKNO"]),
        NUMBERS,
    )
)


def others_read(rule: str) -> bool:
    try:
        vRecur.from_ical(rule)
        rrulestr(rule, dtstart=datetime(2026, 1, 1))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError):
        return False
    return True


@given(st.just("FREQ=DAILY") | PARTS, st.lists(PARTS, max_size=4))
def test_what_other_programs_read_is_grammatical(first: str, more: list[str]) -> None:
    rule = ";".join([first, *more])
    assert is_grammatical(rule) or not others_read(rule)


@pytest.mark.parametrize("rule", ["", "FREQ", "BYDAY=MO", "FREQ=DAILY;", "FREQ=DAILY;X=1"])
def test_what_is_no_rule_is_not_grammatical(rule: str) -> None:
    assert not is_grammatical(rule)
    assert not is_grammatical("FREQ=DAILY;BYMONTHDAY=" + ",".join(["1"] * 5_000))


TEXTS = (
    st.text(alphabet="0123456789TZ/P-+ ", max_size=17)
    | st.datetimes().map(lambda when: f"{when:%Y%m%dT%H%M%S}".rjust(15, "0"))
    | st.dates().map(lambda day: f"{day:%Y%m%d}".rjust(8, "0"))
)


@given(TEXTS)
def test_times_are_read_as_icalendar_reads_them(text: str) -> None:
    expected = _value_of(text.strip().partition("/")[0])
    try:
        found = read_time(Property("DTSTART", "", text), {})
    except ObjectRefusedError:
        assert expected is None
        return
    assert isinstance(expected, date)
    if isinstance(expected, datetime):
        assert found.local == expected.replace(tzinfo=None)
        assert found.is_instant == (expected.tzinfo is not None)
    else:
        assert found.is_day
        assert found.local.date() == expected


def _value_of(text: str) -> object:
    try:
        value: object = vDDDTypes.from_ical(text)  # type: ignore[no-untyped-call]
    except (ValueError, OverflowError, TypeError):
        return None
    return value if isinstance(value, date) else None


@given(st.text(alphabet="PTWDHMS+-0123", max_size=12) | st.timedeltas().map(str))
def test_durations_are_read_as_icalendar_reads_them(text: str) -> None:
    try:
        expected: timedelta | None = vDuration.from_ical(text)  # type: ignore[no-untyped-call]
    except ValueError:
        expected = None
    try:
        assert read_duration(Property("DURATION", "", text)) == expected
    except ObjectRefusedError:
        assert expected is None


@given(st.text(alphabet="\\\\nN,;x", max_size=12))
def test_each_escape_stands_for_its_character(text: str) -> None:
    assert unescape(text) == re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], text)
