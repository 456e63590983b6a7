"""Intervals of an object's occurrences, as the store's time range index holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.errors import BudgetSpentError, IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.bounds import TimeBounds
from kalends.ical.recurrence.duration import FOREVER
from kalends.ical.recurrence.occurrences import (
    Occurrence,
    happens_between,
    occurrences_between,
    occurrences_of,
)
from kalends.ical.timezones.resolve import vtimezones_of

_WEEK = 7 * 86400
_MANY_INTERVALS = 8


class Interval(NamedTuple):
    """A time at which an object happens or may happen, perhaps repeated in equal steps.

    Attributes:
        start: the beginning, seconds since 1970.
        end: the end, exclusive, seconds since 1970.
        floating: whether the seconds are local (floating times and days), not UTC.
        certain: whether it is an occurrence; if not, the object's text must be expanded to find
            those in the interval.
        step: seconds from one repetition to the next.
        repeats: the number of repetitions.
    """

    start: int
    end: int
    floating: bool
    certain: bool
    step: int = 0
    repeats: int = 0

    @property
    def last_end(self) -> int:
        """The end of the last repetition, seconds since 1970."""
        return self.end + self.step * self.repeats


def intervals_of(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    span: TimeBounds,
    now: int,
    budget: Budget | None = None,
) -> Iterator[Interval]:
    """Yield the intervals of an object for the index.

    Args:
        components: a master and its overrides, as for ``occurrences_of``.
        vtimezones: the object's VTIMEZONEs by TZID.
        span: the bounds of all its occurrences.
        now: seconds since 1970, UTC.
        budget: the steps that the object's reading may take; as many as usual if not given.

    Raises:
        BudgetSpentError: the steps are not left.
    """
    known = occurrences_of(components, vtimezones, now, budget)
    yield from runs_of(known.found)
    start = -FOREVER if span.start is None else span.start
    end = FOREVER if span.end is None else span.end
    since, until = known.covered_from, known.covered_until
    if since is not None and until is not None and since >= until:
        yield Interval(start, end, floating=False, certain=False)
        return
    if since is not None and start < since:
        yield Interval(start, since, floating=False, certain=False)
    if until is not None and until < end:
        yield Interval(until, end, floating=False, certain=False)


def runs_of(occurrences: Sequence[Occurrence]) -> list[Interval]:
    """Return sorted occurrences as intervals, those in equal steps combined.

    Occurrences on several weekdays do not have equal steps, but those of each weekday do.
    """
    together = _equal_steps(occurrences)
    if len(together) < _MANY_INTERVALS or len(together) * 3 < len(occurrences):
        return together
    days: dict[int, list[Occurrence]] = {}
    for occurrence in occurrences:
        days.setdefault(occurrence.start % _WEEK, []).append(occurrence)
    apart = [run for day in days.values() for run in _equal_steps(day)]
    return min(together, apart, key=len)


def _equal_steps(occurrences: Sequence[Occurrence]) -> list[Interval]:
    found: list[Interval] = []
    if not occurrences:
        return found
    begin, finish, kind = previous, _, _ = occurrences[0]
    step = repeats = 0
    for start, end, floating in occurrences[1:]:
        gap = start - previous
        previous = start
        if end - start == finish - begin and floating == kind and gap == (step or gap) and gap > 0:
            step, repeats = gap, repeats + 1
            continue
        found.append(Interval(begin, finish, kind, certain=True, step=step, repeats=repeats))
        begin, finish, kind, step, repeats = start, end, floating, 0, 0
    found.append(Interval(begin, finish, kind, certain=True, step=step, repeats=repeats))
    return found


def matches_time_range(
    data: bytes, start: int | None, end: int | None, zone: tzinfo, budget: Budget
) -> bool:
    """Return True if the text of a stored object matches a time range (RFC 4791 section 9.9).

    It matches in doubt too: if it cannot be read (an earlier version stored it), or if the steps of
    the request are spent.

    Args:
        data: the octets of the object.
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
        budget: the steps of the request, of which the object may take its share.
    """
    if budget.is_spent:
        return True
    try:
        with budget.for_object() as own:
            return happens_between(*_parse(data, own), start, end, zone, own)
    except (BudgetSpentError, IcalendarSyntaxError, ObjectRefusedError):
        return True


def has_duplicate_starts(data: bytes, start: int, end: int, zone: tzinfo, budget: Budget) -> bool:
    """Return True if two occurrences in a range begin at the same time, or if that is uncertain.

    An override may have been moved to the time of another occurrence. The index has one interval
    for both, or two that differ only in their ends.

    Args:
        data: the octets of a stored object.
        start: seconds since 1970, UTC.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
        budget: the steps of the request, of which the object may take its share.
    """
    try:
        with budget.for_object() as own:
            found = occurrences_between(*_parse(data, own), start, end, zone, own)
    except (BudgetSpentError, IcalendarSyntaxError, ObjectRefusedError):
        return True
    begins = {(occurrence.floating, occurrence.start) for occurrence, _ in found}
    return own.is_spent or len(begins) < len(found)


def _parse(data: bytes, budget: Budget) -> tuple[list[Component], Mapping[str, str]]:
    """Return the components of an object except VTIMEZONEs, and these by TZID."""
    (calendar,) = contentlines.parse(data.decode("utf-8"), budget=budget)
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    return parts, vtimezones_of(calendar)
