"""A recurrence rule's occurrences, from wherever one asks, and never more than a bounded walk.

All times here are local: seconds since 1970 of a clock without a zone. RFC 5545 section 3.3.10, as
dateutil reads it; unlike dateutil it begins in the middle and gives up in time.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

DAY = 86400
"""Seconds."""

MARGIN = 2 * DAY
"""Local seconds and UTC are less than a day apart, and a change of a clock is less than another."""

STEPS = 20_000
"""Occurrences that are walked for one question."""

LOOKS = 10 * STEPS
"""Days and hours that are looked at for one question, fitting or not: some 100 ms of them."""

_EPOCH = date(1970, 1, 1).toordinal()
FIRST_SECOND = (1 - _EPOCH) * DAY
LAST_SECOND = (date.max.toordinal() + 1 - _EPOCH) * DAY - 1
"""The last second of the year 9999, as FIRST_SECOND is the first of the year 1."""

_WEEKDAYS = {name: number for number, name in enumerate(("MO", "TU", "WE", "TH", "FR", "SA", "SU"))}
_UNITS = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY", *_UNITS})
# Which numbers a part may have; a number below zero counts from the end where it may be one.
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
_KNOWN = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES})


@dataclass(slots=True)
class Budget:
    """What one question may cost, in all its walks together."""

    looks: int = LOOKS
    steps: int = STEPS

    @property
    def spent(self) -> bool:
        """Whether to give up."""
        return self.looks < 0 or self.steps < 0


@dataclass(slots=True)
class Rule:
    """An RRULE and the local second at which DTSTART begins.

    Attributes:
        until: a local second after which it does not happen.
        last_instant: the second, UTC, after which it does not happen, if UNTIL tells that.
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
    tests: list[Callable[[int], bool]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


def read_rule(value: str, first: int, is_day: bool, zoned: bool) -> Rule | None:
    """An RRULE's value, or None if it is none that can be walked.

    Args:
        first: DTSTART, local seconds.
        is_day: whether DTSTART is a day; hours mean nothing then.
        zoned: whether DTSTART has a zone; without one, UNTIL is read as DTSTART is.
    """
    pairs = (part.partition("=") for part in value.strip().upper().split(";"))
    parts = {name: text for name, mark, text in pairs if mark}
    if parts.get("FREQ") not in _FREQUENCIES or not _KNOWN.issuperset(parts):
        return None
    try:
        return _made(parts, first, is_day, zoned)
    except (ValueError, KeyError, OverflowError):
        return None


def _made(parts: dict[str, str], first: int, is_day: bool, zoned: bool) -> Rule:
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
    _imply(rule)
    rule.tests = _tests(rule)
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
    day = date(int(text[:4]), int(text[4:6]), int(text[6:8])).toordinal() - _EPOCH
    if len(text) == 8:
        return day * DAY + DAY - 1
    time = datetime.strptime(text[8:15], "T%H%M%S")
    return day * DAY + time.hour * 3600 + time.minute * 60 + time.second


def _imply(rule: Rule) -> None:
    """The days that a rule takes from DTSTART because it names none."""
    if rule.month_days or rule.year_days or rule.weeks or rule.weekdays or rule.nth_weekdays:
        return
    day = _date(rule.first // DAY)
    if rule.frequency == "WEEKLY":
        rule.weekdays = frozenset({day.weekday()})
    elif rule.frequency in ("MONTHLY", "YEARLY"):
        rule.month_days = frozenset({day.day})
        if rule.frequency == "YEARLY" and not rule.months:
            rule.months = frozenset({day.month})


def _offsets(rule: Rule) -> list[int]:
    """Where in its day (or hour, or minute) a rule happens, seconds."""
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


def _tests(rule: Rule) -> list[Callable[[int], bool]]:
    """What a day, counted from 1970, must pass; the cheapest first.

    What ``Walk._days`` has chosen by already is not among them: months and their days, and the
    days of a week.
    """
    tests: list[Callable[[int], bool]] = []
    if rule.frequency != "WEEKLY" and (rule.weekdays or rule.nth_weekdays):
        tests.append(_weekday_test(rule))
    if rule.frequency not in ("MONTHLY", "YEARLY"):
        if rule.months:
            tests.append(lambda day: _date(day).month in rule.months)
        if rule.month_days:
            tests.append(lambda day: _either(rule.month_days, *_place_in_month(day)))
    if rule.year_days:
        tests.append(lambda day: _either(rule.year_days, *_place_in_year(day)))
    if rule.weeks:
        tests.append(lambda day: _either(rule.weeks, *_week(day, rule.week_start)))
    return tests


def _weekday_test(rule: Rule) -> Callable[[int], bool]:
    plain, nth = rule.weekdays, rule.nth_weekdays
    if not nth:
        return lambda day: (day + 3) % 7 in plain  # 1970 began on a Thursday
    named = {weekday for _, weekday in nth}
    place = _place_in_year if rule.frequency == "YEARLY" and not rule.months else _place_in_month

    def fits(day: int) -> bool:
        weekday = (day + 3) % 7
        if weekday in plain or weekday not in named:
            return weekday in plain
        number, length = place(day)
        after = (length - number) // 7
        return ((number - 1) // 7 + 1, weekday) in nth or (-after - 1, weekday) in nth

    return fits


def _either(wanted: frozenset[int], number: int, length: int) -> bool:
    """Whether a place counted from 1 is wanted, be it as counted from the end."""
    return number in wanted or number - length - 1 in wanted


def _date(day: int) -> date:
    return date.fromordinal(day + _EPOCH)


def _place_in_month(day: int) -> tuple[int, int]:
    found = _date(day)
    return found.day, monthrange(found.year, found.month)[1]


def _place_in_year(day: int) -> tuple[int, int]:
    year = _date(day).year
    first = date(year, 1, 1).toordinal() - _EPOCH
    return day - first + 1, 365 + (monthrange(year, 2)[1] == 29)


def _week(day: int, week_start: int) -> tuple[int, int]:
    """The week's number and how many its year has: a week is of the year that has its middle."""
    middle = day - ((day + 3) - week_start) % 7 + 3
    number, length = _place_in_year(min(max(middle, 1 - _EPOCH), LAST_SECOND // DAY))
    return (number - 1) // 7 + 1, (number - 1) // 7 + 1 + (length - number) // 7


class Walk:
    """One way through a rule's occurrences, ascending; DTSTART is among them only if it fits.

    Attributes:
        reached: after the walk: the local second from which on nothing was looked for, or None if
            nothing can come any more.
    """

    def __init__(self, rule: Rule, since: int | None, until: int | None, budget: Budget) -> None:
        self.reached: int | None = None
        self._rule = rule
        self._since = rule.first if since is None else max(since, rule.first)
        self._horizon = LAST_SECOND if until is None else until
        self._budget = budget
        weekdays = rule.weekdays or range(7)
        self._in_week = sorted((day - rule.week_start) % 7 for day in weekdays)

    def __iter__(self) -> Iterator[int]:
        step = self._even_step()
        return self._evenly(step) if step else self._one_by_one()

    def _even_step(self) -> int | None:
        """The seconds between any two occurrences, of a rule that has nothing but DTSTART and that.

        Most rules are so: every day, every second week, on the weekday of DTSTART.
        """
        rule, day = self._rule, self._rule.first // DAY
        if rule.tests or rule.positions or rule.offsets != [rule.first % DAY]:
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
            if local > self._horizon or budget.spent:
                self.reached = local
                return
            budget.looks -= 1
            budget.steps -= 1
            yield local
            local += step

    def _one_by_one(self) -> Iterator[int]:
        rule, budget, since = self._rule, self._budget, self._since
        ends = LAST_SECOND if rule.until is None else rule.until
        left = rule.count
        for begin, found in self._periods():
            budget.looks -= 1
            if begin > ends:
                return
            if begin > self._horizon or budget.spent:
                self.reached = begin
                return
            for local in found:
                if local < rule.first:
                    continue
                if local > ends:
                    return
                if left is not None:
                    if left == rule.count and local != rule.first:
                        left -= 1  # DTSTART is always the first that counts
                    if left <= 0:
                        return
                    left -= 1
                if local >= since:
                    if local > self._horizon:
                        self.reached = local
                        return
                    budget.steps -= 1
                    yield local

    def _periods(self) -> Iterator[tuple[int, Iterable[int]]]:
        """Each period (a day, a week…): where it begins, and what happens in it, ascending."""
        rule = self._rule
        # A counted rule has to be counted from its beginning.
        since = rule.first if rule.count is not None else min(self._since, LAST_SECOND)
        if rule.frequency in _UNITS:
            yield from self._ticks(since)
            return
        number = self._period_of(since)
        while (days := self._days(number)) is not None:
            begin = days[0] * DAY if days else self._begin(number)
            self._budget.looks -= len(days)
            for test in rule.tests:
                days = [day for day in days if test(day)]
            found = [day * DAY + offset for day in days for offset in rule.offsets]
            yield begin, self._positioned(found) if rule.positions else found
            number += 1

    def _positioned(self, found: list[int]) -> list[int]:
        length = len(found)
        places = (p - 1 if p > 0 else length + p for p in self._rule.positions)
        return sorted({found[place] for place in places if 0 <= place < length})

    def _period_of(self, local: int) -> int:
        """The number of the period that ``local`` is in, or of the last one before."""
        rule, day, first = self._rule, local // DAY, self._rule.first // DAY
        if rule.frequency == "DAILY":
            return (day - first) // rule.interval
        if rule.frequency == "WEEKLY":
            return (day - self._first_week()) // (7 * rule.interval)
        there, begin = _date(day), _date(first)
        months = (there.year - begin.year) * 12 + there.month - begin.month
        if rule.frequency == "MONTHLY":
            return months // rule.interval
        return (there.year - begin.year) // rule.interval

    def _first_week(self) -> int:
        first = self._rule.first // DAY
        return first - (first + 3 - self._rule.week_start) % 7

    def _days(self, number: int) -> Sequence[int] | None:
        """The days of a period that may fit, counted from 1970; None: after the year 9999."""
        rule, last = self._rule, LAST_SECOND // DAY
        if rule.frequency == "DAILY":
            day = rule.first // DAY + number * rule.interval
            return (day,) if day <= last else None
        if rule.frequency == "WEEKLY":
            week = self._first_week() + number * 7 * rule.interval
            # The first week begins with DTSTART: it matters to BYSETPOS, and dateutil has it so.
            begin = max(week, rule.first // DAY)
            if begin > last:
                return None
            return [week + n for n in self._in_week if begin <= week + n <= last]
        year, month = self._month(number)
        if year > date.max.year:
            return None
        if rule.frequency == "MONTHLY":
            return self._month_days(year, month) if _none_or_in(month, rule.months) else ()
        months = sorted(rule.months) or range(1, 13)
        return [day for month in months for day in self._month_days(year, month)]

    def _month(self, number: int) -> tuple[int, int]:
        first = _date(self._rule.first // DAY)
        if self._rule.frequency == "YEARLY":
            return first.year + number * self._rule.interval, 1
        months = first.year * 12 + first.month - 1 + number * self._rule.interval
        return months // 12, months % 12 + 1

    def _begin(self, number: int) -> int:
        """Where a week, month or year begins in which no day fits."""
        if self._rule.frequency == "WEEKLY":
            return (self._first_week() + number * 7 * self._rule.interval) * DAY
        return (date(*self._month(number), 1).toordinal() - _EPOCH) * DAY

    def _month_days(self, year: int, month: int) -> Sequence[int]:
        first = date(year, month, 1).toordinal() - _EPOCH
        length = monthrange(year, month)[1]
        if not self._rule.month_days:
            return range(first, first + length)
        days = {day if day > 0 else length + 1 + day for day in self._rule.month_days}
        return [first + day - 1 for day in sorted(days) if 1 <= day <= length]

    def _ticks(self, since: int) -> Iterator[tuple[int, Iterable[int]]]:
        """The hours, minutes or seconds of a rule that counts in them."""
        rule = self._rule
        unit = _UNITS[rule.frequency]
        step = unit * rule.interval
        begin = rule.first - rule.first % unit
        tick = begin + (since - begin) // step * step
        while tick <= LAST_SECOND:
            later = self._unfit_until(tick)
            if later is None:
                yield tick, [tick + offset for offset in rule.offsets]
                tick += step
            else:
                yield tick, ()
                tick += -((tick - later) // step) * step

    def _unfit_until(self, tick: int) -> int | None:
        """The end of the day, hour, minute or second that does not fit, or None."""
        rule = self._rule
        if not all(test(tick // DAY) for test in rule.tests):
            return tick // DAY * DAY + DAY
        if not _none_or_in(tick % DAY // 3600, rule.hours):
            return tick // 3600 * 3600 + 3600
        if rule.frequency == "HOURLY":
            return None
        if not _none_or_in(tick % 3600 // 60, rule.minutes):
            return tick // 60 * 60 + 60
        if rule.frequency == "SECONDLY" and not _none_or_in(tick % 60, rule.seconds):
            return tick + 1
        return None


def _none_or_in(value: int, wanted: frozenset[int]) -> bool:
    return not wanted or value in wanted
