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

    clock: ZoneRules
    local: int
    shape: OccurrenceDuration

    def occurrence(self) -> Occurrence:
        """The first occurrence."""
        return self.shape.around(self.clock, self.local, self.clock.seconds(self.local))


class RangeOverride(NamedTuple):
    """An override of all occurrences from ``key`` on, to begin ``shift`` local seconds later."""

    key: int
    shift: int
    clock: ZoneRules
    shape: OccurrenceDuration
    part: Component


@dataclass(slots=True)
class Series:
    """A master, without what its overrides replace.

    Attributes:
        part: the master's component.
        excluded: occurrences that are none, as ``ZoneRules.seconds`` has their beginnings.
        excluded_days: days of the master's clock without any, counted from 1970.
        moves: ascending by key.
    """

    part: Component
    anchor: Anchor
    rules: list[Rule | None] = field(default_factory=list)
    excluded: set[int] = field(default_factory=set)
    excluded_days: set[int] = field(default_factory=set)
    moves: list[RangeOverride] = field(default_factory=list)

    @property
    def late(self) -> int:
        """Seconds after its place in the series at which an occurrence may still last."""
        ends = [move.shift + max(0, move.shape.length) for move in self.moves]
        return max(0, self.anchor.shape.length, *ends)

    @property
    def early(self) -> int:
        """Seconds before its place in the series at which an occurrence may begin already."""
        starts = [-move.shift - min(0, move.shape.length) for move in self.moves]
        return max(0, -self.anchor.shape.length, *starts)

    def at(self, local: int, key: int) -> Occurrence:
        """The occurrence that the series has at ``local``, moved as overrides tell."""
        for move in reversed(self.moves):
            if key >= move.key:
                moved = local + move.shift
                return move.shape.around(move.clock, moved, move.clock.seconds(moved))
        return self.anchor.shape.around(self.anchor.clock, local, key)

    def part_at(self, key: int) -> Component:
        """The component that tells what happens at a place of the series."""
        moved = [move.part for move in self.moves if key >= move.key]
        return moved[-1] if moved else self.part

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
        self._walks = [(r, RuleIterator(r, since, until, budget)) for r in series.rules if r]
        # Nobody knows what comes of a rule that cannot be walked.
        self._unknown = len(self._walks) < len(series.rules)

    @property
    def reached(self) -> int | None:
        """After the walk: the local second from which on something may be missing, or None."""
        known = [walk.reached for _, walk in self._walks if walk.reached is not None]
        return min([*known, self._series.anchor.local] if self._unknown else known, default=None)

    def __iter__(self) -> Iterator[tuple[int, Occurrence]]:
        """The places in the series, ascending local seconds, and what happens there."""
        series, clock = self._series, self._series.anchor.clock
        seconds, floating = clock.reader(), clock.zone is None
        shape = series.anchor.shape
        plain = shape.is_seconds and not series.moves
        previous = None
        first = series.anchor.local
        begin = [first] if self._since is None or first >= self._since else []
        walks = [_in_time(rule, walk, clock) for rule, walk in self._walks]
        # To merge costs something for each, and there is mostly one rule.
        for local in merge(begin, *walks) if len(walks) != 1 else chain(begin, walks[0]):
            place = local - local % DAY if clock.is_day else local
            if place == previous:
                continue
            previous = place
            key = seconds(place)
            if series.excludes(place, key):
                continue
            if plain:  # what ``at`` would say, for most of what is ever walked
                yield place, Occurrence(key, key + shape.seconds, floating)
            else:
                yield place, series.at(place, key)


def _in_time(rule: Rule, walk: RuleIterator, clock: ZoneRules) -> Iterator[int]:
    """A walk, which ends with an UNTIL in UTC if it has one."""
    last = rule.last_instant
    if last is None:
        return iter(walk)
    return (local for local in walk if local < last - MARGIN or clock.seconds(local) <= last)
