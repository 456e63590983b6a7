"""A series: the places that its rules make, and what happens at each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain
from typing import NamedTuple

from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import DAY, MARGIN
from kalends.ical.recurrence.duration import Occurrence, OccurrenceDuration
from kalends.ical.recurrence.expand import Budget, RuleIterator
from kalends.ical.recurrence.rrule import Rule
from kalends.ical.timezones.offsets import ZoneRules


class Anchor(NamedTuple):
    """Where the first occurrence of a component lies, and how."""

    zone_rules: ZoneRules
    local: int
    duration: OccurrenceDuration

    def occurrence(self) -> Occurrence:
        """The first occurrence."""
        return self.duration.occurrence_at(
            self.zone_rules, self.local, self.zone_rules.to_instant(self.local)
        )


class RangeOverride(NamedTuple):
    """An override of all occurrences from ``key`` on, to begin ``shift`` local seconds later."""

    key: int
    shift: int
    zone_rules: ZoneRules
    duration: OccurrenceDuration
    component: Component


@dataclass(slots=True)
class Series:
    """A master, without what its overrides replace.

    Attributes:
        part: the master's component.
        excluded: occurrences that are none, as ``ZoneRules.seconds`` has their beginnings.
        excluded_days: days of the master's clock without any, counted from 1970.
        moves: ascending by key.
    """

    component: Component
    anchor: Anchor
    rules: list[Rule | None] = field(default_factory=list)
    excluded: set[int] = field(default_factory=set)
    excluded_days: set[int] = field(default_factory=set)
    range_overrides: list[RangeOverride] = field(default_factory=list)

    @property
    def max_after(self) -> int:
        """Seconds after its place in the series at which an occurrence may still last."""
        ends = [
            override.shift + max(0, override.duration.length) for override in self.range_overrides
        ]
        return max(0, self.anchor.duration.length, *ends)

    @property
    def max_before(self) -> int:
        """Seconds before its place in the series at which an occurrence may begin already."""
        starts = [
            -override.shift - min(0, override.duration.length) for override in self.range_overrides
        ]
        return max(0, -self.anchor.duration.length, *starts)

    def occurrence_at(self, local: int, key: int) -> Occurrence:
        """The occurrence that the series has at ``local``, moved as overrides tell."""
        for override in reversed(self.range_overrides):
            if key >= override.key:
                moved = local + override.shift
                return override.duration.occurrence_at(
                    override.zone_rules, moved, override.zone_rules.to_instant(moved)
                )
        return self.anchor.duration.occurrence_at(self.anchor.zone_rules, local, key)

    def component_at(self, key: int) -> Component:
        """The component that tells what happens at a place of the series."""
        moved = [override.component for override in self.range_overrides if key >= override.key]
        return moved[-1] if moved else self.component

    def excludes(self, local: int, key: int) -> bool:
        """Whether nothing happens at ``local``, or not what the series says."""
        return key in self.excluded or (
            bool(self.excluded_days) and local // DAY in self.excluded_days
        )


class Expansion:
    """One way through DTSTART and what the rules of a series make.

    Args:
        since: the local second before whose place in the series nothing is wanted.
        until: the local second after whose place in the series nothing need be found.
    """

    def __init__(
        self, series: Series, since: int | None, until: int | None, budget: Budget
    ) -> None:
        self._series = series
        self._since = since
        self._iterators = [(r, RuleIterator(r, since, until, budget)) for r in series.rules if r]
        # Nobody knows what comes of a rule that cannot be walked.
        self._unknown = len(self._iterators) < len(series.rules)

    @property
    def incomplete_from(self) -> int | None:
        """After the walk: the local second from which on something may be missing, or None."""
        known = [
            iterator.incomplete_from
            for _, iterator in self._iterators
            if iterator.incomplete_from is not None
        ]
        return min([*known, self._series.anchor.local] if self._unknown else known, default=None)

    def __iter__(self) -> Iterator[tuple[int, Occurrence]]:
        """The places in the series, ascending local seconds, and what happens there."""
        series, zone_rules = self._series, self._series.anchor.zone_rules
        seconds, floating = zone_rules.converter(), zone_rules.zone is None
        duration = series.anchor.duration
        plain = duration.is_seconds_only and not series.range_overrides
        previous = None
        first = series.anchor.local
        begin = [first] if self._since is None or first >= self._since else []
        iterators = [_in_time(rule, iterator, zone_rules) for rule, iterator in self._iterators]
        # To merge costs something for each, and there is mostly one rule.
        for local in (
            merge(begin, *iterators) if len(iterators) != 1 else chain(begin, iterators[0])
        ):
            place = local - local % DAY if zone_rules.is_day else local
            if place == previous:
                continue
            previous = place
            key = seconds(place)
            if series.excludes(place, key):
                continue
            if plain:  # what ``at`` would say, for most of what is ever walked
                yield place, Occurrence(key, key + duration.seconds, floating)
            else:
                yield place, series.occurrence_at(place, key)


def _in_time(rule: Rule, iterator: RuleIterator, zone_rules: ZoneRules) -> Iterator[int]:
    """A walk, which ends with an UNTIL in UTC if it has one."""
    last = rule.last_instant
    if last is None:
        return iter(iterator)
    return (
        local for local in iterator if local < last - MARGIN or zone_rules.to_instant(local) <= last
    )
