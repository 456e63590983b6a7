"""Parser for recurrence rules (RFC 5545 section 3.3.10).

Times are local: seconds since 1970 of a clock without a zone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from kalends.ical.limits import MAX_RULE_LENGTH, MAX_TIMES
from kalends.ical.recurrence.days import (
    DAY,
    EPOCH_DAY,
    MARGIN,
    date_of,
    matches_position,
    position_in_month,
    position_in_year,
    week_of_year,
)

_WEEKDAYS = {name: number for number, name in enumerate(("MO", "TU", "WE", "TH", "FR", "SA", "SU"))}
UNITS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
"""The lengths of the frequencies shorter than a day, seconds."""

_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY", *UNITS})
# The values that each part may have; a negative one counts from the end.
_RANGES = {
    "BYMONTH": range(1, 13),
    "BYMONTHDAY": range(-31, 32),
    "BYYEARDAY": range(-366, 367),
    "BYWEEKNO": range(-53, 54),
    "BYSETPOS": range(-366, 367),
    "BYHOUR": range(24),
    "BYMINUTE": range(60),
    "BYSECOND": range(60),
}
_KNOWN_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES})


class DayTest(NamedTuple):
    """A condition that a day must meet.

    Attributes:
        steps: what it costs for each day, beside the step of the day.
        fits: returns True if a day, counted from 1970, meets it.
    """

    steps: int
    fits: Callable[[int], bool]


@dataclass(slots=True)
class Rule:
    """An RRULE together with the DTSTART that it belongs to.

    Attributes:
        first: DTSTART, local seconds.
        until: the local second after which there are no occurrences.
        last_instant: the instant after which there are no occurrences, if UNTIL is in UTC; seconds
            since 1970.
        week_start: the weekday on which weeks begin; 0 is Monday.
        nth_weekdays: the weekdays of BYDAY that have a number, as pairs of number and weekday.
        day_tests: the conditions that a day, counted from 1970, must meet.
        offsets: the times of occurrences within a day (or hour, or minute), seconds.
    """

    first: int
    frequency: str
    interval: int
    count: int | None
    until: int | None
    last_instant: int | None
    week_start: int
    months: frozenset[int]
    month_days: frozenset[int]
    year_days: frozenset[int]
    weeks: frozenset[int]
    weekdays: frozenset[int]
    nth_weekdays: frozenset[tuple[int, int]]
    hours: frozenset[int]
    minutes: frozenset[int]
    seconds: frozenset[int]
    positions: frozenset[int]
    day_tests: list[DayTest] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


def read_rule(value: str, first: int, is_day: bool, zoned: bool) -> Rule | None:
    """Parse the value of an RRULE.

    Args:
        value: the value of the property.
        first: DTSTART, local seconds.
        is_day: whether DTSTART is a day; BYHOUR and the like are ignored then.
        zoned: whether DTSTART has a zone; without one, UNTIL is local even if it ends with Z.

    Returns:
        the rule, or None if it cannot be expanded.
    """
    if len(value) > MAX_RULE_LENGTH:
        return None
    pairs = (part.partition("=") for part in value.strip().upper().split(";"))
    parts = {name: text for name, mark, text in pairs if mark}
    if parts.get("FREQ") not in _FREQUENCIES or not _KNOWN_PARTS.issuperset(parts):
        return None
    try:
        return _build(parts, first, is_day, zoned)
    except (ValueError, KeyError, OverflowError):
        return None


def _build(parts: dict[str, str], first: int, is_day: bool, zoned: bool) -> Rule:
    frequency = parts["FREQ"]
    until = _until(parts["UNTIL"]) if "UNTIL" in parts else None
    instant = until if zoned and parts.get("UNTIL", "").endswith("Z") else None
    days = [_weekday(text.strip()) for text in parts.get("BYDAY", "").split(",") if text.strip()]
    nth_counts = frequency in ("MONTHLY", "YEARLY")
    rule = Rule(
        first=first,
        frequency=frequency,
        interval=max(1, int(parts.get("INTERVAL", "1").split(",")[0])),
        count=int(parts["COUNT"].split(",")[0]) if "COUNT" in parts else None,
        until=until if instant is None else instant + MARGIN,
        last_instant=instant,
        week_start=_WEEKDAYS[parts.get("WKST", "MO").strip()],
        months=_numbers(parts, "BYMONTH"),
        month_days=_numbers(parts, "BYMONTHDAY"),
        year_days=_numbers(parts, "BYYEARDAY"),
        weeks=_numbers(parts, "BYWEEKNO"),
        weekdays=frozenset(day for nth, day in days if not nth or not nth_counts),
        nth_weekdays=frozenset((nth, day) for nth, day in days if nth and nth_counts),
        hours=frozenset() if is_day else _numbers(parts, "BYHOUR"),
        minutes=frozenset() if is_day else _numbers(parts, "BYMINUTE"),
        seconds=frozenset() if is_day else _numbers(parts, "BYSECOND"),
        positions=_numbers(parts, "BYSETPOS"),
    )
    if len(rule.hours or "1") * len(rule.minutes or "1") * len(rule.seconds or "1") > MAX_TIMES:
        raise ValueError("it has too many times a day")
    _apply_defaults(rule)
    rule.day_tests = _day_tests(rule)
    rule.offsets = _offsets(rule)
    return rule


def _numbers(parts: dict[str, str], name: str) -> frozenset[int]:
    text = parts.get(name)
    numbers = frozenset(map(int, text.split(","))) if text else frozenset()
    if not numbers.issubset(_RANGES[name]):
        raise ValueError(f"{name} is out of range")
    return numbers


def _weekday(text: str) -> tuple[int, int]:
    return int(text[:-2] or 0), _WEEKDAYS[text[-2:]]


def _until(text: str) -> int:
    day = date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal() - EPOCH_DAY
    if len(text) == 8:
        return day * DAY + DAY - 1
    time = datetime.strptime(text[8:15], "T%H%M%S")
    return day * DAY + time.hour * 3600 + time.minute * 60 + time.second


def _apply_defaults(rule: Rule) -> None:
    """Take the days from DTSTART if the rule does not name any."""
    if rule.month_days or rule.year_days or rule.weeks or rule.weekdays or rule.nth_weekdays:
        return
    day = date_of(rule.first // DAY)
    if rule.frequency == "WEEKLY":
        rule.weekdays = frozenset({day.weekday()})
    elif rule.frequency in ("MONTHLY", "YEARLY"):
        rule.month_days = frozenset({day.day})
        if rule.frequency == "YEARLY" and not rule.months:
            rule.months = frozenset({day.month})


def _offsets(rule: Rule) -> list[int]:
    """Return the times of occurrences within a day (or hour, or minute), seconds."""
    minute, second = divmod(rule.first % DAY, 60)
    hour, minute = divmod(minute, 60)
    seconds = rule.seconds or {second}
    if rule.frequency == "SECONDLY":
        return [0]
    if rule.frequency == "MINUTELY":
        return sorted(seconds)
    minutes = rule.minutes or {minute}
    if rule.frequency == "HOURLY":
        return sorted(m * 60 + s for m in minutes for s in seconds)
    hours = rule.hours or {hour}
    return sorted(h * 3600 + m * 60 + s for h in hours for m in minutes for s in seconds)


def _day_tests(rule: Rule) -> list[DayTest]:
    """Return the conditions that a day, counted from 1970, must meet, the cheapest first.

    Conditions that ``RuleIterator._candidate_days`` applies are left out: months and their days,
    and the weekdays of a week.
    """
    tests: list[DayTest] = []
    if rule.frequency != "WEEKLY" and (rule.weekdays or rule.nth_weekdays):
        tests.append(_weekday_test(rule))
    if rule.frequency not in ("MONTHLY", "YEARLY"):
        if rule.months:
            tests.append(DayTest(1, lambda day: date_of(day).month in rule.months))
        if rule.month_days:
            days = rule.month_days
            tests.append(DayTest(3, lambda day: matches_position(days, *position_in_month(day))))
    if rule.year_days:
        year_days = rule.year_days
        tests.append(DayTest(4, lambda day: matches_position(year_days, *position_in_year(day))))
    if rule.weeks:
        weeks, begin = rule.weeks, rule.week_start
        tests.append(DayTest(8, lambda day: matches_position(weeks, *week_of_year(day, begin))))
    return tests


def _weekday_test(rule: Rule) -> DayTest:
    plain, nth = rule.weekdays, rule.nth_weekdays
    if not nth:
        return DayTest(0, lambda day: (day + 3) % 7 in plain)  # 1970 began on a Thursday
    named = {weekday for _, weekday in nth}
    place = (
        position_in_year if rule.frequency == "YEARLY" and not rule.months else position_in_month
    )

    def fits(day: int) -> bool:
        weekday = (day + 3) % 7
        if weekday in plain or weekday not in named:
            return weekday in plain
        number, length = place(day)
        after = (length - number) // 7
        return ((number - 1) // 7 + 1, weekday) in nth or (-after - 1, weekday) in nth

    return DayTest(4, fits)
