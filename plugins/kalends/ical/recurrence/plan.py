"""Recurrence set of an object: its components parsed into single occurrences and series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.cost import draw_for_times
from kalends.ical.recurrence.days import DAY
from kalends.ical.recurrence.duration import (
    Occurrence,
    OccurrenceDuration,
    duration_of,
    period_duration,
    undated_occurrences,
)
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.recurrence.series import Anchor, RangeOverride, Series
from kalends.ical.timezones.offsets import ZoneRules, local_seconds
from kalends.ical.timezones.resolve import resolve_tzid
from kalends.ical.values import TimeValue, read_time, read_times


class RecurrenceSet(NamedTuple):
    """The occurrences of an object: single ones and those of its series (one at most).

    Attributes:
        fixed: the single occurrences.
        components: for each of them, the component that describes it.
        series: the recurring components.
    """

    fixed: list[Occurrence]
    components: list[Component]
    series: list[Series]

    def add(self, component: Component, occurrence: Occurrence) -> None:
        """Add a single occurrence of a component."""
        self.fixed.append(occurrence)
        self.components.append(component)


def read_recurrence_set(
    components: Sequence[Component], vtimezones: Mapping[str, str], budget: Budget
) -> RecurrenceSet:
    """Parse a master and its overrides, all of one type.

    Args:
        components: the master and its overrides.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.
        budget: the steps that the object's reading may take.

    Raises:
        ObjectRefusedError: ``time_bounds`` refuses the components.
        BudgetSpentError: the steps are not left.
    """
    draw_for_times(components, vtimezones, budget)
    recurrence_set = RecurrenceSet([], [], [])
    anchored = [(component, _anchor(component, vtimezones)) for component in components]
    overrides = [pair for pair in anchored if pair[0].first("RECURRENCE-ID")]
    for component, anchor in anchored:
        if anchor is None:
            for occurrence in undated_occurrences(component, vtimezones):
                recurrence_set.add(component, occurrence)
        elif component.first("RECURRENCE-ID"):
            recurrence_set.add(component, anchor.occurrence())
        else:
            series = _series(component, anchor, vtimezones)
            for override, place in overrides:
                _apply_override(series, override, place, vtimezones)
            series.range_overrides.sort(key=lambda override: override.key)
            # An instance that several dates and rules name is one (RFC 5545 section 3.8.5.2).
            named: dict[int, Occurrence] = {}
            for key, occurrence in _rdate_occurrences(component, series, vtimezones):
                named.setdefault(key, occurrence)
            for key, occurrence in named.items():
                recurrence_set.add(series.component_at(key), occurrence)
            series.excluded.update(named)
            recurrence_set.series.append(series)
    return recurrence_set


def _anchor(component: Component, vtimezones: Mapping[str, str]) -> Anchor | None:
    begin = None
    if component.name in ("VEVENT", "VJOURNAL", "VTODO"):
        begin = component.first("DTSTART")
    if begin is None and component.name == "VTODO":
        begin = component.first("DUE")
    if begin is None:
        return None
    start = read_time(begin, vtimezones)
    zone_rules = _zone_rules(begin.value, begin, start, vtimezones)
    return Anchor(
        zone_rules, local_seconds(start.local), duration_of(component, begin, start, vtimezones)
    )


def _zone_rules(
    text: str, prop: Property, moment: TimeValue, vtimezones: Mapping[str, str]
) -> ZoneRules:
    """Return the rules by which one value of a property is converted to UTC."""
    if not moment.is_instant:
        return ZoneRules(None, moment.is_day)
    zone: tzinfo | None = UTC
    if not text.partition("/")[0].strip().endswith("Z"):
        zone = resolve_tzid(prop.param("TZID") or "", vtimezones)
    return ZoneRules(zone, is_day=False)


def _series(component: Component, anchor: Anchor, vtimezones: Mapping[str, str]) -> Series:
    """Return the series of a master with its RRULEs and EXDATEs."""
    zone_rules = anchor.zone_rules
    series = Series(component, anchor)
    for rule in component.all("RRULE"):
        zoned = zone_rules.zone is not None
        series.rules.append(read_rule(rule.value, anchor.local, zone_rules.is_day, zoned))
    for prop in component.all("EXDATE"):
        for moment in read_times(prop, vtimezones):
            _exclude(series, moment)
    return series


def _exclude(series: Series, moment: TimeValue) -> tuple[int, int]:
    """Exclude an occurrence from a series; return its local time and its instant."""
    zone_rules = series.anchor.zone_rules
    local, key = _in_zone_of(zone_rules, moment)
    if moment.is_day and not zone_rules.is_day:
        # Many clients write a DATE and mean the occurrence of that day.
        series.excluded_days.add(local // DAY)
        local += series.anchor.local % DAY
        key = zone_rules.to_instant(local)
    series.excluded.add(key)
    return local, key


def _in_zone_of(zone_rules: ZoneRules, moment: TimeValue) -> tuple[int, int]:
    """Return a time in a master's zone: the local time and the instant.

    A floating time is read in the master's zone.
    """
    local = local_seconds(moment.local)
    if zone_rules.is_day:
        local -= local % DAY
    key = zone_rules.to_instant(local)
    if zone_rules.zone is not None and moment.is_instant and key != moment.earliest:
        return zone_rules.to_local(moment.earliest), moment.earliest
    return local, key


def _apply_override(
    series: Series, override: Component, place: Anchor | None, vtimezones: Mapping[str, str]
) -> None:
    """Exclude the occurrence that an override replaces, and apply RANGE=THISANDFUTURE."""
    named = override.all("RECURRENCE-ID")[0]
    local, key = _exclude(series, read_times(named, vtimezones)[0])
    if place is None or (named.param("RANGE") or "").upper() != "THISANDFUTURE":
        return
    zone_rules, moved = place.zone_rules, place.local
    if zone_rules.zone is UTC and series.anchor.zone_rules.zone is not None:
        # A UTC time does not name a zone for the following occurrences: keep the master's.
        zone_rules, moved = series.anchor.zone_rules, series.anchor.zone_rules.to_local(moved)
    series.range_overrides.append(
        RangeOverride(key, moved - local, zone_rules, place.duration, override)
    )


def _rdate_occurrences(
    component: Component, series: Series, vtimezones: Mapping[str, str]
) -> Iterator[tuple[int, Occurrence]]:
    """Yield the occurrences of a master's RDATEs, each with its instant in the series."""
    for prop in component.all("RDATE"):
        moments = read_times(prop, vtimezones)
        for text, moment in zip(prop.value.split(","), moments, strict=True):
            local, key = _in_zone_of(series.anchor.zone_rules, moment)
            if series.excludes(local, key):
                continue
            if series.range_overrides and key >= series.range_overrides[0].key:
                yield key, series.occurrence_at(local, key)
                continue
            zone_rules = _zone_rules(text, prop, moment, vtimezones)
            duration = (
                period_duration(component, text, prop, moment, vtimezones) or series.anchor.duration
            )
            if zone_rules.is_day and not series.anchor.zone_rules.is_day:
                duration = OccurrenceDuration(days=1 + max(0, duration.length) // DAY)
            elif zone_rules.zone is None:
                yield key, duration.occurrence_at(series.anchor.zone_rules, local, key)
                continue
            local = local_seconds(moment.local)
            yield key, duration.occurrence_at(zone_rules, local, zone_rules.to_instant(local))
