"""What an object's components say of when it happens, read once and ready to be walked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import DAY
from kalends.ical.recurrence.duration import (
    Occurrence,
    OccurrenceDuration,
    shape_of,
    shape_of_period,
    undated,
)
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.recurrence.series import Anchor, RangeOverride, Series
from kalends.ical.timezones.offsets import ZoneRules, local_second
from kalends.ical.timezones.resolve import resolve
from kalends.ical.values import TimeValue, read_moment, read_moments


class RecurrenceSet(NamedTuple):
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


def read_plan(components: Sequence[Component], own: Mapping[str, str]) -> RecurrenceSet:
    """Read a master and its overrides, of one type.

    Args:
        own: the object's time zones, as ``zones.zones_of`` gives them.

    Raises:
        ObjectRefusedError: what ``spans.span_of`` refuses.
    """
    plan = RecurrenceSet([], [], [])
    anchored = [(component, _anchor(component, own)) for component in components]
    overrides = [pair for pair in anchored if pair[0].first("RECURRENCE-ID")]
    for component, anchor in anchored:
        if anchor is None:
            for occurrence in undated(component, own):
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
    return Anchor(clock, local_second(start.local), shape_of(component, begin, start, own))


def _clock(text: str, prop: Property, moment: TimeValue, own: Mapping[str, str]) -> ZoneRules:
    """The clock of one value of a property."""
    if not moment.placed:
        return ZoneRules(None, moment.is_day)
    zone: tzinfo | None = UTC
    if not text.partition("/")[0].strip().endswith("Z"):
        zone = resolve(prop.param("TZID") or "", own)
    return ZoneRules(zone, is_day=False)


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


def _exclude(series: Series, moment: TimeValue) -> tuple[int, int]:
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


def _place(clock: ZoneRules, moment: TimeValue) -> tuple[int, int]:
    """A time of another property, by a master's clock: what it shows, and its ``seconds``.

    A time without a zone is the clock's own, whatever that is.
    """
    local = local_second(moment.local)
    if clock.is_day:
        local -= local % DAY
    key = clock.seconds(local)
    if clock.zone is not None and moment.placed and key != moment.earliest:
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
    series.moves.append(RangeOverride(key, moved - local, clock, place.shape, override))


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
            shape = shape_of_period(component, text, prop, moment, own) or series.anchor.shape
            if clock.is_day and not series.anchor.clock.is_day:
                shape = OccurrenceDuration(days=1 + max(0, shape.length) // DAY)
            elif clock.zone is None:
                yield key, shape.around(series.anchor.clock, local, key)
                continue
            local = local_second(moment.local)
            yield key, shape.around(clock, local, clock.seconds(local))
