"""Expansion of an object into its instances in a time range (RFC 4791 section 9.6.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo

from kalends.common.budget import Budget
from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import EPOCH, FIRST_SECOND, LAST_SECOND
from kalends.ical.recurrence.instances import Instance, Moment, instances_between, own_times
from kalends.ical.timezones.resolve import vtimezones_of
from kalends.ical.values import read_times

_RECURRENCE = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE"})
_RECURRING = frozenset({"VEVENT", "VTODO", "VJOURNAL"})
_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID"})
# The steps of an instance: it is made, written, escaped and encoded.
_INSTANCE_STEPS = 40
_OCTETS_A_STEP = 8


def expand(
    calendar: Component,
    start: int,
    end: int,
    zone: tzinfo,
    budget: Budget,
    count: Callable[[], None],
) -> Component:
    """Return a calendar object as its instances in a time range, in UTC and without rules.

    Args:
        calendar: the object.
        start: seconds since 1970, UTC.
        end: the same, exclusive.
        zone: the time zone for floating times and days, which stay as they are.
        budget: the limit of the work.
        count: called for each instance before it is made, to refuse too many.

    Raises:
        BudgetSpentError: there are more instances than the budget allows to make.
        ObjectRefusedError: a time of the object is invalid.
    """
    vtimezones = vtimezones_of(calendar)
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    templates: dict[int, _Template] = {}
    children = [_without_zones(part, vtimezones) for part in parts if not _is_dated(part)]
    dated = [part for part in parts if _is_dated(part)]
    for instance in instances_between(dated, vtimezones, start, end, zone, budget):
        part = instance.component
        template = templates.get(id(part))
        if template is None:
            template = templates[id(part)] = _Template.of(part, vtimezones)
        count()
        budget.draw(_INSTANCE_STEPS + template.size // _OCTETS_A_STEP)
        if instance.place is None:
            children.append(template.single)
        elif all(FIRST_SECOND <= m.seconds <= LAST_SECOND for m in instance[2:4]):
            children.append(template.at(instance))
    return Component(calendar.name, calendar.properties, children)


@dataclass(frozen=True, slots=True)
class _Template:
    """A component whose instances differ in their times alone.

    Attributes:
        single: the component as it is, in UTC and without rules.
        length: its duration, seconds.
        size: its length, octets.
    """

    single: Component
    length: int
    size: int

    @classmethod
    def of(cls, component: Component, vtimezones: Mapping[str, str]) -> _Template:
        """Return the template of a component."""
        begin, finish = own_times(component, vtimezones)
        single = _without_zones(component, vtimezones)
        size = sum(len(line) for line in single.lines())
        return cls(single, finish.seconds - begin.seconds, size)

    def at(self, instance: Instance) -> Component:
        """Return an instance of a series."""
        return Component(self.single.name, list(self._properties(instance)), self.single.children)

    def _properties(self, instance: Instance) -> Iterator[Property]:
        ends = "DUE" if self.single.name == "VTODO" else "DTEND"
        differs = instance.finish.seconds - instance.begin.seconds != self.length
        for prop in self.single.properties:
            if prop.name not in _TIMES and not (differs and prop.name == "DURATION"):
                yield prop
            elif prop.name == "DTSTART":
                yield _with_moment(prop, instance.begin)
            elif prop.name == ends and not differs:
                yield _with_moment(prop, instance.finish)
        if differs:
            yield _with_moment(Property(ends, "", ""), instance.finish)
        assert instance.place is not None
        yield _with_moment(Property("RECURRENCE-ID", "", ""), instance.place)


def _is_dated(component: Component) -> bool:
    return component.name in _RECURRING and (
        component.first("DTSTART") is not None
        or (component.name == "VTODO" and component.first("DUE") is not None)
    )


def _without_zones(component: Component, vtimezones: Mapping[str, str]) -> Component:
    """Return a component without rules, with its zoned times in UTC."""
    properties = [
        _alone(prop, vtimezones) if prop.raw_params else prop
        for prop in component.properties
        if prop.name not in _RECURRENCE
    ]
    children = [_without_zones(child, vtimezones) for child in component.children]
    return Component(component.name, properties, children)


def _alone(prop: Property, vtimezones: Mapping[str, str]) -> Property:
    """Return a property of one instance: in UTC, and not about those that follow."""
    if prop.name == "RECURRENCE-ID":
        prop = prop.with_param("RANGE", None)
    return _in_utc(prop, vtimezones) if "TZID" in prop.raw_params.upper() else prop


def _in_utc(prop: Property, vtimezones: Mapping[str, str]) -> Property:
    """Return a property without TZID; of an unknown zone the times are floating."""
    bare = prop.with_param("TZID", None)
    try:
        values = read_times(prop, vtimezones)
    except ObjectRefusedError:  # a client's own property, with another kind of value
        return bare
    text = ",".join(_text(Moment.of(value)) for value in values)
    return Property(bare.name, bare.raw_params, text, bare.line)


def _with_moment(prop: Property, moment: Moment) -> Property:
    """Return a property without a zone at another time."""
    params = prop.raw_params
    if params:  # hardly ever, other than VALUE=DATE
        params = prop.with_param("VALUE", None).raw_params
    if moment.kind == "day":
        params += ";VALUE=DATE"
    return Property(prop.name, params, _text(moment), prop.line)


def _text(moment: Moment) -> str:
    value = EPOCH + timedelta(seconds=moment.seconds)
    day = f"{value.year:04}{value.month:02}{value.day:02}"
    if moment.kind == "day":
        return day
    return f"{day}T{value:%H%M%S}{'Z' if moment.kind == 'utc' else ''}"


def moment_text(seconds: int) -> str:
    """Return an instant as a DATE-TIME in UTC (RFC 5545 section 3.3.5)."""
    return _text(Moment(seconds, "utc"))
