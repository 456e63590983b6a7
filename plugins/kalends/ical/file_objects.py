"""The objects of a file of many, one for each UID, composed of the components that it has."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.errors import ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.limits import ObjectLimits
from kalends.ical.recover import ComponentLines, RejectedPart, parse_component
from kalends.ical.timezones.resolve import tzids_of
from kalends.ical.validate import CalendarObject, index_calendar
from kalends.limit_names import Limit

# Of an object of a file, whatever it holds: a third of a millisecond.
_STEPS_OF_ONE, _STEPS_OF_A_LINE, _OCTETS_IN_A_STEP = 600, 10, 8

_KEPT_PROPERTIES = ("VERSION", "PRODID", "CALSCALE")


@dataclass(slots=True)
class SplitCalendar:
    """The contents of a file of calendars or cards.

    Attributes:
        kind: ``VCALENDAR`` or ``VADDRESSBOOK``.
        name: the display name that the file gives itself, or empty.
        description: its description, or empty.
        color: its color, or empty.
        objects: the objects that may be stored.
        refused: the parts that may not.
        detached: for objects with single occurrences of a series but not the series itself, the
            line of the first occurrence by UID.
    """

    kind: str
    name: str = ""
    description: str = ""
    color: str = ""
    objects: list[CalendarObject] = field(default_factory=list)
    refused: list[RejectedPart] = field(default_factory=list)
    detached: dict[str, int] = field(default_factory=dict)

    def read_description(self, header: list[Property]) -> None:
        """Take name, description and color from the properties of a calendar, if still empty."""

        def first(*names: str) -> str:
            found = (p.value for name in names for p in header if p.name == name)
            return contentlines.unescape(next(found, "")).strip()

        self.name = self.name or first("X-WR-CALNAME", "NAME")
        self.description = self.description or first("X-WR-CALDESC", "DESCRIPTION")
        self.color = self.color or first("X-APPLE-CALENDAR-COLOR", "COLOR")


@dataclass(slots=True)
class Left:
    """The steps and octets that the objects of a file may still take together.

    Attributes:
        budget: steps.
        octets: octets, with the copies of time zones.
        space: the short name of the namespace of refusals.
    """

    budget: Budget
    octets: int
    space: str = "C"

    def check(self) -> None:
        """Find out, before the work, if anything is left.

        Raises:
            ObjectRefusedError: nothing is.
        """
        if self.octets < 0 or self.budget.left <= 0:
            why = "the objects of the file are too much for one request: divide it"
            raise ObjectRefusedError(f"{self.space}:max-resource-size", why, limit=Limit.FILE)

    def take(self, octets: int, lines: int) -> None:
        """Take the octets of an object, and the steps of composing it and storing it.

        Raises:
            ObjectRefusedError: they are not left, or no steps are.
        """
        self.octets -= octets
        self.budget.take(_STEPS_OF_ONE + lines * _STEPS_OF_A_LINE + octets // _OCTETS_IN_A_STEP)
        self.check()


class Part(NamedTuple):
    """A component of an object.

    Attributes:
        name: its name.
        recurrence_id: the value of its RECURRENCE-ID, or empty.
        line: the line of the file at which it begins.
        text: its lines.
        component: its parsed form; None to parse the lines again, which take a tenth of the memory.
    """

    name: str
    recurrence_id: str
    line: int
    text: ComponentLines
    component: Component | None

    def parsed(self) -> Component:
        """Return the component with its UID."""
        component = self.component or parse_component(self.text, [])
        assert component is not None  # it could be parsed before
        ensure_uid(component)
        return component


class Group:
    """The components of one UID, collected to form an object."""

    def __init__(self, uid: str, header: list[Property], zones: dict[str, Component]) -> None:
        self._uid = uid
        self._header = header
        self._zones = zones
        self._parts: dict[str, Part] = {}  # by RECURRENCE-ID

    def add(self, part: Part, whole: SplitCalendar) -> None:
        """Add a component unless there is already one with its RECURRENCE-ID."""
        there = next(iter(self._parts.values()), part)
        if there.name != part.name:
            self._refuse(whole, part, f"a {there.name} has the same UID")
            return
        there = self._parts.setdefault(part.recurrence_id, part)
        if there is not part and list(there.parsed().lines()) != list(part.parsed().lines()):
            self._refuse(whole, part, "another component has the same UID")

    def finish(
        self,
        whole: SplitCalendar,
        allowed: frozenset[str] | None,
        limits: ObjectLimits,
        left: Left,
    ) -> None:
        """Compose and validate the object, and add it to the result."""
        try:
            left.check()
            self._add_object(whole, allowed, limits, left)
        except ObjectRefusedError as error:
            line = error.line or next(iter(self._parts.values())).line
            whole.refused.append(
                RejectedPart(line, self._uid, error.why, error.precondition, error.limit)
            )

    def _add_object(
        self,
        whole: SplitCalendar,
        allowed: frozenset[str] | None,
        limits: ObjectLimits,
        left: Left,
    ) -> None:
        components = [part.parsed() for part in self._parts.values()]
        used = {tzid for component in components for tzid in tzids_of(component)}
        kept = [prop for prop in self._header if prop.name in _KEPT_PROPERTIES]
        names = {prop.name for prop in kept}
        for name, value in (("PRODID", "-//Kalends//Import//EN"), ("VERSION", "2.0")):
            if name not in names:
                kept.insert(0, Property(name, "", value))
        named = (self._zones[tzid] for tzid in used if tzid in self._zones)
        zones = {id(zone): zone for zone in sorted(named, key=lambda zone: zone.line)}
        calendar = Component("VCALENDAR", kept, [*zones.values(), *components])
        data = contentlines.serialize([calendar])
        left.take(len(data), data.count(b"\n"))
        if len(data) > limits.octets:
            why = f"larger than {limits.octets} octets"
            raise ObjectRefusedError("C:max-resource-size", why, limit=Limit.OBJECT_OCTETS)
        with left.budget.part(limits.steps.object) as own:
            found = index_calendar(data, calendar, allowed, own, limits)
        whole.objects.append(found)
        if all(part.first("RECURRENCE-ID") for part in components):
            whole.detached[found.uid] = components[0].line

    def _refuse(self, whole: SplitCalendar, part: Part, why: str) -> None:
        precondition = "C:valid-calendar-object-resource"
        whole.refused.append(RejectedPart(part.line, self._uid, why, precondition))


def ensure_uid(component: Component) -> str:
    """Return the UID of a component, which gets one of its content if it has none."""
    uid = contentlines.unescape(component.value("UID")).strip()
    if not uid:
        uid = derive_uid(component)
        component.properties = [p for p in component.properties if p.name != "UID"]
        component.properties.insert(0, Property("UID", "", uid))
    return uid


def derive_uid(component: Component) -> str:
    """Return a UID that follows from the content of a component or card."""
    text = "\n".join(line for line in component.lines() if not line.startswith(("DTSTAMP", "UID")))
    return sha256(text.encode()).hexdigest()[:40]
