"""Instances of an object in a time range: when each happens, and which component describes it.

An `Occurrence` is the time that matches a range by the table of RFC 4791 section 9.9; an `Instance`
has the times as its properties state them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Literal, NamedTuple

from kalends.common.budget import Budget
from kalends.errors import BudgetSpentError
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.days import DAY, MARGIN
from kalends.ical.recurrence.duration import Occurrence
from kalends.ical.recurrence.occurrences import local_range
from kalends.ical.recurrence.plan import read_recurrence_set
from kalends.ical.recurrence.series import Expansion, Series
from kalends.ical.timezones.offsets import ZoneRules, local_seconds
from kalends.ical.values import TimeValue, read_duration, read_time

_INSTANCE_STEPS = 8  # beside those of finding it

Kind = Literal["utc", "floating", "day"]


class Moment(NamedTuple):
    """A time of an instance.

    Attributes:
        seconds: since 1970; UTC for ``utc``, otherwise local.
        kind: ``utc``, ``floating``, or ``day`` for a DATE.
    """

    seconds: int
    kind: Kind

    @classmethod
    def of(cls, value: TimeValue) -> Moment:
        """Return the value of a property as a moment."""
        if value.is_day:
            return cls(local_seconds(value.local), "day")
        if value.is_instant:
            return cls(value.earliest, "utc")
        return cls(local_seconds(value.local), "floating")

    def to_instant(self, zone: tzinfo) -> int:
        """Return its instant; a time without a zone is read in ``zone``."""
        return (
            self.seconds if self.kind == "utc" else ZoneRules(zone, False).to_instant(self.seconds)
        )


class Instance(NamedTuple):
    """One instance of an object.

    Attributes:
        component: the component that describes it.
        occurrence: the time that matches a time range.
        begin: its start; for a task without one, the time at which it is due.
        finish: its end, which is its start if it has no duration.
        place: its RECURRENCE-ID; None if its component states the instance's own times, because it
            does not recur or replaces one instance.
    """

    component: Component
    occurrence: Occurrence
    begin: Moment
    finish: Moment
    place: Moment | None


class _Range(NamedTuple):
    """A time range: bounds in UTC, and those for floating times."""

    start: int | None
    end: int | None
    local_start: int | None
    local_end: int | None

    def contains(self, occurrence: Occurrence) -> bool:
        start, end = self[2:] if occurrence.floating else self[:2]
        return (end is None or occurrence.start < end) and (start is None or occurrence.end > start)


class _Facts(NamedTuple):
    """The values that all instances of one component share, of which there may be 50,000.

    Attributes:
        own: the start and end that an override states; None for a master.
        is_range: whether the override is THISANDFUTURE: its other occurrences are RDATEs.
        is_due: whether the component is a task that has a due time alone.
    """

    own: tuple[Moment, Moment] | None
    is_range: bool
    is_due: bool

    @classmethod
    def of(cls, component: Component, vtimezones: Mapping[str, str]) -> _Facts:
        replaced = component.first("RECURRENCE-ID")
        return cls(
            own_times(component, vtimezones) if replaced else None,
            replaced is not None and "RANGE" in replaced.raw_params.upper(),
            component.name == "VTODO" and component.first("DTSTART") is None,
        )


def instances_between(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    start: int | None,
    end: int | None,
    zone: tzinfo,
    budget: Budget,
) -> Iterator[Instance]:
    """Yield the instances in a time range; undated tasks and journals have none.

    Args:
        components: a master and its overrides, as for ``occurrences_of``.
        vtimezones: the object's VTIMEZONEs by TZID.
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
        budget: the limit of the work.

    Raises:
        BudgetSpentError: there may be more instances than the budget allowed to find.
        ObjectRefusedError: a time of the object is invalid.
    """
    recurrence_set = read_recurrence_set(components, vtimezones, budget)
    within = _Range(start, end, *local_range(start, end, zone))
    facts: dict[int, _Facts] = {}
    for occurrence, component in zip(recurrence_set.fixed, recurrence_set.components, strict=True):
        if within.contains(occurrence):
            budget.draw(_INSTANCE_STEPS)
            known = facts.get(id(component))
            if known is None:
                known = facts[id(component)] = _Facts.of(component, vtimezones)
            if known.own and (not known.is_range or occurrence.start == known.own[0].seconds):
                yield Instance(component, occurrence, *known.own, None)
            elif recurrence_set.series:
                series = recurrence_set.series[0]
                yield _of_rdate(series, component, occurrence, is_due=known.is_due)
    for series in recurrence_set.series:
        recurs = bool(series.rules or recurrence_set.fixed)
        for place, occurrence in _expansion(series, within, budget):
            if within.contains(occurrence):
                budget.draw(_INSTANCE_STEPS)
                yield _of_series(series, place, occurrence, recurs=recurs)
    if budget.is_spent:
        raise BudgetSpentError(budget.spent)


def components_between(
    components: Sequence[Component],
    vtimezones: Mapping[str, str],
    start: int | None,
    end: int | None,
    zone: tzinfo,
    budget: Budget,
) -> list[Component]:
    """Return the components that describe an instance in a time range, or perhaps do.

    Args:
        components: a master and its overrides, as for ``occurrences_of``.
        vtimezones: the object's VTIMEZONEs by TZID.
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
        budget: the limit of the work; where an expansion ends, a component counts as found.

    Raises:
        BudgetSpentError: not even the steps of reading its times are left.
        ObjectRefusedError: a time of the object is invalid.
    """
    recurrence_set = read_recurrence_set(components, vtimezones, budget)
    within = _Range(start, end, *local_range(start, end, zone))
    pairs = zip(recurrence_set.fixed, recurrence_set.components, strict=True)
    found = {id(part): part for occurrence, part in pairs if within.contains(occurrence)}
    for series in recurrence_set.series:
        wanted = [series.component, *(override.component for override in series.range_overrides)]
        missing = {id(part): part for part in wanted if id(part) not in found}
        with budget.for_expansion() as own:
            for place, occurrence in _expansion(series, within, own):
                if not missing:
                    break
                if within.contains(occurrence):
                    part = series.component_at(series.anchor.zone_rules.to_instant(place))
                    found[id(part)] = part
                    missing.pop(id(part), None)
        if own.is_spent or None in series.rules:
            found.update(missing)
    return list(found.values())


def _expansion(series: Series, within: _Range, budget: Budget) -> Expansion:
    start, end = within.start, within.end
    since = None if start is None else start - MARGIN - series.max_after
    until = None if end is None else end + MARGIN + series.max_before
    return Expansion(series, since, until, budget)


def _of_series(series: Series, place: int, occurrence: Occurrence, *, recurs: bool) -> Instance:
    """Return the instance at a place in a series, local seconds."""
    anchor = series.anchor
    rules, duration, local = anchor.zone_rules, anchor.duration, place
    key = rules.to_instant(place)
    component = series.component_at(key)
    if override := series.range_override_at(key):
        rules, duration, local = override.zone_rules, override.duration, place + override.shift
    begin = rules.to_instant(local)
    end = rules.to_instant(local + duration.days * DAY) if duration.days else begin
    return Instance(
        component,
        occurrence,
        Moment(begin, _kind(rules)),
        Moment(end + duration.seconds, _kind(rules)),
        Moment(key, _kind(anchor.zone_rules)) if recurs else None,
    )


def _of_rdate(
    series: Series, component: Component, occurrence: Occurrence, *, is_due: bool
) -> Instance:
    """Return the instance of an RDATE of a series."""
    start, end, floating = occurrence
    if is_due:
        start = end  # the time at which it is due
    elif end - start == 1:
        end = start  # `OccurrenceDuration.tail`: it has no duration
    rules = series.anchor.zone_rules
    is_day = floating and start % DAY == 0 and end % DAY == 0 and end > start
    kind: Kind = "utc" if not floating else "day" if rules.is_day or is_day else "floating"
    shift = sum(o.shift for o in series.range_overrides if o.component is component)
    place = (
        start - shift if floating or not shift else rules.to_instant(rules.to_local(start) - shift)
    )
    return Instance(
        component, occurrence, Moment(start, kind), Moment(end, kind), Moment(place, kind)
    )


def own_times(component: Component, vtimezones: Mapping[str, str]) -> tuple[Moment, Moment]:
    """Return the start and end that a component with DTSTART or DUE states.

    Args:
        component: an event, task or journal.
        vtimezones: the object's VTIMEZONEs by TZID.

    Raises:
        ObjectRefusedError: one of them is invalid.
    """
    begin, due = component.first("DTSTART"), component.first("DUE")
    first = begin or due
    assert first is not None
    start = Moment.of(read_time(first, vtimezones))
    finish = due or component.first("DTEND")
    if finish:
        return start, Moment.of(read_time(finish, vtimezones))
    if length := component.first("DURATION"):
        seconds = max(0, int(read_duration(length).total_seconds()))
        return start, start._replace(seconds=start.seconds + seconds)
    whole = DAY if start.kind == "day" and component.name == "VEVENT" else 0
    return start, start._replace(seconds=start.seconds + whole)


def _kind(rules: ZoneRules) -> Kind:
    if rules.zone is not None:
        return "utc"
    return "day" if rules.is_day else "floating"
