"""When an object happens, as a table of intervals has it, what is not in the table included."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from kalends.errors import ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.bounds import TimeBounds
from kalends.ical.recurrence.duration import FOREVER
from kalends.ical.recurrence.expand import Budget
from kalends.ical.recurrence.occurrences import (
    Occurrence,
    happens_between,
    occurrences_between,
    occurrences_of,
)
from kalends.ical.timezones.resolve import vtimezones_of

_WEEK = 7 * 86400
_FEW = 8


class Interval(NamedTuple):
    """When an object happens, or may happen: ``[start, end)`` in seconds since 1970.

    Attributes:
        floating: whether the seconds are those of a clock without zone.
        sure: whether it happens; if not, only its text can tell what is in that time.
        step: seconds after which the same comes again.
        again: how many times it does.
    """

    start: int
    end: int
    floating: bool
    certain: bool
    step: int = 0
    repeats: int = 0

    @property
    def last_end(self) -> int:
        """The end of the last time."""
        return self.end + self.step * self.repeats


def intervals_of(
    components: Sequence[Component], vtimezones: Mapping[str, str], span: TimeBounds, now: int
) -> Iterator[Interval]:
    """What is known of an object's occurrences, and when it may have others.

    Args:
        components: as ``occurrences_of`` has them.
        vtimezones: the object's VTIMEZONEs by TZID.
        span: what all its occurrences lie in.
        now: seconds since 1970, UTC.
    """
    known = occurrences_of(components, vtimezones, now)
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
    """Return sorted occurrences as intervals, one for those that follow one another in equal steps.

    What comes on several days of a week has no equal steps, but each day of the week has.
    """
    together = _equal_steps(occurrences)
    if len(together) < _FEW or len(together) * 3 < len(occurrences):
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


def matches_time_range(data: bytes, start: int | None, end: int | None, zone: tzinfo) -> bool:
    """Whether an object that was stored happens in a time range, by its text (RFC 4791, 9.9).

    Args:
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: what times without a zone are read in.
    """
    return happens_between(*_read(data), start, end, zone)


def has_duplicate_starts(data: bytes, start: int, end: int, zone: tzinfo, budget: Budget) -> bool:
    """Whether an object that was stored begins twice at the same time in a range; in doubt it does.

    An override may have been moved to where another occurrence is. As intervals they are one, or
    differ in their ends alone.

    Args:
        start: seconds since 1970, UTC.
        end: the same, exclusive.
        zone: what times without a zone are read in.
        budget: what this and others may cost together.
    """
    try:
        found = occurrences_between(*_read(data), start, end, zone, budget)
    except ObjectRefusedError:  # an earlier version took it
        return True
    begins = {(occurrence.floating, occurrence.start) for occurrence, _ in found}
    return budget.is_spent or len(begins) < len(found)


def _read(data: bytes) -> tuple[list[Component], Mapping[str, str]]:
    """The components of an object that happen, and its time zones."""
    (calendar,) = contentlines.parse(data.decode("utf-8"))
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    return parts, vtimezones_of(calendar)
