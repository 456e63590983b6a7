"""What an object's components say of when it happens, read once and ready to be walked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from heapq import merge
from itertools import chain
from typing import NamedTuple

from kalends.calobject.clocks import Clock, local_second
from kalends.calobject.days import DAY, MARGIN
from kalends.calobject.expansion import Budget, Walk
from kalends.calobject.rules import Rule, read_rule
from kalends.calobject.times import Moment, read_duration, read_moment, read_moments
from kalends.calobject.zones import resolve
from kalends.icaltext import Component, Property

FOREVER = 2**60
"""Seconds; the bound of what has none, on either side."""


class Occurrence(NamedTuple):
    """When something happens: it matches a range from S to before E iff start < E and end > S.

    Attributes:
        start: seconds since 1970.
        end: seconds since 1970, exclusive.
        floating: whether these are of a clock without a zone (local times and days), not UTC.
    """

    start: int
    end: int
    floating: bool


ALWAYS = Occurrence(-FOREVER, FOREVER, floating=False)


class Shape(NamedTuple):
    """How an occurrence lies around its beginning (the table of RFC 4791 section 9.9).

    Attributes:
        days: its length in days of its clock, and after these
        seconds: its length in seconds.
        lead: its interval begins no later than so many seconds before its end.
        tail: its interval ends so many seconds after its end.
        least: its interval ends no earlier than so many seconds after its beginning.
    """

    days: int = 0
    seconds: int = 0
    lead: int = 0
    tail: int = 0
    least: int = 0

    def around(self, clock: Clock, local: int, begin: int) -> Occurrence:
        """The occurrence at ``local``, which is ``begin`` by ``clock``, as ``Clock.seconds``."""
        end = begin
        if self.days:
            end = clock.seconds(local + self.days * DAY)
        end += self.seconds
        start = min(begin, end - self.lead)
        return Occurrence(start, max(end + self.tail, begin + self.least), clock.zone is None)

    @property
    def is_seconds(self) -> bool:
        """Whether it is what most are: nothing but some seconds long."""
        return self.seconds > 0 and not (self.days or self.lead or self.tail or self.least)

    @property
    def length(self) -> int:
        """Its length, seconds; a day more or less where clocks change."""
        return self.days * DAY + self.seconds


class Anchor(NamedTuple):
    """Where the first occurrence of a component lies, and how."""

    clock: Clock
    local: int
    shape: Shape

    def occurrence(self) -> Occurrence:
        """The first occurrence."""
        return self.shape.around(self.clock, self.local, self.clock.seconds(self.local))


class _Move(NamedTuple):
    """An override of all occurrences from ``key`` on, to begin ``shift`` local seconds later."""

    key: int
    shift: int
    clock: Clock
    shape: Shape
    part: Component


@dataclass(slots=True)
class Series:
    """A master, without what its overrides replace.

    Attributes:
        part: the master's component.
        excluded: occurrences that are none, as ``Clock.seconds`` has their beginnings.
        excluded_days: days of the master's clock without any, counted from 1970.
        moves: ascending by key.
    """

    part: Component
    anchor: Anchor
    rules: list[Rule | None] = field(default_factory=list)
    excluded: set[int] = field(default_factory=set)
    excluded_days: set[int] = field(default_factory=set)
    moves: list[_Move] = field(default_factory=list)

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
        self._walks = [(r, Walk(r, since, until, budget)) for r in series.rules if r]
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


def _in_time(rule: Rule, walk: Walk, clock: Clock) -> Iterator[int]:
    """A walk, which ends with an UNTIL in UTC if it has one."""
    last = rule.last_instant
    if last is None:
        return iter(walk)
    return (local for local in walk if local < last - MARGIN or clock.seconds(local) <= last)


class Plan(NamedTuple):
    """When an object happens: at some times, and as its series tell (of an object: at most one).

    Attributes:
        parts: the component that tells what happens, for each of the fixed times.
    """

    fixed: list[Occurrence]
    parts: list[Component]
    series: list[Series]

    def add(self, component: Component, occurrence: Occurrence) -> None:
        """Note a time at which a component happens."""
        self.fixed.append(occurrence)
        self.parts.append(component)


def read_plan(components: Sequence[Component], own: Mapping[str, str]) -> Plan:
    """Read a master and its overrides, of one type.

    Args:
        own: the object's time zones, as ``zones.zones_of`` gives them.

    Raises:
        ObjectRefusedError: what ``spans.span_of`` refuses.
    """
    plan = Plan([], [], [])
    anchored = [(component, _anchor(component, own)) for component in components]
    overrides = [pair for pair in anchored if pair[0].first("RECURRENCE-ID")]
    for component, anchor in anchored:
        if anchor is None:
            for occurrence in _undated(component, own):
                plan.add(component, occurrence)
        elif component.first("RECURRENCE-ID"):
            plan.add(component, anchor.occurrence())
        else:
            series = _series(component, anchor, own)
            for override, place in overrides:
                _replace(series, override, place, own)
            series.moves.sort(key=lambda move: move.key)
            for key, occurrence in _added(component, series, own):
                plan.add(series.part_at(key), occurrence)
            plan.series.append(series)
    return plan


def _anchor(component: Component, own: Mapping[str, str]) -> Anchor | None:
    begin = None
    if component.name in ("VEVENT", "VJOURNAL", "VTODO"):
        begin = component.first("DTSTART")
    if begin is None and component.name == "VTODO":
        begin = component.first("DUE")
    if begin is None:
        return None
    start = read_moment(begin, own)
    clock = _clock(begin.value, begin, start, own)
    return Anchor(clock, local_second(start.local), _shape(component, begin, start, own))


def _clock(text: str, prop: Property, moment: Moment, own: Mapping[str, str]) -> Clock:
    """The clock of one value of a property."""
    if not _placed(moment):
        return Clock(None, moment.is_day)
    zone: tzinfo | None = UTC
    if not text.partition("/")[0].strip().endswith("Z"):
        zone = resolve(prop.param("TZID") or "", own)
    return Clock(zone, is_day=False)


def _placed(moment: Moment) -> bool:
    """Whether it has a time zone."""
    return moment.earliest == moment.latest


def _shape(component: Component, begin: Property, start: Moment, own: Mapping[str, str]) -> Shape:
    """The row of RFC 4791 section 9.9's table that a component with a beginning has."""
    if component.name == "VJOURNAL":
        return Shape(days=1) if start.is_day else Shape(tail=1)
    task = component.name == "VTODO"
    finish = component.first("DUE" if task else "DTEND")
    if finish is begin:
        return Shape(lead=1)
    if finish:
        days, seconds = _between(start, read_moment(finish, own))
        if task:
            return Shape(days, seconds, lead=1, least=1)
        return Shape(max(0, days), max(0, seconds))
    if length := component.first("DURATION"):
        return _lasting(component, *_length(length))
    return Shape(days=1) if start.is_day and not task else Shape(tail=1)


