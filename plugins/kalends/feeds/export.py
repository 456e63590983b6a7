"""A calendar as one file, for its owner: everything as it was stored, in one VCALENDAR."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from kalends.feeds.compose.render import TAIL
from kalends.feeds.compose.timezones import (
    ZoneDefinition,
    assign_names,
    definition_digest,
    definition_text,
)
from kalends.feeds.compose.visibility import days_in_zone, rename_tzids
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.timezones.iana import equivalent_since, iana_definition
from kalends.ical.timezones.resolve import by_tzid, tzid_name, tzids_of


def export_calendar(objects: Iterable[bytes], name: str, description: str) -> bytes:
    """Merge objects into one VCALENDAR; zones that share a TZID and differ are kept apart.

    Of a zone its rules are kept: comments and X- lines in it are left out, as in a feed.

    Args:
        objects: what clients stored, in any line ends.
        name: what the calendar is called, or empty; likewise ``description``.
    """
    parsed = [_parsed(data) for data in objects]
    return b"".join(_pieces(lambda: parsed, name, description))


def stream_calendar(
    objects: Callable[[], Iterable[bytes]], name: str, description: str
) -> Iterator[bytes]:
    """The octets of `export_calendar` one after the other; one object is in memory at a time.

    Args:
        objects: gives the objects, twice the same: zones stand before what uses them.
    """
    return _pieces(lambda: map(_parsed, objects()), name, description)


def stream_address_book(cards: Iterable[bytes]) -> Iterator[bytes]:
    """An address book as one file, card by card."""
    for card in cards:
        yield card.strip() + b"\r\n"


def _pieces(
    calendars: Callable[[], Iterable[Component]], name: str, description: str
) -> Iterator[bytes]:
    zones: dict[ZoneDefinition, Component] = {}
    undefined: dict[str, str] = {}
    for calendar in calendars():
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
    # Of one name there is one digest: an earlier download may have made the name that is made now.
    for zone in sorted({names[zone]: zone for zone in zones}.values(), key=names.__getitem__):
        yield contentlines.fold("BEGIN:VTIMEZONE") + contentlines.fold(
            f"TZID:{contentlines.escape(names[zone])}"
        )
        yield definition_text(zones[zone]) + contentlines.fold("END:VTIMEZONE")
    for calendar in calendars():
        yield from _written(calendar, names)
    yield TAIL


def _parsed(data: bytes) -> Component:
    return contentlines.parse(data.decode("utf-8"))[0]


def _zones(calendar: Component) -> Iterator[tuple[ZoneDefinition, Component]]:
    for child in calendar.children:
        if child.name == "VTIMEZONE":
            yield ZoneDefinition(tzid_name(child.value("TZID")), definition_digest(child)), child


def _undefined(calendar: Component) -> Iterator[tuple[str, str]]:
    """Each TZID that an object uses and does not define, and its first day, ``YYYYMMDD``."""
    own = by_tzid((definition, zone) for zone, definition in _zones(calendar))
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    for tzid in {tzid for part in parts for tzid in tzids_of(part)} - own.keys():
        yield tzid, min(day for part in parts for day in days_in_zone(part, tzid))


def _names(
    zones: dict[ZoneDefinition, Component], undefined: Mapping[str, str]
) -> Mapping[ZoneDefinition, str]:
    """Under which TZID each definition stands; IANA's are added where objects count on them.

    What an object uses and does not define, no other object may define for it.
    """
    free: set[str] = set()
    for tzid, first in undefined.items():
        names = assign_names(zones)
        keeper = next((zone for zone in zones if names[zone] == tzid), None)
        known = iana_definition(tzid)
        if known is None:
            free |= {tzid, tzid_name(tzid)}
        elif keeper is not None and equivalent_since(zones[keeper], tzid) > first:
            zones[ZoneDefinition(tzid, definition_digest(known))] = known
    # A name that a download has made of these rules stays, so that each download is like the last.
    return {
        zone: zone.tzid if zone.tzid.endswith(f"-{zone.digest}") else name
        for zone, name in assign_names(zones).items()
    } | {zone: f"{zone.tzid}-{zone.digest}" for zone in zones if zone.tzid in free}


def _written(calendar: Component, names: Mapping[ZoneDefinition, str]) -> Iterator[bytes]:
    """The text of an object, without its zones, which are called by ``names``."""
    own = by_tzid((definition, zone) for zone, definition in _zones(calendar))
    new = {t: names[zone] for t, zone in own.items() if names[zone] != t}
    for child in calendar.children:
        if child.name != "VTIMEZONE":
            yield contentlines.serialize([rename_tzids(child, new) if new else child])
