"""Occurrences of an object: precomputed for the store's index, or expanded for a query.

RFC 4791 section 9.9. A query within the time that the index covers is a look-up. Any other query
expands the object's text in bounded time; if that does not suffice, the object counts as a match,
because a client can drop a result that it does not need but cannot ask for one that it never saw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from itertools import chain
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import DAY, FIRST_SECOND, LAST_SECOND, MARGIN
from kalends.ical.recurrence.duration import Occurrence
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
"""The most occurrences that the index keeps of an object.

Enough for more than a year of a daily event, or almost eight years of a weekly one.
"""

HORIZON = 2 * 365 * DAY
"""How far the index reaches into the future, seconds.

Clients ask for weeks and months, some for a year.
"""

PAST = 60 * DAY
"""How far the index reaches into the past for objects with too many occurrences, seconds."""


class Occurrences(NamedTuple):
    """The occurrences of an object that the index keeps.

    From ``covered_from`` to before ``covered_until``, ``found`` has all occurrences; outside of
    that there may be others. If the first is not before the second, nothing is covered.

    Attributes:
        found: the occurrences, sorted and without duplicates.
        covered_from: seconds since 1970, UTC; None if ``found`` has all earlier occurrences.
        covered_until: the same, exclusive; None if ``found`` has all later occurrences.
    """

    found: tuple[Occurrence, ...]
    covered_from: int | None
    covered_until: int | None


def occurrences_of(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    now: int,
    budget: Budget | None = None,
) -> Occurrences:
    """Return the occurrences of an object that the index is to keep.

    Args:
        components: a master and its overrides, all of one type, that ``time_bounds`` accepts.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.
        now: seconds since 1970, UTC.
        budget: the steps that the object's reading may take; as many as usual if not given.

    Raises:
        BudgetSpentError: the steps are not left.
    """
    budget = budget or Budget()
    recurrence_set = read_recurrence_set(components, vtimezones, budget)
    horizon = now + HORIZON
    found, until = _expand(recurrence_set, None, horizon, budget)
    if until is None or until >= horizon:
        return _limit(found, None, until, now)
    # It is too dense to be kept from its beginning, or too costly to expand from there.
    found, until = _expand(recurrence_set, now - PAST, horizon, budget)
    return _limit(found, now - PAST, until, now)


def happens_between(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    start: int | None,
    end: int | None,
    zone: tzinfo,
    budget: Budget | None = None,
) -> bool:
    """Return True if an object has an occurrence in a time range, or if that is uncertain.

    Args:
        components: a master and its overrides, as for ``occurrences_of``.
        vtimezones: the object's VTIMEZONEs by TZID.
        start: seconds since 1970, UTC; None without a bound.
        end: seconds since 1970, UTC, exclusive; None without a bound.
        zone: the time zone for floating times and days.
        budget: the steps that the object's reading may take; as many as usual if not given.

    Raises:
        BudgetSpentError: not even those of reading its times are left.
    """
    budget = budget or Budget()
    recurrence_set = read_recurrence_set(components, vtimezones, budget)
    ranges = {False: (start, end), True: local_range(start, end, zone)}

    def matches(occurrence: Occurrence) -> bool:
        begin, finish = ranges[occurrence.floating]
        return (finish is None or occurrence.start < finish) and (
            begin is None or occurrence.end > begin
        )

    if any(map(matches, recurrence_set.fixed)):
        return True
    for series in recurrence_set.series:
        since = None if start is None else start - MARGIN - series.max_after
        until = None if end is None else end + MARGIN + series.max_before
        with budget.for_expansion() as own:
            expansion = Expansion(series, since, until, own)
            if any(matches(occurrence) for _, occurrence in expansion):
                return True
        if expansion.incomplete_from is not None and (
            until is None or expansion.incomplete_from < until
        ):
            return True
    return False


def last_end(
    components: Sequence[Component], vtimezones: Mapping[str, str], budget: Budget | None = None
) -> int | None:
    """Return the end of an object's last occurrence.

    Floating times and days end in the westernmost time zone.

    Args:
        components: a master and its overrides, as for ``occurrences_of``.
        vtimezones: the object's VTIMEZONEs by TZID.
        budget: the steps that the object's reading may take; as many as usual if not given.

    Returns:
        seconds since 1970, UTC; the first second of the year 1 if there are no occurrences; None
        if the object has no end or its end cannot be determined.

    Raises:
        ObjectRefusedError: a time of the object is invalid.
        BudgetSpentError: the steps are not left.
    """
    budget = budget or Budget()
    recurrence_set = read_recurrence_set(components, vtimezones, budget)
    last = max(
        (_latest_end(occurrence) for occurrence in recurrence_set.fixed), default=FIRST_SECOND
    )
    for series in recurrence_set.series:
        if any(
            rule is None or (rule.count is None and rule.until is None) for rule in series.rules
        ):
            return None
        with budget.for_expansion() as own:
            expansion = Expansion(series, None, None, own)
            ends = (_latest_end(occurrence) for _, occurrence in expansion)
            last = max(chain([last], ends))
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
    """Return the occurrences in a time range, each with the component that describes it.

    Args:
        components: a master and its overrides, as for ``occurrences_of``.
        vtimezones: the object's VTIMEZONEs by TZID.
        start: seconds since 1970, UTC.
        end: seconds since 1970, UTC, exclusive.
        zone: the time zone for floating times and days.
        budget: the limit of the work, which calls can share; once it is spent, occurrences may be
            missing.

    Raises:
        BudgetSpentError: not even the steps of reading its times are left.
    """
    recurrence_set = read_recurrence_set(components, vtimezones, budget)
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
    """Convert a time range to the local seconds of floating occurrences.

    At a change of the offset the result is longer by up to that change, so that it contains every
    local time that the range can mean.

    Args:
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: the time zone for floating times.
    """
    return (
        None if start is None else local_times_at(start, zone)[0],
        None if end is None else local_times_at(end, zone)[1],
    )


def _expand(
    recurrence_set: RecurrenceSet, since: int | None, horizon: int, budget: Budget
) -> tuple[list[Occurrence], int | None]:
    """Return all single occurrences, and of each series as many as may be kept.

    Args:
        recurrence_set: the object's recurrence set.
        since: occurrences that end earlier are left out; seconds since 1970, UTC.
        horizon: occurrences that begin later are left out; seconds since 1970, UTC.
        budget: the steps that the object's reading may take.

    Returns:
        the occurrences, and the instant from which on others may be missing, or None.
    """
    found = list(recurrence_set.fixed)
    missing: int | None = None
    for series in recurrence_set.series:
        first = None if since is None else since - MARGIN - series.max_after
        beyond = MARGIN + series.max_before
        kept, incomplete_from = 0, None
        with budget.for_expansion() as own:
            expansion = Expansion(series, first, horizon + beyond, own)
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
    """Return the occurrences to keep, at most ``KEPT``, and the time that they cover."""
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
