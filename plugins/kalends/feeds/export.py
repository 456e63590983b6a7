"""Export of a collection as one file: a calendar as one VCALENDAR with everything as stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from kalends.errors import IcalendarSyntaxError
from kalends.feeds.compose.render import TAIL
from kalends.feeds.compose.timezones import (
    ZoneDefinition,
    assign_names,
    definition_digest,
    definition_text,
)
from kalends.feeds.compose.visibility import first_days, rename_tzids
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.stored_text import read_stored, read_stored_card
from kalends.ical.timezones.iana import equivalent_since, iana_definition
from kalends.ical.timezones.resolve import by_tzid, tzid_name


class StoredText(NamedTuple):
    """An object or a card to be exported: its name in the collection, and its octets."""

    name: str
    data: bytes


LeftOut = Callable[[str, str], None]
"""Receives the name of an object that is left out because it cannot be read, and the reason."""


def export_calendar(
    objects: Iterable[StoredText], name: str, description: str, left_out: LeftOut
) -> bytes:
    """Return objects merged into one VCALENDAR; zones that share a TZID and differ are kept apart.

    Only the rules of a zone are kept: its comments and X- lines are dropped, as in a feed.

    Args:
        objects: the stored objects, with any line endings.
        name: the display name of the calendar, or empty.
        description: its description, or empty.
        left_out: receives each object that an earlier version stored and nobody can read.
    """
    parsed = list(_read_all(objects, left_out))
    return b"".join(_parts(parsed, lambda: parsed, name, description))


def stream_calendar(
    objects: Callable[[], Iterable[StoredText]], name: str, description: str, left_out: LeftOut
) -> Iterator[bytes]:
    """Yield the octets of `export_calendar` in parts, with one object in memory at a time.

    Args:
        objects: returns the objects; called twice, since zones come before the objects that use
            them, and must return the same objects each time.
        name: the display name of the calendar, or empty.
        description: its description, or empty.
        left_out: receives each object that an earlier version stored and nobody can read.
    """

    def again() -> Iterator[Component]:
        return _read_all(objects(), lambda _name, _why: None)  # they have been told already

    return _parts(_read_all(objects(), left_out), again, name, description)


def stream_address_book(cards: Iterable[StoredText], left_out: LeftOut) -> Iterator[bytes]:
    """Yield an address book as one file, card by card.

    Args:
        cards: the stored cards.
        left_out: receives each text without a card's beginning and end: it would spoil the others.
    """
    for card in cards:
        try:
            yield read_stored_card(card.data) + b"\r\n"
        except IcalendarSyntaxError as error:
            left_out(card.name, str(error))


def _parts(
    calendars: Iterable[Component],
    again: Callable[[], Iterable[Component]],
    name: str,
    description: str,
) -> Iterator[bytes]:
    zones: dict[ZoneDefinition, Component] = {}
    undefined: dict[str, str] = {}
    for calendar in calendars:
        for zone, definition in _zones(calendar):
            zones.setdefault(zone, definition)
        for tzid, day in _undefined(calendar):
            undefined[tzid] = min(day, undefined.get(tzid, day))
    names = _names(zones, undefined)
    header = [("VERSION", "2.0"), ("PRODID", "-//Kalends//Kalends//EN")]
    header += [("X-WR-CALNAME", contentlines.escape(name))] if name else []
    header += [("X-WR-CALDESC", contentlines.escape(description))] if description else []
    yield contentlines.fold("BEGIN:VCALENDAR")
    for key, value in header:
        yield contentlines.fold(Property(key, "", value).text())
    # Equal names have equal digests: an earlier download may have created the name used now.
    for zone in sorted({names[zone]: zone for zone in zones}.values(), key=names.__getitem__):
        yield contentlines.fold("BEGIN:VTIMEZONE") + contentlines.fold(
            f"TZID:{contentlines.escape(names[zone])}"
        )
        yield definition_text(zones[zone]) + contentlines.fold("END:VTIMEZONE")
    for calendar in again():
        yield from _serialize(calendar, names)
    yield TAIL


def _read_all(objects: Iterable[StoredText], left_out: LeftOut) -> Iterator[Component]:
    """Yield the VCALENDAR of each object that can be read."""
    for one in objects:
        try:
            yield read_stored(one.data)
        except IcalendarSyntaxError as error:
            left_out(one.name, str(error))


def _zones(calendar: Component) -> Iterator[tuple[ZoneDefinition, Component]]:
    for child in calendar.children:
        if child.name == "VTIMEZONE":
            yield ZoneDefinition(tzid_name(child.value("TZID")), definition_digest(child)), child


def _undefined(calendar: Component) -> Iterator[tuple[str, str]]:
    """Yield each TZID that an object uses but does not define, and its first day, ``YYYYMMDD``."""
    own = by_tzid((definition, zone) for zone, definition in _zones(calendar))
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    for tzid, day in first_days(parts).items():
        if tzid not in own:
            yield tzid, day


def _names(
    zones: dict[ZoneDefinition, Component], undefined: Mapping[str, str]
) -> Mapping[ZoneDefinition, str]:
    """Return the TZID of each definition; add IANA definitions that objects rely on to ``zones``.

    A zone that one object uses without a definition must not be defined by another object.
    """
    free: set[str] = set()
    keepers = {name: zone for zone, name in assign_names(zones).items()}
    for tzid, first in undefined.items():
        keeper = keepers.get(tzid)
        known = iana_definition(tzid)
        if known is None:
            free |= {tzid, tzid_name(tzid)}
        elif keeper is not None and equivalent_since(zones[keeper], tzid) > first:
            zones[ZoneDefinition(tzid, definition_digest(known))] = known
            keepers = {name: zone for zone, name in assign_names(zones).items()}
    # A name that an earlier download created from these rules stays: repeated exports are equal.
    return {
        zone: zone.tzid if zone.tzid.endswith(f"-{zone.digest}") else name
        for zone, name in assign_names(zones).items()
    } | {zone: f"{zone.tzid}-{zone.digest}" for zone in zones if zone.tzid in free}


def _serialize(calendar: Component, names: Mapping[ZoneDefinition, str]) -> Iterator[bytes]:
    """Yield the text of an object without its zones; references to them get their ``names``."""
    own = by_tzid((definition, zone) for zone, definition in _zones(calendar))
    new = {t: names[zone] for t, zone in own.items() if names[zone] != t}
    for child in calendar.children:
        if child.name != "VTIMEZONE":
            yield contentlines.serialize([rename_tzids(child, new) if new else child])
