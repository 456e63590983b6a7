"""Splitting of a file of calendars or cards into objects, one for each UID.

Parts that cannot be stored are reported with their line and reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

from kalends.common import progress
from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.limits import MAX_FILE_COMPONENTS, MAX_FILE_LINES, USUAL_LIMITS, ObjectLimits
from kalends.ical.recover import (
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
    data: bytes, *, allowed: frozenset[str] | None = None, limits: ObjectLimits = USUAL_LIMITS
) -> SplitCalendar:
    """Split a file of calendars or of cards into objects.

    The first component decides which of the two it is. Lines may also end with CR alone, as on old
    Macs.

    Args:
        data: the octets of the file.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.
    """
    data = data.removeprefix(contentlines.BYTE_ORDER_MARK)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if why := describe_foreign_file(data):
        return SplitCalendar(
            "VCALENDAR", refused=[RejectedPart(1, "", why, "C:supported-calendar-data")]
        )
    begin = _FIRST_BEGIN.search(data)
    if why := _describe_excess(data):
        space = "CR" if begin and begin[1].upper() == b"VCARD" else "C"
        kind = "VADDRESSBOOK" if space == "CR" else "VCALENDAR"
        return SplitCalendar(
            kind, refused=[RejectedPart(1, "", why, f"{space}:max-resource-size", Limit.FILE)]
        )
    if begin and begin[1].upper() == b"VCARD":
        return split_cards(data, limits=limits)
    return split_calendar(data, allowed=allowed, limits=limits)


def _describe_excess(data: bytes) -> str | None:
    """Return the reason why a file is too large to be split, or None."""
    if data.count(b"\n") > MAX_FILE_LINES:
        return f"it has more than {MAX_FILE_LINES} lines: divide it"
    if data.count(b"\nBEGIN:") > MAX_FILE_COMPONENTS:
        return f"it has more than {MAX_FILE_COMPONENTS} components: divide it"
    return None


def split_calendar(
    data: bytes, *, allowed: frozenset[str] | None = None, limits: ObjectLimits = USUAL_LIMITS
) -> SplitCalendar:
    """Split a file of one or several calendars into objects, without their METHOD.

    A bad component is reported and the others are still read. A component without a UID gets one
    that is derived from its content, so that the same file always results in the same objects.

    Args:
        data: the octets of the file.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.
    """
    whole = SplitCalendar("VCALENDAR")
    text = decode_file(data)
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
                defined.append(component)
            else:
                uid = _ensure_uid(component)
                groups.setdefault(uid, _Group(uid, header, zones)).add(component, whole)
        zones.update(by_tzid((zone, zone) for zone in defined))
    if not seen and not whole.refused:
        whole.refused.append(RejectedPart(1, "", "no BEGIN:VCALENDAR", "C:valid-calendar-data"))
    for group in groups.values():
        progress.report()
        group.finish(whole, allowed, limits)
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


class _Group:
    """The components of one UID, collected to form an object."""

    def __init__(self, uid: str, header: list[Property], zones: dict[str, Component]) -> None:
        self._uid = uid
        self._header = header
        self._zones = zones
        self._components: list[Component] = []

    def add(self, component: Component, whole: SplitCalendar) -> None:
        """Add a component unless there is already one with its RECURRENCE-ID."""
        recurrence_id = component.value("RECURRENCE-ID")
        for there in self._components:
            if there.name != component.name:
                self._refuse(whole, component, f"a {there.name} has the same UID")
                return
            if there.value("RECURRENCE-ID") == recurrence_id:
                if list(there.lines()) != list(component.lines()):
                    self._refuse(whole, component, "another component has the same UID")
                return
        self._components.append(component)

    def finish(
        self, whole: SplitCalendar, allowed: frozenset[str] | None, limits: ObjectLimits
    ) -> None:
        """Compose and validate the object, and add it to the result."""
        used = {tzid for component in self._components for tzid in tzids_of(component)}
        kept = [prop for prop in self._header if prop.name in _KEPT_PROPERTIES]
        names = {prop.name for prop in kept}
        for name, value in (("PRODID", "-//Kalends//Import//EN"), ("VERSION", "2.0")):
            if name not in names:
                kept.insert(0, Property(name, "", value))
        zones = {zone.line: zone for tzid, zone in self._zones.items() if tzid in used}
        calendar = Component("VCALENDAR", kept, [*zones.values(), *self._components])
        data = contentlines.serialize([calendar])
        try:
            if len(data) > limits.octets:
                why = f"larger than {limits.octets} octets"
                raise ObjectRefusedError("C:max-resource-size", why, limit=Limit.OBJECT_OCTETS)
            found = index_calendar(data, calendar, allowed, limits.steps.of_object(), limits)
            whole.objects.append(found)
            if all(part.first("RECURRENCE-ID") for part in self._components):
                whole.detached[found.uid] = self._components[0].line
        except ObjectRefusedError as error:
            line = error.line or self._components[0].line
            whole.refused.append(
                RejectedPart(line, self._uid, error.why, error.precondition, error.limit)
            )

    def _refuse(self, whole: SplitCalendar, component: Component, why: str) -> None:
        precondition = "C:valid-calendar-object-resource"
        whole.refused.append(RejectedPart(component.line, self._uid, why, precondition))


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
