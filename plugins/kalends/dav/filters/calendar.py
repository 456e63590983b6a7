"""Evaluation of the filter of a calendar-query on calendar objects (RFC 4791 section 9.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property

from kalends.common.budget import Budget
from kalends.dav.filters.collation import is_match, match_steps
from kalends.dav.filters.model import CompFilter, ParamFilter, PropFilter, TextMatch, UtcRange
from kalends.errors import BudgetSpentError, IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.alarms import ObjectAlarms
from kalends.ical.recurrence.days import DAY
from kalends.ical.recurrence.instances import Moment, components_between
from kalends.ical.stored_lines import LINE_STEPS, lines_named, parsing_steps, scanning_steps
from kalends.ical.timezones.resolve import vtimezones_of
from kalends.ical.values import read_times

# What a step pays for: octets that are looked through, and that are parsed.
_SCANNED = 50
_PARSED = 16


class CalendarMatcher:
    """The evaluation of one filter on many objects.

    Args:
        wanted: the filter, for VCALENDAR.
        zone: the time zone for times without one (RFC 4791 section 9.8).
        budget: the limit of the work on all objects together.
    """

    def __init__(self, wanted: CompFilter, zone: tzinfo, budget: Budget) -> None:
        self._wanted = wanted
        self._zone = zone
        self._budget = budget
        # The properties that a matching object has, in whatever component: most objects of a
        # search have none of them, and need not be parsed.
        self._needed = tuple(_needed(wanted))
        self._names = frozenset(prop.name for prop in self._needed)

    def matches(self, data: bytes, *, certain: UtcRange | None = None) -> bool:
        """Return True if an object matches, or if it cannot be read.

        A client can drop a result that it does not need but cannot ask for one it never saw.

        Args:
            data: the octets of the object.
            certain: a time range in which it certainly happens, by the store's index.

        Raises:
            BudgetSpentError: the work on all objects is too much.
        """
        if self._needed and not self._may_match(data):
            return False
        self._budget.draw(1 + len(data) // _PARSED + parsing_steps(data))
        try:
            (calendar,) = contentlines.parse(data.decode("utf-8"))
            with self._budget.for_object() as for_alarms:
                candidate = _Candidate(calendar, self._zone, self._budget, for_alarms, certain)
                return _has_component(self._wanted, [calendar], calendar, candidate)
        except (IcalendarSyntaxError, ObjectRefusedError, ValueError):
            return True
        except BudgetSpentError:
            if self._budget.is_spent:
                raise
            return True  # it has spent its own share: an earlier version stored it

    def _may_match(self, data: bytes) -> bool:
        """Return True if an object has all the properties that it needs to match."""
        self._budget.draw(12 + len(data) // _SCANNED + scanning_steps(data))
        found: dict[str, list[Property]] = {}
        for line in lines_named(data, self._names):
            self._budget.draw(LINE_STEPS)
            prop = line.property()
            for name in line.names:
                found.setdefault(name, []).append(prop)
        return all(
            any(_passes_texts(needed, prop, self._budget) for prop in found.get(needed.name, ()))
            for needed in self._needed
        )


@dataclass
class _Candidate:
    """An object that is tested, and what has been found out about it."""

    calendar: Component
    zone: tzinfo
    budget: Budget
    for_alarms: Budget
    certain: UtcRange | None
    _happening: dict[UtcRange, frozenset[int]] = field(default_factory=dict)
    _named: dict[int, dict[str, list[Property]]] = field(default_factory=dict)

    @cached_property
    def parts(self) -> Sequence[Component]:
        """The master and its overrides."""
        return [child for child in self.calendar.children if child.name != "VTIMEZONE"]

    @cached_property
    def vtimezones(self) -> Mapping[str, str]:
        """The VTIMEZONEs of the object, made into text once for all of its times."""
        return vtimezones_of(self.calendar)

    @cached_property
    def alarms(self) -> ObjectAlarms:
        """The object's alarms."""
        return ObjectAlarms(self.parts, self.vtimezones, self.zone, self.for_alarms)

    def is_in(self, within: UtcRange, component: Component, parent: Component) -> bool:
        """Return True if a component happens in a time range, or if that is uncertain."""
        if component.name == "VALARM":
            return self.alarms.rings_between(component, parent, *within)
        if within == self.certain and len(self.parts) == 1:
            return True
        happening = self._happening.get(within)
        if happening is None:
            with self.budget.for_object() as budget:
                found = components_between(self.parts, self.vtimezones, *within, self.zone, budget)
            happening = self._happening[within] = frozenset(map(id, found))
        return bool(happening) if component is self.calendar else id(component) in happening

    def named(self, component: Component, name: str) -> Sequence[Property]:
        """Return the properties of a component with a name."""
        by_name = self._named.get(id(component))
        if by_name is None:
            by_name = self._named[id(component)] = {}
            for prop in component.properties:
                by_name.setdefault(prop.name, []).append(prop)
        return by_name.get(name, ())


