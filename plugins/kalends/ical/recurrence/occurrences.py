"""When an object happens: as rows of a table for the time that matters, and exactly for any other.

RFC 4791 section 9.9. What the table covers is answered by a look-up; the rest from the object's
text, in bounded time: where that does not suffice the answer is that it happens, because a client
can leave out what it is shown, but not find what it is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import DAY, FIRST_SECOND, LAST_SECOND, MARGIN
from kalends.ical.recurrence.duration import Occurrence
from kalends.ical.recurrence.expand import Budget
from kalends.ical.recurrence.plan import RecurrenceSet, read_recurrence_set
from kalends.ical.recurrence.series import Expansion
from kalends.ical.timezones.offsets import local_times_at

__all__ = [
    "Occurrence",
    "Occurrences",
    "happens_between",
    "last_end",
    "local_range",
    "occurrences_between",
    "occurrences_of",
]

KEPT = 400
"""Rows of one object, at most: a year of a daily event with room to spare, or eight of a weekly."""

HORIZON = 2 * 365 * DAY
"""How far ahead of now is kept, seconds: clients ask for weeks and months, some for a year."""

PAST = 60 * DAY
"""How far back of now is kept of what happens too often to be kept whole, seconds."""


class Occurrences(NamedTuple):
    """What the table holds of an object.

    From ``covered_from`` to before ``covered_until`` the object happens as ``found`` says; outside
    of that it may or may not. Where the first is not before the second nothing is covered.

    Attributes:
        found: sorted, each once.
        covered_from: seconds since 1970, UTC; None: ``found`` has all that happens before.
        covered_until: the same, exclusive; None: ``found`` has all that happens after.
    """

    found: tuple[Occurrence, ...]
    covered_from: int | None
    covered_until: int | None


def occurrences_of(
    components: Sequence[Component], vtimezones: Mapping[str, str], now: int
) -> Occurrences:
    """What the table is to hold of an object.

    Args:
        components: a master and its overrides, of one type, that ``time_bounds`` accepts.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.
        now: seconds since 1970, UTC.
    """
    recurrence_set = read_recurrence_set(components, vtimezones)
    horizon = now + HORIZON
    found, until = _expand(recurrence_set, None, horizon)
    if until is None or until >= horizon:
        return _limit(found, None, until, now)
    # It is too dense to be kept from its beginning, or too hard to be walked from there.
    found, until = _expand(recurrence_set, now - PAST, horizon)
    return _limit(found, now - PAST, until, now)


def happens_between(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    start: int | None,
    end: int | None,
    zone: tzinfo,
) -> bool:
    """Whether an object happens in a time range; in doubt it does.

    Args:
        components: as ``occurrences_of`` has them.
        vtimezones: as ``occurrences_of`` has them.
        start: seconds since 1970, UTC; None without a bound.
        end: seconds since 1970, UTC, exclusive; None without a bound.
        zone: what floating times and days are read in.
    """
    recurrence_set = read_recurrence_set(components, vtimezones)
    ranges = {False: (start, end), True: local_range(start, end, zone)}

    def matches(occurrence: Occurrence) -> bool:
        begin, finish = ranges[occurrence.floating]
        return (finish is None or occurrence.start < finish) and (
            begin is None or occurrence.end > begin
        )

    if any(map(matches, recurrence_set.fixed)):
        return True
    budget = Budget()
    for series in recurrence_set.series:
        since = None if start is None else start - MARGIN - series.max_after
        until = None if end is None else end + MARGIN + series.max_before
        expansion = Expansion(series, since, until, budget)
        if any(matches(occurrence) for _, occurrence in expansion):
            return True
        if expansion.incomplete_from is not None and (
            until is None or expansion.incomplete_from < until
        ):
            return True
    return False


def last_end(components: Sequence[Component], vtimezones: Mapping[str, str]) -> int | None:
    """When an object has happened for the last time; None: it has no end, or none can be told.

    Times without a zone and days end with the last clock on earth.

    Args:
        components: as ``occurrences_of`` has them.
        vtimezones: as ``occurrences_of`` has them.

    Returns:
        seconds since 1970, UTC, of the latest end; those of the beginning of time if it never
        happens.

    Raises:
        ObjectRefusedError: a time in it cannot be read.
    """
    recurrence_set = read_recurrence_set(components, vtimezones)
    last = max(
        (_latest_end(occurrence) for occurrence in recurrence_set.fixed), default=FIRST_SECOND
    )
    budget = Budget()
    for series in recurrence_set.series:
        if any(
            rule is None or (rule.count is None and rule.until is None) for rule in series.rules
        ):
            return None
        expansion = Expansion(series, None, None, budget)
        last = max(last, *(_latest_end(occurrence) for _, occurrence in expansion), FIRST_SECOND)
        if expansion.incomplete_from is not None:
            return None
    return last if last < LAST_SECOND else None


def _latest_end(occurrence: Occurrence) -> int:
    return occurrence.end + (DAY // 2 if occurrence.floating else 0)


def occurrences_between(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    start: int,
    end: int,
    zone: tzinfo,
    budget: Budget,
) -> list[tuple[Occurrence, Component]]:
    """When an object happens in a time range, and which of its components tells what happens then.

    Args:
        components: as ``occurrences_of`` has them.
        vtimezones: as ``occurrences_of`` has them.
        start: seconds since 1970, UTC.
        end: seconds since 1970, UTC, exclusive.
        zone: what floating times and days are read in.
        budget: what this and others may cost together; once it is spent, something may be missing.
    """
    recurrence_set = read_recurrence_set(components, vtimezones)
    local = local_times_at(start, zone)[0], local_times_at(end, zone)[1]
    found = list(zip(recurrence_set.fixed, recurrence_set.components, strict=True))
    for series in recurrence_set.series:
        since, until = start - MARGIN - series.max_after, end + MARGIN + series.max_before
        zone_rules = series.anchor.zone_rules
        found.extend(
            (occurrence, series.component_at(zone_rules.to_instant(place)))
            for place, occurrence in Expansion(series, since, until, budget)
        )

    def matches(occurrence: Occurrence) -> bool:
        begin, finish = local if occurrence.floating else (start, end)
        return occurrence.start < finish and occurrence.end > begin

    return [(occurrence, part) for occurrence, part in found if matches(occurrence)]


def local_range(start: int | None, end: int | None, zone: tzinfo) -> tuple[int | None, int | None]:
    """A range as the clock of ``zone`` shows it, in the seconds of floating occurrences.

    Where the clock is changed it is up to the change longer, so that it holds all that can be
    meant.

    Args:
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: the time zone.
    """
    return (
        None if start is None else local_times_at(start, zone)[0],
        None if end is None else local_times_at(end, zone)[1],
    )


def _expand(
    recurrence_set: RecurrenceSet, since: int | None, horizon: int
) -> tuple[list[Occurrence], int | None]:
    """All fixed occurrences, and of each series as many as may be kept.

    Args:
        since: what ends before is not wanted; seconds, UTC.
        horizon: what begins later is not wanted.

    Returns:
        also from when on something may be missing, UTC, or None.
    """
    found = list(recurrence_set.fixed)
    budget = Budget()
    missing: int | None = None
    for series in recurrence_set.series:
        first = None if since is None else since - MARGIN - series.max_after
        beyond = MARGIN + series.max_before
        expansion = Expansion(series, first, horizon + beyond, budget)
        kept, incomplete_from = 0, None
        for local, occurrence in expansion:
            if since is not None and occurrence.end <= since - MARGIN:
                continue
            if kept == KEPT:
                incomplete_from = local
                break
            found.append(occurrence)
            kept += 1
        else:
            incomplete_from = expansion.incomplete_from
        if incomplete_from is not None:
            sure_until = incomplete_from - beyond
            missing = sure_until if missing is None else min(missing, sure_until)
    return found, missing


def _limit(
    found: list[Occurrence], covered_from: int | None, covered_until: int | None, now: int
) -> Occurrences:
    """Not more than may be kept."""
    kept = sorted(set(found))
    if len(kept) > KEPT:
        wanted = [occurrence for occurrence in kept if occurrence.end > now - PAST - MARGIN]
        if len(wanted) < len(kept):
            covered_from = now - PAST
        kept = wanted
    if len(kept) > KEPT:
        first_left = kept[KEPT].start - MARGIN
        covered_until = first_left if covered_until is None else min(covered_until, first_left)
        del kept[KEPT:]
    return Occurrences(tuple(kept), covered_from, covered_until)