def _lasting(component: Component, days: int, seconds: int) -> Shape:
    if component.name == "VTODO":
        return Shape(days, seconds, lead=1, tail=1)
    return Shape(days, seconds) if days or seconds else Shape(tail=1)


def _between(start: Moment, end: Moment) -> tuple[int, int]:
    """From one to the other: days between days, else seconds; these are exact between zones."""
    if start.is_day and end.is_day:
        return (end.local - start.local).days, 0
    if _placed(start) and _placed(end):
        return 0, end.earliest - start.earliest
    return 0, local_second(end.local) - local_second(start.local)


def _length(prop: Property) -> tuple[int, int]:
    """A DURATION as days, which a change of the clock makes longer or shorter, and seconds."""
    total = int(read_duration(prop).total_seconds())
    if total <= 0:
        return 0, 0
    found = re.findall(r"(\d+)([WD])", prop.value.upper())
    days = sum(int(number) * (7 if unit == "W" else 1) for number, unit in found)
    return days, total - days * DAY


def _undated(component: Component, own: Mapping[str, str]) -> list[Occurrence]:
    """When a component happens that has neither DTSTART nor DUE."""
    if component.name in ("VEVENT", "VJOURNAL"):
        return []
    if component.name != "VTODO":
        return [ALWAYS]
    completed = component.first("COMPLETED")
    created = component.first("CREATED")
    moments = [read_moment(prop, own) for prop in (completed, created) if prop]
    if not moments:
        return [ALWAYS]
    floating = not any(map(_placed, moments))
    starts = [local_second(m.local) if floating else m.earliest for m in moments]
    ends = [local_second(m.local) if floating else m.latest for m in moments]
    if completed is None:
        return [Occurrence(min(starts), FOREVER, floating)]
    return [Occurrence(min(starts) - 1, max(ends) + 1, floating)]