def _has_component(
    wanted: CompFilter, siblings: Sequence[Component], parent: Component, candidate: _Candidate
) -> bool:
    candidate.budget.draw(1 + len(siblings))
    found = [component for component in siblings if component.name == wanted.name]
    if not wanted.is_defined:
        return not found
    return any(_fits(wanted, component, parent, candidate) for component in found)


def _fits(
    wanted: CompFilter, component: Component, parent: Component, candidate: _Candidate
) -> bool:
    """Return True if one component passes all tests; the costliest come last."""
    return (
        all(_has_property(prop, component, candidate) for prop in wanted.props)
        and all(_has_component(c, component.children, component, candidate) for c in wanted.comps)
        and (wanted.within is None or candidate.is_in(wanted.within, component, parent))
    )


def _has_property(wanted: PropFilter, component: Component, candidate: _Candidate) -> bool:
    found = candidate.named(component, wanted.name)
    candidate.budget.draw(1 + len(found))
    if not wanted.is_defined:
        return not found
    return any(_passes(wanted, prop, candidate) for prop in found)


def _needed(wanted: CompFilter) -> Iterator[PropFilter]:
    """Yield the tests of all properties that a matching object has."""
    if wanted.is_defined:
        yield from (prop for prop in wanted.props if prop.is_defined)
        for comp in wanted.comps:
            yield from _needed(comp)


def _passes(wanted: PropFilter, prop: Property, candidate: _Candidate) -> bool:
    return _passes_texts(wanted, prop, candidate.budget) and (
        wanted.within is None or _is_at(wanted.within, prop, candidate)
    )


def _passes_texts(wanted: PropFilter, prop: Property, budget: Budget) -> bool:
    return all(_has_text(text, prop, budget) for text in wanted.texts) and all(
        _has_parameter(param, prop, budget) for param in wanted.params
    )


def _has_text(wanted: TextMatch, prop: Property, budget: Budget) -> bool:
    budget.draw(match_steps(prop.value))
    return is_match(wanted, [contentlines.unescape(prop.value)])


def _has_parameter(wanted: ParamFilter, prop: Property, budget: Budget) -> bool:
    budget.draw(1 + len(prop.raw_params) // _PARSED + match_steps(prop.raw_params))
    values = prop.params.get(wanted.name)
    if values is None or not wanted.is_defined:
        return (values is None) is not wanted.is_defined
    return wanted.text is None or is_match(wanted.text, values)


def _is_at(within: UtcRange, prop: Property, candidate: _Candidate) -> bool:
    """Return True if a time of a property is in a range; a DATE is there all day."""
    candidate.budget.draw(1 + len(prop.value) // _PARSED)
    for value in read_times(prop, candidate.vtimezones):
        moment = Moment.of(value)
        start = moment.to_instant(candidate.zone)
        length = DAY if value.is_day else 1
        if (within.end is None or start < within.end) and (
            within.start is None or start + length > within.start
        ):
            return True
    return False
