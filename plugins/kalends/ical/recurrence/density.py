"""Density check for recurrence rules, in bounded time.

Clients and other servers expand a stored rule from its beginning. A rule that is stored must
therefore be cheap to expand: it must have few occurrences a day, and at least one in all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from math import prod
from typing import Any, NoReturn

from icalendar.prop import vRecur

from kalends.common.budget import Budget
from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property
from kalends.ical.limits import MAX_RULE_LENGTH, MAX_TIMES
from kalends.ical.recurrence.cost import RULE_STEPS
from kalends.ical.recurrence.days import EPOCH
from kalends.ical.recurrence.expand import RuleIterator
from kalends.ical.recurrence.grammar import is_grammatical
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.timezones.offsets import local_seconds
from kalends.limit_names import Limit

MOST_A_DAY = 24
"""The most steps a day that the expansion of a rule without an end may take: one an hour."""

MOST_IN_ALL = 20_000
"""The most steps that the expansion of a rule with an end may take."""

# The days in which a rule with conditions must have an occurrence. 29 February is on a given
# weekday every 28 years.
_SEARCHED_DAYS = {
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
# The number of these parts that filter a rule of this frequency; the others multiply occurrences.
_FILTERING = {"HOURLY": 1, "MINUTELY": 2, "SECONDLY": 3}
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
_TOO_COSTLY = "the rule takes too many steps to expand"
_PLAIN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"})


def last_occurrence(rule: Property, start: datetime, budget: Budget) -> datetime | None:
    """Check a rule and return an upper bound for its last occurrence.

    Args:
        rule: an RRULE.
        start: the local time of DTSTART, without a zone.
        budget: the steps that the object's reading may take.

    Returns:
        the local time of the last occurrence, or somewhat later; None if the rule has no end.

    Raises:
        ObjectRefusedError: the rule is invalid, has no occurrence, or is too dense.
        BudgetSpentError: the steps are not left.
    """
    budget.draw(RULE_STEPS)
    if len(rule.value) > MAX_RULE_LENGTH:
        _refuse(
            rule,
            "C:valid-calendar-data",
            f"the rule has more than {MAX_RULE_LENGTH} characters",
            Limit.RULES,
        )
    parts = _parts(rule)
    frequency = str(parts["FREQ"][0]).upper()
    if str(parts.get("RSCALE", ["GREGORIAN"])[0]).upper() != "GREGORIAN" or "SKIP" in parts:
        # RFC 7529 section 5. Our libraries cannot expand such rules, and one of them makes a whole
        # feed unreadable for common clients.
        _refuse(rule, "C:supported-rscale", "rules of other calendar systems are not supported")
    conditions = set(parts) - _PLAIN
    if frequency in _FILTERING and conditions - set(_FINER) - {"BYDAY"}:
        _refuse(
            rule, "C:max-instances", "the rule has too many occurrences", Limit.RULES
        )  # excluded days cost steps too
    if prod(max(1, len(set(map(str, parts.get(name, ()))))) for name in _FINER) > MAX_TIMES:
        why = f"the rule names more than {MAX_TIMES} times a day"
        _refuse(rule, "C:max-instances", why, Limit.RULES)
    steps = _steps_a_day(parts, frequency)
    count = int(parts["COUNT"][0]) if "COUNT" in parts else None
    until = _local_until(parts)
    if (count or 0) > MOST_IN_ALL or (
        steps > MOST_A_DAY and not _ends_soon(steps, start, count, until)
    ):
        _refuse(rule, "C:max-instances", _TOO_COSTLY, Limit.RULES)
    if until is not None and until < start:
        return start  # the only occurrence of such a rule is DTSTART itself
    if conditions and not _has_occurrence(rule, parts, start, frequency, budget):
        budget.draw(0)  # it may only not have been found
        _refuse(rule, "C:valid-calendar-data", "the rule has no occurrences")
    if count is not None:
        return _end_of_counted(rule, parts, start, frequency, count, budget)
    return until


def _ends_soon(steps: float, start: datetime, count: int | None, until: datetime | None) -> bool:
    if count is not None:
        return True
    return until is not None and steps * ((until - start) / timedelta(days=1)) <= MOST_IN_ALL


def _parts(rule: Property) -> dict[str, list[Any]]:
    try:
        parts = {str(name).upper(): list(value) for name, value in _recur(rule.value).items()}
        if any(int(value) < 1 for name in ("INTERVAL", "COUNT") for value in parts.get(name, ())):
            raise ValueError("INTERVAL and COUNT must be 1 or more")
        if str(parts["FREQ"][0]).upper() not in _STEPS_A_DAY:
            raise ValueError("unknown FREQ")
        if not all(isinstance(until, date) for until in parts.get("UNTIL", ())):
            raise ValueError("UNTIL is not a date")
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
    # UNTIL may be in UTC and DTSTART local, or the other way round: one more day covers both.
    naive: datetime = until.replace(tzinfo=None)
    return naive + timedelta(days=1) if naive.year < 9999 else naive


def _interval(parts: dict[str, list[Any]]) -> int:
    return int(parts.get("INTERVAL", [1])[0])


def _steps_a_day(parts: dict[str, list[Any]], frequency: str) -> float:
    finer = _FINER[_FILTERING.get(frequency, 0) :]
    times = prod(max(1, len(parts.get(name, ()))) for name in finer)
    days = _DAYS_OF.get(frequency, 1) if set(parts) - _PLAIN - set(_FINER) else 1
    return _STEPS_A_DAY[frequency] / _interval(parts) * times * days


def _refuse(rule: Property, precondition: str, why: str, limit: Limit | None = None) -> NoReturn:
    raise ObjectRefusedError(precondition, f"{why}: {rule.value[:80]!r}", rule.line, limit=limit)


def _later(start: datetime, days: float) -> datetime:
    try:
        return start + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(microsecond=0)


def _has_occurrence(
    rule: Property, parts: dict[str, list[Any]], start: datetime, frequency: str, budget: Budget
) -> bool:
    """Return True if a rule with conditions has an occurrence in the days that are searched."""
    if not _has_a_day(parts):
        return False
    if frequency not in _SEARCHED_DAYS:
        return True
    until = _later(start, _SEARCHED_DAYS[frequency] * min(_interval(parts), 40))
    with budget.for_expansion() as own:
        iterator = _iterator(rule, start, until, own)
        return iterator is None or next(iter(iterator), None) is not None or until.year == 9999


def _has_a_day(parts: dict[str, list[Any]]) -> bool:
    """Return True if any of the months has any of the days; clients have sent 30 February."""
    days = [abs(int(day)) for day in parts.get("BYMONTHDAY", ())]
    months = [int(str(month).rstrip("L")) for month in parts.get("BYMONTH", range(1, 13))]
    if not days:
        return True
    return any(1 <= m <= 12 and min(days) <= _LONGEST_MONTH[m - 1] for m in months)


def _end_of_counted(
    rule: Property,
    parts: dict[str, list[Any]],
    start: datetime,
    frequency: str,
    count: int,
    budget: Budget,
) -> datetime | None:
    if set(parts) - _PLAIN:
        until = _later(start, _SEARCHED_DAYS.get(frequency, 15) * min(_interval(parts), 40))
    else:
        until = _later(start, (count + 1) / _STEPS_A_DAY[frequency] * _interval(parts) * 1.2)
    with budget.for_expansion() as own:
        iterator = _iterator(rule, start, until, own)
        # If DTSTART does not match the rule, some programs count it and others do not: the later
        # end is safe.
        found = list(islice(iterator, count)) if iterator else []
    if iterator is None or (len(found) < count and until.year < 9999):
        # It lasts for longer than should be expanded here; no end is safe too.
        return None
    return EPOCH + timedelta(seconds=found[-1]) if found else start


def _iterator(
    rule: Property, start: datetime, until: datetime, budget: Budget
) -> RuleIterator | None:
    """Return an iterator over a rule without its COUNT and UNTIL; None if there is none."""
    text = _unbounded(rule)
    if not is_grammatical(text):
        raise _unreadable(rule)
    read = read_rule(text, local_seconds(start), is_day=False, zoned=False)
    return RuleIterator(read, None, local_seconds(until), budget) if read else None


def _unbounded(rule: Property) -> str:
    """Return the value of a rule without UNTIL and COUNT."""
    parts = rule.value.strip().rstrip(";").split(";")
    return ";".join(p for p in parts if p.partition("=")[0].upper() not in ("UNTIL", "COUNT"))


def _unreadable(rule: Property) -> ObjectRefusedError:
    return ObjectRefusedError(
        "C:valid-calendar-data", f"the rule is invalid: {rule.value[:80]!r}", rule.line
    )
