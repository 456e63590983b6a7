"""Splitting of a file of calendars or cards into objects, one for each UID.

Parts that cannot be stored are reported with their line and reason.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from kalends.common import progress
from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.encoding import BYTE_ORDER_MARK
from kalends.ical.limits import (
    FILE_OF_A_REQUEST,
    FILE_OF_AN_ADMINISTRATOR,
    MAX_FILE_OBJECTS,
    USUAL_LIMITS,
    FileLimits,
    ObjectLimits,
)
from kalends.ical.recover import (
    ComponentLines,
    RejectedPart,
    decode_file,
    find_calendars,
    find_components,
    parse_component,
)
from kalends.ical.sniff import describe_foreign_file
from kalends.ical.timezones.resolve import by_tzid, tzids_of
from kalends.ical.validate import CalendarObject, index_calendar, read_card
from kalends.limit_names import Limit

_FIRST_BEGIN = re.compile(rb"^BEGIN:[ \t]*([A-Z0-9-]+)", re.IGNORECASE | re.MULTILINE)
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


def split_file(
    data: bytes,
    *,
    allowed: frozenset[str] | None = None,
    limits: ObjectLimits = USUAL_LIMITS,
    size: FileLimits = FILE_OF_AN_ADMINISTRATOR,
    budget: Budget | None = None,
) -> SplitCalendar:
    """Split a file of calendars or of cards into objects.

    The first component decides which of the two it is. Lines may also end with CR alone, as on old
    Macs.

    Args:
        data: the octets of the file.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.
        size: the limits of the file.
        budget: the steps that all objects together may take; any number if not given.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if why := describe_foreign_file(data):
        return SplitCalendar(
            "VCALENDAR", refused=[RejectedPart(1, "", why, "C:supported-calendar-data")]
        )
    begin = _FIRST_BEGIN.search(data)
    if why := _describe_excess(data, size):
        space = "CR" if begin and begin[1].upper() == b"VCARD" else "C"
        kind = "VADDRESSBOOK" if space == "CR" else "VCALENDAR"
        return SplitCalendar(
            kind, refused=[RejectedPart(1, "", why, f"{space}:max-resource-size", Limit.FILE)]
        )
    if begin and begin[1].upper() == b"VCARD":
        return split_cards(data, limits=limits)
    return split_calendar(data, allowed=allowed, limits=limits, budget=budget)


def _describe_excess(data: bytes, size: FileLimits) -> str | None:
    """Return the reason why a file is too large to be split, or None."""
    for found, most, unit in (
        (len(data), size.octets, "octets"),
        (data.count(b"\n"), size.lines, "lines"),
        (data.count(b"\nBEGIN:"), size.components, "components"),
    ):
        if found > most:
            return f"it has more than {most:,} {unit}: divide it, or use kalends import"
    return None


def split_calendar(
    data: bytes,
    *,
    allowed: frozenset[str] | None = None,
    limits: ObjectLimits = USUAL_LIMITS,
    budget: Budget | None = None,
) -> SplitCalendar:
    """Split a file of one or several calendars into objects, without their METHOD.

    A bad component is reported and the others are still read. A component without a UID gets one
    that is derived from its content, so that the same file always results in the same objects.

    Args:
        data: the octets of the file.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.
        budget: the steps that all objects together may take; any number if not given.
    """
    whole = SplitCalendar("VCALENDAR")
    left = _Left(budget or Budget(sys.maxsize, limits.steps))
    is_small = data.count(b"\nBEGIN:") <= FILE_OF_A_REQUEST.components
    text = decode_file(data)
    same_zones: dict[str, Component] = {}
    groups: dict[str, _Group] = {}
    seen = False
    for header, components in find_calendars(text, whole.refused):
        seen = True
        _read_description(whole, header)
        zones: dict[str, Component] = {}
        defined: list[Component] = []
        for block in components:
            progress.report()
            component = parse_component(block, whole.refused)
            if component is None:
                continue
            if component.name == "VTIMEZONE":
                # Of many calendars in one file, each often has the same zones.
                defined.append(same_zones.setdefault(block.text, component))
            else:
                uid = _ensure_uid(component)
                group = groups.setdefault(uid, _Group(uid, header, zones))
                name, identifier = component.name, component.value("RECURRENCE-ID")
                kept = component if is_small else None
                group.add(_Part(name, identifier, component.line, block, kept), whole)
        zones.update(by_tzid((zone, zone) for zone in defined))
    if not seen and not whole.refused:
        whole.refused.append(RejectedPart(1, "", "no BEGIN:VCALENDAR", "C:valid-calendar-data"))
    pending = list(reversed(groups.values()))
    groups.clear()
    while pending:
        progress.report()
        pending.pop().finish(whole, allowed, limits, left)
    return whole


