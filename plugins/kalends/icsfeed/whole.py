"""A calendar as one file, for its owner: everything as it was stored, in one VCALENDAR."""

from __future__ import annotations

from collections.abc import Iterable

from kalends import icaltext
from kalends.icaltext import Component, Property
from kalends.icsfeed.compose import TAIL, definition_text, rename_zones
from kalends.icsfeed.zones import Zone, digest_of, names_of


def whole_calendar(objects: Iterable[bytes], name: str, description: str) -> bytes:
    """Merge objects into one VCALENDAR; zones that share a TZID and differ are kept apart.

    Of a zone its rules are kept: comments and X- lines in it are left out, as in a feed.

    Args:
        objects: what clients stored, in any line ends.
        name: what the calendar is called, or empty; likewise ``description``.
    """
    parsed = [icaltext.parse(data.decode("utf-8"))[0] for data in objects]
    zones: dict[Zone, Component] = {}
    used: list[dict[str, Zone]] = []
    for calendar in parsed:
        own: dict[str, Zone] = {}
        for child in calendar.children:
            if child.name == "VTIMEZONE":
                zone = Zone(child.value("TZID"), digest_of(child))
                zones.setdefault(zone, child)
                own.setdefault(zone.tzid, zone)
        used.append(own)
    names = names_of(zones)
    header = [("VERSION", "2.0"), ("PRODID", "-//Kalends//Kalends//EN")]
    header += [("X-WR-CALNAME", icaltext.escape(name))] if name else []
    header += [("X-WR-CALDESC", icaltext.escape(description))] if description else []
    text = [icaltext.fold("BEGIN:VCALENDAR")]
    text += [icaltext.fold(Property(key, "", value).text()) for key, value in header]
    for zone in sorted(zones, key=names.__getitem__):
        text.append(icaltext.fold("BEGIN:VTIMEZONE") + icaltext.fold(f"TZID:{names[zone]}"))
        text.append(definition_text(zones[zone]) + icaltext.fold("END:VTIMEZONE"))
    for calendar, own in zip(parsed, used, strict=True):
        renamed = {t: names[zone] for t, zone in own.items() if names[zone] != t}
        for child in calendar.children:
            if child.name != "VTIMEZONE":
                if renamed:
                    rename_zones(child, renamed)
                text.append(icaltext.serialize([child]))
    return b"".join([*text, TAIL])
