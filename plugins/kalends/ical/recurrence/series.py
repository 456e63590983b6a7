"""Series of occurrences that a master's rules generate, and their expansion."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import DAY, MARGIN
from kalends.ical.recurrence.duration import Occurrence, OccurrenceDuration
from kalends.ical.recurrence.expand import RuleIterator
from kalends.ical.recurrence.rrule import Rule
from kalends.ical.timezones.offsets import ZoneRules


class Anchor(NamedTuple):
    """The first occurrence of a component: its local start, zone and duration."""

    zone_rules: ZoneRules
    local: int
    duration: OccurrenceDuration

    def occurrence(self) -> Occurrence:
        """Return the first occurrence."""
        return self.duration.occurrence_at(
            self.zone_rules, self.local, self.zone_rules.to_instant(self.local)
        )


class RangeOverride(NamedTuple):
    """An override of an occurrence and all that follow (RANGE=THISANDFUTURE).

    Attributes:
        key: the instant of the first overridden occurrence, as ``ZoneRules.to_instant`` returns it.
        shift: local seconds by which the occurrences are moved.
    """

    key: int
    shift: int
    zone_rules: ZoneRules
    duration: OccurrenceDuration
    component: Component


@dataclass(slots=True)
class Series:
    """A master without the occurrences that its overrides replace.

    Attributes:
        component: the master.
        anchor: its first occurrence.
        rules: its RRULEs; None for a rule that cannot be expanded.
        excluded: instants of excluded occurrences, as ``ZoneRules.to_instant`` returns them.
        excluded_days: local days without occurrences, counted from 1970.
        range_overrides: overrides of several occurrences, ascending by key.
    """

    component: Component
    anchor: Anchor
    rules: list[Rule | None] = field(default_factory=list)
    excluded: set[int] = field(default_factory=set)
    excluded_days: set[int] = field(default_factory=set)
    range_overrides: list[RangeOverride] = field(default_factory=list)

    @property
    def max_after(self) -> int:
        """The most seconds by which an occurrence may end after its start in the series."""
        ends = [
            override.shift + max(0, override.duration.length) for override in self.range_overrides
        ]
        return max(0, self.anchor.duration.length, *ends)

    @property
    def max_before(self) -> int:
        """The most seconds by which an occurrence may begin before its start in the series."""
        starts = [
            -override.shift - min(0, override.duration.length) for override in self.range_overrides
        ]
        return max(0, -self.anchor.duration.length, *starts)

    def occurrence_at(self, local: int, key: int) -> Occurrence:
        """Return the occurrence at a start in the series, moved by the overrides.

        Args:
            local: the start in the series, local seconds.
            key: the same start as an instant.
        """
        if override := self.range_override_at(key):
            moved = local + override.shift
            return override.duration.occurrence_at(
                override.zone_rules, moved, override.zone_rules.to_instant(moved)
            )
        return self.anchor.duration.occurrence_at(self.anchor.zone_rules, local, key)

    def component_at(self, key: int) -> Component:
        """Return the component that describes the occurrence with this key."""
        override = self.range_override_at(key)
        return override.component if override else self.component

    def range_override_at(self, key: int) -> RangeOverride | None:
        """Return the last override whose range includes the occurrence with this key."""
        place = bisect_right(self.range_overrides, key, key=lambda override: override.key)
        return self.range_overrides[place - 1] if place else None

    def excludes(self, local: int, key: int) -> bool:
        """Return True if the series has no occurrence at ``local``, or an overridden one."""
        return key in self.excluded or (
            bool(self.excluded_days) and local // DAY in self.excluded_days
        )


class Expansion:
    """An iteration over DTSTART and the occurrences that the rules of a series generate.

    Args:
        series: the series.
        since: occurrences that start earlier in the series are skipped, local seconds.
        until: occurrences that start later in the series may be left out, local seconds.
        budget: the limit of the work.
    """

    def __init__(
        self, series: Series, since: int | None, until: int | None, budget: Budget
    ) -> None:
        self._series = series
        self._since = since
        self._iterators = [(r, RuleIterator(r, since, until, budget)) for r in series.rules if r]
        self._has_unknown_rule = len(self._iterators) < len(series.rules)

    @property
    def incomplete_from(self) -> int | None:
        """After the iteration: the local second from which on occurrences may be missing.

        None if none are missing.
        """
        known = [
            iterator.incomplete_from
            for _, iterator in self._iterators
            if iterator.incomplete_from is not None
        ]
        return min(
            [*known, self._series.anchor.local] if self._has_unknown_rule else known, default=None
        )

    def __iter__(self) -> Iterator[tuple[int, Occurrence]]:
        """Yield the starts in the series, ascending local seconds, and their occurrences."""
        series, zone_rules = self._series, self._series.anchor.zone_rules
        seconds, floating = zone_rules.converter(), zone_rules.zone is None
        duration = series.anchor.duration
        plain = duration.is_seconds_only and not series.range_overrides
        previous = None
        first = series.anchor.local
        begin = [first] if self._since is None or first >= self._since else []
        iterators = [
            _until_last_instant(rule, iterator, zone_rules) for rule, iterator in self._iterators
        ]
        # A merge costs something for each occurrence, and most series have a single rule.
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
            if plain:  # the same as ``occurrence_at``, faster, for most series
                yield place, Occurrence(key, key + duration.seconds, floating)
            else:
                yield place, series.occurrence_at(place, key)


def _until_last_instant(rule: Rule, iterator: RuleIterator, zone_rules: ZoneRules) -> Iterator[int]:
    """Return an iterator over a rule that also ends at an UNTIL in UTC."""
    last = rule.last_instant
    if last is None:
        return iter(iterator)
    return (
        local for local in iterator if local < last - MARGIN or zone_rules.to_instant(local) <= last
    )