def split_cards(data: bytes, *, limits: ObjectLimits = USUAL_LIMITS) -> SplitCalendar:
    """Split a file into cards.

    A card without a UID gets one that is derived from its content.

    Args:
        data: the octets of the file.
        limits: the limits of objects.
    """
    whole = SplitCalendar("VADDRESSBOOK")
    text = decode_file(data)
    seen: dict[str, CalendarObject] = {}
    for block in find_components(text.split("\n"), 0):
        progress.report()
        try:
            (card,) = contentlines.parse(block.text, vcard=True)
            if not card.value("UID").strip():
                card.properties.insert(0, Property("UID", "", _derive_uid(card)))
                found = read_card(contentlines.serialize([card]), limits=limits)
            else:
                found = read_card(f"{block.text}\n".encode(), limits=limits)
        except (IcalendarSyntaxError, ObjectRefusedError) as error:
            line = block.line + (error.line or 1) - 1
            whole.refused.append(
                RejectedPart(line, "", error.why, "CR:valid-address-data", error.limit)
            )
            continue
        there = seen.setdefault(found.uid, found)
        if there is found:
            whole.objects.append(found)
        elif there.data.strip() != found.data.strip():
            why = "another card has the same UID"
            whole.refused.append(RejectedPart(block.line, found.uid, why, "CR:valid-address-data"))
    if not whole.objects and not whole.refused:
        whole.refused.append(RejectedPart(1, "", "no BEGIN:VCARD", "CR:valid-address-data"))
    return whole


@dataclass(slots=True)
class _Left:
    """What the objects of a file may still take together.

    Attributes:
        budget: steps.
        octets: octets, with the copies of time zones.
    """

    budget: Budget
    octets: int = field(default_factory=lambda: MAX_FILE_OBJECTS)

    def take(self, octets: int) -> None:
        """Take the octets of an object.

        Raises:
            ObjectRefusedError: they are not left, or no steps are.
        """
        self.octets -= octets
        if self.octets < 0 or self.budget.left <= 0:
            why = "the objects of the file are too much for one request: divide it"
            raise ObjectRefusedError("C:max-resource-size", why, limit=Limit.FILE)


class _Part(NamedTuple):
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
        _ensure_uid(component)
        return component


class _Group:
    """The components of one UID, collected to form an object."""

    def __init__(self, uid: str, header: list[Property], zones: dict[str, Component]) -> None:
        self._uid = uid
        self._header = header
        self._zones = zones
        self._parts: dict[str, _Part] = {}  # by RECURRENCE-ID

    def add(self, part: _Part, whole: SplitCalendar) -> None:
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
        left: _Left,
    ) -> None:
        """Compose and validate the object, and add it to the result."""
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
        try:
            if len(data) > limits.octets:
                why = f"larger than {limits.octets} octets"
                raise ObjectRefusedError("C:max-resource-size", why, limit=Limit.OBJECT_OCTETS)
            left.take(len(data))
            with left.budget.part(limits.steps.object) as own:
                found = index_calendar(data, calendar, allowed, own, limits)
            whole.objects.append(found)
            if all(part.first("RECURRENCE-ID") for part in components):
                whole.detached[found.uid] = components[0].line
        except ObjectRefusedError as error:
            line = error.line or components[0].line
            whole.refused.append(
                RejectedPart(line, self._uid, error.why, error.precondition, error.limit)
            )

    def _refuse(self, whole: SplitCalendar, part: _Part, why: str) -> None:
        precondition = "C:valid-calendar-object-resource"
        whole.refused.append(RejectedPart(part.line, self._uid, why, precondition))


def _ensure_uid(component: Component) -> str:
    uid = contentlines.unescape(component.value("UID")).strip()
    if not uid:
        uid = _derive_uid(component)
        component.properties = [p for p in component.properties if p.name != "UID"]
        component.properties.insert(0, Property("UID", "", uid))
    return uid


def _derive_uid(component: Component) -> str:
    text = "\n".join(line for line in component.lines() if not line.startswith(("DTSTAMP", "UID")))
    return sha256(text.encode()).hexdigest()[:40]


def _read_description(whole: SplitCalendar, header: list[Property]) -> None:
    def first(*names: str) -> str:
        found = (p.value for name in names for p in header if p.name == name)
        return contentlines.unescape(next(found, "")).strip()

    whole.name = whole.name or first("X-WR-CALNAME", "NAME")
    whole.description = whole.description or first("X-WR-CALDESC", "DESCRIPTION")
    whole.color = whole.color or first("X-APPLE-CALENDAR-COLOR", "COLOR")
