"""Expansion of recurrence rules, from any start and in bounded time.

All times here are local: seconds since 1970 of a clock without a zone. The rules of RFC 5545
section 3.3.10 are read as dateutil reads them; unlike dateutil, the expansion can begin in the
middle and stops when its budget is spent.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from kalends.common.budget import OCCURRENCE_STEPS, Budget
from kalends.ical.recurrence.days import DAY, EPOCH_DAY, LAST_SECOND, date_of
from kalends.ical.recurrence.rrule import UNITS, Rule

_PERIOD_STEPS = 3
"""The steps of finding the days of a period, for each of its months; and those of an hour."""


class RuleIterator:
    """An iteration over a rule's occurrences, ascending, in local seconds.

    DTSTART is among them only if it matches the rule.

    Args:
        rule: the rule.
        since: occurrences before this local second are skipped; None for all.
        until: the iteration stops after this local second; None for the end of time.
        budget: the limit of the work.

    Attributes:
        incomplete_from: after the iteration, the local second from which on occurrences may be
            missing; None if there are no more.
    """

    def __init__(self, rule: Rule, since: int | None, until: int | None, budget: Budget) -> None:
        self.incomplete_from: int | None = None
        self._rule = rule
        self._since = rule.first if since is None else max(since, rule.first)
        self._horizon = LAST_SECOND if until is None else until
        self._budget = budget
        weekdays = rule.weekdays or range(7)
        self._in_week = sorted((day - rule.week_start) % 7 for day in weekdays)
        has_months = rule.frequency == "MONTHLY" or bool(rule.months)
        self._nth_in_month = has_months and not rule.weekdays and not rule.month_days

    def __iter__(self) -> Iterator[int]:
        step = self._even_step()
        return self._evenly(step) if step else self._by_period()

    def _even_step(self) -> int | None:
        """Return the seconds between occurrences if all are equally far apart, or None.

        Most rules are like that: every day, or every second week on the weekday of DTSTART.
        """
        rule, day = self._rule, self._rule.first // DAY
        if rule.day_tests or rule.positions or rule.offsets != [rule.first % DAY]:
            return None
        if rule.frequency == "DAILY":
            return rule.interval * DAY
        on_its_day = self._in_week == [(day + 3 - rule.week_start) % 7]
        return rule.interval * 7 * DAY if rule.frequency == "WEEKLY" and on_its_day else None

    def _evenly(self, step: int) -> Iterator[int]:
        rule, budget = self._rule, self._budget
        ends = LAST_SECOND if rule.until is None else min(rule.until, LAST_SECOND)
        if rule.count is not None:
            ends = min(ends, rule.first + (rule.count - 1) * step)
        local = rule.first + -((rule.first - self._since) // step) * step
        while local <= ends:
            if local > self._horizon or not budget.take(OCCURRENCE_STEPS):
                self.incomplete_from = local
                return
            yield local
            local += step

    def _by_period(self) -> Iterator[int]:
        rule, budget, since = self._rule, self._budget, self._since
        ends = LAST_SECOND if rule.until is None else rule.until
        left = rule.count
        for begin, found in self._periods():
            if begin > ends:
                return
            if begin > self._horizon or budget.is_spent:
                self.incomplete_from = begin
                return
            for local in found:
                if local < rule.first:
                    continue
                if local > ends:
                    return
                if left is not None:
                    if left == rule.count and local != rule.first:
                        left -= 1  # DTSTART is always the first that is counted
                    if left <= 0:
                        return
                    left -= 1
                if local >= since:
                    if local > self._horizon or not budget.take(OCCURRENCE_STEPS):
                        self.incomplete_from = local
                        return
                    yield local

    def _periods(self) -> Iterator[tuple[int, Iterable[int]]]:
        """Yield the beginning of each period (a day, a week…) and its occurrences, ascending."""
        rule = self._rule
        # A rule with COUNT must be counted from its beginning.
        since = rule.first if rule.count is not None else min(self._since, LAST_SECOND)
        if rule.frequency in UNITS:
            yield from self._ticks(since)
            return
        months = len(rule.months) or 12 if rule.frequency == "YEARLY" else 1
        number = self._period_of(since)
        while (days := self._candidate_days(number)) is not None:
            begin = days[0] * DAY if days else self._begin(number)
            self._budget.take(_PERIOD_STEPS * months + len(days) + len(rule.positions))
            for test in rule.day_tests:
                self._budget.take(test.steps * len(days))
                if self._budget.is_spent:
                    break
                days = [day for day in days if test.fits(day)]
            self._budget.take(len(days) * len(rule.offsets))
            found = (day * DAY + offset for day in days for offset in rule.offsets)
            if rule.positions and not self._budget.is_spent:
                yield begin, self._at_positions(list(found))
            else:  # if the budget is spent, nobody looks at them any more
                yield begin, found
            number += 1

    def _at_positions(self, found: list[int]) -> list[int]:
        length = len(found)
        places = (p - 1 if p > 0 else length + p for p in self._rule.positions)
        return sorted({found[place] for place in places if 0 <= place < length})

    def _period_of(self, local: int) -> int:
        """Return the number of the period that contains ``local``, or of the last before it."""
        rule, day, first = self._rule, local // DAY, self._rule.first // DAY
        if rule.frequency == "DAILY":
            return (day - first) // rule.interval
        if rule.frequency == "WEEKLY":
            return (day - self._first_week()) // (7 * rule.interval)
        there, begin = date_of(day), date_of(first)
        months = (there.year - begin.year) * 12 + there.month - begin.month
        if rule.frequency == "MONTHLY":
            return months // rule.interval
        return (there.year - begin.year) // rule.interval

    def _first_week(self) -> int:
        first = self._rule.first // DAY
        return first - (first + 3 - self._rule.week_start) % 7

    def _candidate_days(self, number: int) -> Sequence[int] | None:
        """Return the days of a period that may match, counted from 1970.

        None means that the period is after the year 9999.
        """
        rule, last = self._rule, LAST_SECOND // DAY
        if rule.frequency == "DAILY":
            day = rule.first // DAY + number * rule.interval
            return (day,) if day <= last else None
        if rule.frequency == "WEEKLY":
            week = self._first_week() + number * 7 * rule.interval
            # The first week begins with DTSTART, as in dateutil; this matters for BYSETPOS.
            begin = max(week, rule.first // DAY)
            if begin > last:
                return None
            return [week + n for n in self._in_week if begin <= week + n <= last]
        year, month = self._month(number)
        if year > date.max.year:
            return None
        if rule.frequency == "MONTHLY":
            return self._month_days(year, month) if _is_allowed(month, rule.months) else ()
        months = sorted(rule.months) or range(1, 13)
        return [day for month in months for day in self._month_days(year, month)]

    def _month(self, number: int) -> tuple[int, int]:
        first = date_of(self._rule.first // DAY)
        if self._rule.frequency == "YEARLY":
            return first.year + number * self._rule.interval, 1
        months = first.year * 12 + first.month - 1 + number * self._rule.interval
        return months // 12, months % 12 + 1

    def _begin(self, number: int) -> int:
        """Return the beginning of a week, month or year in which no day matches."""
        if self._rule.frequency == "WEEKLY":
            return (self._first_week() + number * 7 * self._rule.interval) * DAY
        return (date(*self._month(number), 1).toordinal() - EPOCH_DAY) * DAY

    def _month_days(self, year: int, month: int) -> Sequence[int]:
        first = date(year, month, 1).toordinal() - EPOCH_DAY
        length = monthrange(year, month)[1]
        if self._nth_in_month and self._rule.nth_weekdays:  # as in most rules of time zones
            weekday = (first + 3) % 7  # 1970 began on a Thursday
            nth = (_nth(n, (day - weekday) % 7, length) for n, day in self._rule.nth_weekdays)
            return sorted({first + day for day in nth if 0 <= day < length})
        if not self._rule.month_days:
            return range(first, first + length)
        days = {day if day > 0 else length + 1 + day for day in self._rule.month_days}
        return [first + day - 1 for day in sorted(days) if 1 <= day <= length]

    def _ticks(self, since: int) -> Iterator[tuple[int, Iterable[int]]]:
        """Yield the hours, minutes or seconds of a rule with such a frequency."""
        rule = self._rule
        unit = UNITS[rule.frequency]
        step = unit * rule.interval
        begin = rule.first - rule.first % unit
        tick = begin + (since - begin) // step * step
        steps = _PERIOD_STEPS + sum(test.steps for test in rule.day_tests)
        while tick <= LAST_SECOND:
            self._budget.take(steps)
            later = self._end_of_mismatch(tick)
            if later is None:
                self._budget.take(len(rule.offsets))
                yield tick, (tick + offset for offset in rule.offsets)
                tick += step
            else:
                yield tick, ()
                tick += -((tick - later) // step) * step

    def _end_of_mismatch(self, tick: int) -> int | None:
        """Return the end of the day, hour, minute or second that does not match, or None."""
        rule = self._rule
        if not all(test.fits(tick // DAY) for test in rule.day_tests):
            return tick // DAY * DAY + DAY
        if not _is_allowed(tick % DAY // 3600, rule.hours):
            return tick // 3600 * 3600 + 3600
        if rule.frequency == "HOURLY":
            return None
        if not _is_allowed(tick % 3600 // 60, rule.minutes):
            return tick // 60 * 60 + 60
        if rule.frequency == "SECONDLY" and not _is_allowed(tick % 60, rule.seconds):
            return tick + 1
        return None


def _is_allowed(value: int, wanted: frozenset[int]) -> bool:
    return not wanted or value in wanted


def _nth(number: int, first: int, length: int) -> int:
    """Return the nth of the days that are a week apart, counted from the end if it is negative.

    Args:
        number: the number, from 1 or -1.
        first: the first of them in its month, from 0.
        length: the number of days of the month.
    """
    if number > 0:
        return first + 7 * (number - 1)
    return first + 7 * ((length - 1 - first) // 7 + 1 + number)