def _series(component: Component, anchor: Anchor, own: Mapping[str, str]) -> Series:
    """A master's own rules and EXDATEs."""
    clock = anchor.clock
    series = Series(component, anchor)
    for rule in component.all("RRULE"):
        zoned = clock.zone is not None
        series.rules.append(read_rule(rule.value, anchor.local, clock.is_day, zoned))
    for prop in component.all("EXDATE"):
        for moment in read_moments(prop, own):
            _exclude(series, moment)
    return series


def _exclude(series: Series, moment: Moment) -> tuple[int, int]:
    """Leave out the occurrence that a property names; where it would be: local, and by key."""
    clock = series.anchor.clock
    local, key = _place(clock, moment)
    if moment.is_day and not clock.is_day:
        # Many clients name a day where they mean what happens on it.
        series.excluded_days.add(local // DAY)
        local += series.anchor.local % DAY
        key = clock.seconds(local)
    series.excluded.add(key)
    return local, key


def _place(clock: Clock, moment: Moment) -> tuple[int, int]:
    """A time of another property, by a master's clock: what it shows, and its ``seconds``.

    A time without a zone is the clock's own, whatever that is.
    """
    local = local_second(moment.local)
    if clock.is_day:
        local -= local % DAY
    key = clock.seconds(local)
    if clock.zone is not None and _placed(moment) and key != moment.earliest:
        return clock.local(moment.earliest), moment.earliest
    return local, key


def _replace(
    series: Series, override: Component, place: Anchor | None, own: Mapping[str, str]
) -> None:
    """Leave out what an override replaces, and move what follows if it says so."""
    named = override.all("RECURRENCE-ID")[0]
    local, key = _exclude(series, read_moments(named, own)[0])
    if place is None or (named.param("RANGE") or "").upper() != "THISANDFUTURE":
        return
    clock, moved = place.clock, place.local
    if clock.zone is UTC and series.anchor.clock.zone is not None:
        # An instant says nothing of the clock to go by: that remains the master's.
        clock, moved = series.anchor.clock, series.anchor.clock.local(moved)
    series.moves.append(_Move(key, moved - local, clock, place.shape, override))


def _added(
    component: Component, series: Series, own: Mapping[str, str]
) -> Iterator[tuple[int, Occurrence]]:
    """The RDATEs of a master, each with its key."""
    for prop in component.all("RDATE"):
        moments = read_moments(prop, own)
        for text, moment in zip(prop.value.split(","), moments, strict=True):
            local, key = _place(series.anchor.clock, moment)
            if series.excludes(local, key):
                continue
            if series.moves and key >= series.moves[0].key:
                yield key, series.at(local, key)
                continue
            clock = _clock(text, prop, moment, own)
            shape = _period(component, text, prop, moment, own) or series.anchor.shape
            if clock.is_day and not series.anchor.clock.is_day:
                shape = Shape(days=1 + max(0, shape.length) // DAY)
            elif clock.zone is None:
                yield key, shape.around(series.anchor.clock, local, key)
                continue
            local = local_second(moment.local)
            yield key, shape.around(clock, local, clock.seconds(local))


def _period(
    component: Component, text: str, prop: Property, start: Moment, own: Mapping[str, str]
) -> Shape | None:
    """The length of an RDATE that has its own: of a PERIOD (RFC 5545 section 3.3.9)."""
    rest = text.partition("/")[2].strip()
    if not rest or component.name == "VJOURNAL":
        return None
    value = Property(prop.name, prop.raw_params, rest, prop.line)
    if rest.upper().startswith("P"):
        return _lasting(component, *_length(value))
    days, seconds = _between(start, read_moment(value, own))
    return _lasting(component, max(0, days), max(0, seconds))
