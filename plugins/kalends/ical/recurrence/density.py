"""How dense a recurrence rule is, judged in bounded time before anything expands it.

Whoever filters or expands a stored rule walks it from its beginning. So what is stored must be
walkable: not too many steps for each day, and it must happen at all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from math import prod
from typing import Any, NoReturn

from dateutil.rrule import rrulestr
from icalendar.prop import vRecur

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property
from kalends.ical.recurrence.days import EPOCH
from kalends.ical.recurrence.expand import MAX_OCCURRENCES, Budget, RuleIterator
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.timezones.offsets import local_seconds

MOST_A_DAY = 24
"""Steps for each day that a rule without an end may take: an event each hour."""

MOST_IN_ALL = MAX_OCCURRENCES
"""Steps that a rule with an end may take."""

# How far a rule with conditions is looked through; 29 February on a given weekday comes every 28
# years.
_LOOK_DAYS = {
    "HOURLY": 15,
    "DAILY": 1500,
    "WEEKLY": 366 * 13,
    "MONTHLY": 366 * 10,
    "YEARLY": 366 * 40,
}
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_STEPS_A_DAY = {
    "SECONDLY": 86400.0,
    "MINUTELY": 1440.0,
    "HOURLY": 24.0,
    "DAILY": 1.0,
    "WEEKLY": 1 / 7,
    "MONTHLY": 1 / 28,
    "YEARLY": 1 / 365,
}
_FINER = ("BYHOUR", "BYMINUTE", "BYSECOND")
# Which parts of a rule multiply its occurrences, from which frequency on.
_MULTIPLIED_BY = {"HOURLY": 1, "MINUTELY": 2, "SECONDLY": 3}
_DAYS_OF = {"WEEKLY": 7, "MONTHLY": 31, "YEARLY": 366}
_RANGES = {
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (1, 31),
    "BYYEARDAY": (1, 366),
    "BYWEEKNO": (1, 53),
    "BYSETPOS": (1, 366),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 60),
}
_PLAIN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})


def last_occurrence(rule: Property, start: datetime) -> datetime | None:
    """Judge a rule, and find where it ends.

    Args:
        rule: an RRULE.
        start: the local time of DTSTART, without a zone.

    Returns:
        the local time of the last occurrence, or somewhat later; None if it has no end.

    Raises:
        ObjectRefusedError: it cannot be read, never happens, or is too dense.
    """
    parts = _parts(rule)
    frequency = str(parts["FREQ"][0]).upper()
    if str(parts.get("RSCALE", ["GREGORIAN"])[0]).upper() != "GREGORIAN" or "SKIP" in parts:
        # RFC 7529 section 5: no library here expands it, and one such rule makes a whole feed
        # unreadable for common clients.
        _refuse(rule, "C:supported-rscale", "rules of other calendar systems are not supported")
    conditions = set(parts) - _PLAIN
    if frequency in _MULTIPLIED_BY and conditions - set(_FINER) - {"BYDAY"}:
        _refuse(rule, "C:max-instances", "the rule is too dense")  # days left out are walked too
    steps = _steps_a_day(parts, frequency)
    count = int(parts["COUNT"][0]) if "COUNT" in parts else None
    until = _local_until(parts)
    if (count or 0) > MOST_IN_ALL or (
        steps > MOST_A_DAY and not _ends_soon(steps, start, count, until)
    ):
        _refuse(rule, "C:max-instances", "the rule is too dense")
    if until is not None and until < start:
        return start  # of such a rule only DTSTART itself happens
    if conditions and not _happens(rule, parts, start, frequency):
        _refuse(rule, "C:valid-calendar-data", "the rule never happens")
    if count is not None:
        return _end_of_counted(rule, parts, start, frequency, count)
    return until


def _ends_soon(steps: float, start: datetime, count: int | None, until: datetime | None) -> bool:
    if count is not None:
        return True
    return until is not None and steps * ((until - start) / timedelta(days=1)) <= MOST_IN_ALL


def _parts(rule: Property) -> dict[str, list[Any]]:
    try:
        parts = {str(name).upper(): list(value) for name, value in _recur(rule.value).items()}
        if any(int(value) < 1 for name in ("INTERVAL", "COUNT") for value in parts.get(name, ())):
            raise ValueError("INTERVAL and COUNT are 1 or more")
        if str(parts["FREQ"][0]).upper() not in _STEPS_A_DAY:
            raise ValueError("unknown FREQ")
        if not all(isinstance(until, date) for until in parts.get("UNTIL", ())):
            raise ValueError("UNTIL is no date")
        for name, (least, most) in _RANGES.items():
            if any(not least <= abs(int(str(v).rstrip("L"))) <= most for v in parts.get(name, ())):
                raise ValueError(f"{name} is out of range")
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise _unreadable(rule) from error
    return parts


def _recur(value: str) -> dict[str, Any]:
    parsed: dict[str, Any] = vRecur.from_ical(value.strip().rstrip(";"))
    return parsed


def _local_until(parts: dict[str, list[Any]]) -> datetime | None:
    if "UNTIL" not in parts:
        return None
    until = parts["UNTIL"][0]
    if not isinstance(until, datetime):
        until = datetime(until.year, until.month, until.day, 23, 59, 59, tzinfo=UTC)
    # It may be in UTC where DTSTART is local, or the other way round: a day covers both.
    naive: datetime = until.replace(tzinfo=None)
    return naive + timedelta(days=1) if naive.year < 9999 else naive


def _interval(parts: dict[str, list[Any]]) -> int:
    return int(parts.get("INTERVAL", [1])[0])


def _steps_a_day(parts: dict[str, list[Any]], frequency: str) -> float:
    finer = _FINER[_MULTIPLIED_BY.get(frequency, 0) :]
    times = prod(max(1, len(parts.get(name, ()))) for name in finer)
    days = _DAYS_OF.get(frequency, 1) if set(parts) - _PLAIN - set(_FINER) else 1
    return _STEPS_A_DAY[frequency] / _interval(parts) * times * days


def _refuse(rule: Property, precondition: str, why: str) -> NoReturn:
    raise ObjectRefusedError(precondition, f"{why}: {rule.value[:80]!r}", rule.line)


def _later(start: datetime, days: float) -> datetime:
    try:
        return start + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(microsecond=0)


def _happens(rule: Property, parts: dict[str, list[Any]], start: datetime, frequency: str) -> bool:
    """Whether a rule with conditions has an occurrence within the time it is looked through."""
    if not _has_a_day(parts):
        return False
    if frequency not in _LOOK_DAYS:
        return True
    until = _later(start, _LOOK_DAYS[frequency] * min(_interval(parts), 40))
    iterator = _iterator(rule, start, until)
    return iterator is None or next(iter(iterator), None) is not None or until.year == 9999


def _has_a_day(parts: dict[str, list[Any]]) -> bool:
    """Whether any of the months has any of the days: 30 February has been asked for."""
    days = [abs(int(day)) for day in parts.get("BYMONTHDAY", ())]
    months = [int(str(month).rstrip("L")) for month in parts.get("BYMONTH", range(1, 13))]
    if not days:
        return True
    return any(1 <= m <= 12 and min(days) <= _LONGEST_MONTH[m - 1] for m in months)


def _end_of_counted(
    rule: Property, parts: dict[str, list[Any]], start: datetime, frequency: str, count: int
) -> datetime | None:
    if set(parts) - _PLAIN:
        until = _later(start, _LOOK_DAYS.get(frequency, 15) * min(_interval(parts), 40))
    else:
        until = _later(start, (count + 1) / _STEPS_A_DAY[frequency] * _interval(parts) * 1.2)
    iterator = _iterator(rule, start, until)
    # Where DTSTART does not fit the rule, some count it and others do not: the later end is safe.
    found = list(islice(iterator, count)) if iterator else []
    if iterator is None or (len(found) < count and until.year < 9999):
        # It goes on for longer than anybody should walk here; without an end is safe too.
        return None
    return EPOCH + timedelta(seconds=found[-1]) if found else start


def _iterator(rule: Property, start: datetime, until: datetime) -> RuleIterator | None:
    """A way through a rule in bounded time, without its bounds; None if none is known."""
    text = _unbounded(rule)
    try:
        rrulestr(text, dtstart=start)  # whether others can read it; nothing of it is walked
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError) as error:
        raise _unreadable(rule) from error
    read = read_rule(text, local_seconds(start), is_day=False, zoned=False)
    return RuleIterator(read, None, local_seconds(until), Budget()) if read else None


def _unbounded(rule: Property) -> str:
    """A rule without UNTIL and COUNT."""
    parts = rule.value.strip().rstrip(";").split(";")
    return ";".join(p for p in parts if p.partition("=")[0].upper() not in ("UNTIL", "COUNT"))


def _unreadable(rule: Property) -> ObjectRefusedError:
    return ObjectRefusedError(
        "C:valid-calendar-data", f"the rule is not readable: {rule.value[:80]!r}", rule.line
    )
