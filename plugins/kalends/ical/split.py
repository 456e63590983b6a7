"""A whole file of calendars or cards as objects, one for each UID; what is bad is named."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256

from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.recover import (
    RejectedPart,
    decode_file,
    find_calendars,
    find_components,
    parse_component,
)
from kalends.ical.sniff import describe_foreign_file
from kalends.ical.timezones.resolve import by_tzid, tzids_of
from kalends.ical.validate import MAX_SIZE, CalendarObject, index_calendar, read_card

_FIRST_BEGIN = re.compile(rb"^BEGIN:[ \t]*([A-Z0-9-]+)", re.IGNORECASE | re.MULTILINE)
_KEPT_OF_CALENDAR = ("VERSION", "PRODID", "CALSCALE")


@dataclass(slots=True)
class SplitCalendar:
    """What a file holds.

    Attributes:
        kind: ``VCALENDAR`` or ``VADDRESSBOOK``.
        name: what it calls itself, or empty; likewise ``description`` and ``color``.
        occurrences: the UIDs of the objects that hold single occurrences of a series without the
            series itself, each with the line of the first.
    """

    kind: str
    name: str = ""
    description: str = ""
    color: str = ""
    objects: list[CalendarObject] = field(default_factory=list)
    refused: list[RejectedPart] = field(default_factory=list)
    detached: dict[str, int] = field(default_factory=dict)


def split_file(
    data: bytes, *, allowed: frozenset[str] | None = None, max_size: int = MAX_SIZE
) -> SplitCalendar:
    """Every object of a file of calendars or of cards, whichever begins first in it.

    Lines may also end as on old Macs, with CR alone.
    """
    data = data.removeprefix(contentlines.BYTE_ORDER_MARK)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if why := describe_foreign_file(data):
        return SplitCalendar(
            "VCALENDAR", refused=[RejectedPart(1, "", why, "C:supported-calendar-data")]
        )
    begin = _FIRST_BEGIN.search(data)
    if begin and begin[1].upper() == b"VCARD":
        return split_cards(data, max_size=max_size)
    return split_calendar(data, allowed=allowed, max_size=max_size)


def split_calendar(
    data: bytes, *, allowed: frozenset[str] | None = None, max_size: int = MAX_SIZE
) -> SplitCalendar:
    """Every object of a file of one or several calendars; METHOD is left out.

    One bad component is named, and the rest goes on. A component without a UID gets one that
    follows from its content, so that the same file gives the same objects again.

    Args:
        allowed: the component types that the calendar takes; None for all.
        max_size: the largest object, octets.
    """
    whole = SplitCalendar("VCALENDAR")
    text = decode_file(data)
    groups: dict[str, _Group] = {}
    seen = False
    for header, components in find_calendars(text, whole.refused):
        seen = True
        _describe(whole, header)
        zones: dict[str, Component] = {}
        defined: list[Component] = []
        for block in components:
            component = parse_component(block, whole.refused)
            if component is None:
                continue
            if component.name == "VTIMEZONE":
                defined.append(component)
            else:
                uid = _uid(component)
                groups.setdefault(uid, _Group(uid, header, zones)).add(component, whole)
        zones.update(by_tzid((zone, zone) for zone in defined))
    if not seen and not whole.refused:
        whole.refused.append(RejectedPart(1, "", "no BEGIN:VCALENDAR", "C:valid-calendar-data"))
    for group in groups.values():
        group.finish(whole, allowed, max_size)
    return whole


def split_cards(data: bytes, *, max_size: int = MAX_SIZE) -> SplitCalendar:
    """Every card of a file; a card without a UID gets one that follows from its content."""
    whole = SplitCalendar("VADDRESSBOOK")
    text = decode_file(data)
    seen: dict[str, CalendarObject] = {}
    for block in find_components(text.split("\n"), 0):
        try:
            (card,) = contentlines.parse(block.text, vcard=True)
            if not card.value("UID").strip():
                card.properties.insert(0, Property("UID", "", _derived(card)))
                found = read_card(contentlines.serialize([card]), max_size=max_size)
            else:
                found = read_card(f"{block.text}\n".encode(), max_size=max_size)
        except (IcalendarSyntaxError, ObjectRefusedError) as error:
            line = block.line + (error.line or 1) - 1
            whole.refused.append(RejectedPart(line, "", error.why, "CR:valid-address-data"))
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
    """The components of one UID, on the way to becoming an object."""

    def __init__(self, uid: str, header: list[Property], zones: dict[str, Component]) -> None:
        self._uid = uid
        self._header = header
        self._zones = zones
        self._components: list[Component] = []

    def add(self, component: Component, whole: SplitCalendar) -> None:
        """Take a component, unless the object has one at its place already."""
        place = component.value("RECURRENCE-ID")
        for there in self._components:
            if there.name != component.name:
                self._refuse(whole, component, f"a {there.name} has the same UID")
                return
            if there.value("RECURRENCE-ID") == place:
                if list(there.lines()) != list(component.lines()):
                    self._refuse(whole, component, "another component has the same UID")
                return
        self._components.append(component)

    def finish(self, whole: SplitCalendar, allowed: frozenset[str] | None, max_size: int) -> None:
        """Compose and check the object."""
        used = {tzid for component in self._components for tzid in tzids_of(component)}
        kept = [prop for prop in self._header if prop.name in _KEPT_OF_CALENDAR]
        names = {prop.name for prop in kept}
        for name, value in (("PRODID", "-//Kalends//Import//EN"), ("VERSION", "2.0")):
            if name not in names:
                kept.insert(0, Property(name, "", value))
        zones = {zone.line: zone for tzid, zone in self._zones.items() if tzid in used}
        calendar = Component("VCALENDAR", kept, [*zones.values(), *self._components])
        data = contentlines.serialize([calendar])
        try:
            if len(data) > max_size:
                why = f"larger than {max_size} octets"
                raise ObjectRefusedError("C:max-resource-size", why)
            found = index_calendar(data, calendar, allowed)
            whole.objects.append(found)
            if all(part.first("RECURRENCE-ID") for part in self._components):
                whole.detached[found.uid] = self._components[0].line
        except ObjectRefusedError as error:
            line = error.line or self._components[0].line
            whole.refused.append(RejectedPart(line, self._uid, error.why, error.precondition))

    def _refuse(self, whole: SplitCalendar, component: Component, why: str) -> None:
        precondition = "C:valid-calendar-object-resource"
        whole.refused.append(RejectedPart(component.line, self._uid, why, precondition))


def _uid(component: Component) -> str:
    uid = contentlines.unescape(component.value("UID")).strip()
    if not uid:
        uid = _derived(component)
        component.properties = [p for p in component.properties if p.name != "UID"]
        component.properties.insert(0, Property("UID", "", uid))
    return uid


def _derived(component: Component) -> str:
    text = "\n".join(line for line in component.lines() if not line.startswith(("DTSTAMP", "UID")))
    return sha256(text.encode()).hexdigest()[:40]


def _describe(whole: SplitCalendar, header: list[Property]) -> None:
    def first(*names: str) -> str:
        found = (p.value for name in names for p in header if p.name == name)
        return contentlines.unescape(next(found, "")).strip()

    whole.name = whole.name or first("X-WR-CALNAME", "NAME")
    whole.description = whole.description or first("X-WR-CALDESC", "DESCRIPTION")
    whole.color = whole.color or first("X-APPLE-CALENDAR-COLOR", "COLOR")
