"""Rendering of a feed as text: pure, with equal output for equal content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kalends.feeds.compose.timezones import ZoneDefinition
from kalends.feeds.compose.visibility import VisibleObject, rename_tzids
from kalends.feeds.definitions.model import Rules
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property

TAIL = b"END:VCALENDAR\r\n"

_BASIC_COLORS = {
    "black": 0x000000, "silver": 0xC0C0C0, "gray": 0x808080, "white": 0xFFFFFF,
    "maroon": 0x800000, "red": 0xFF0000, "purple": 0x800080, "fuchsia": 0xFF00FF,
    "green": 0x008000, "lime": 0x00FF00, "olive": 0x808000, "yellow": 0xFFFF00,
    "navy": 0x000080, "blue": 0x0000FF, "teal": 0x008080, "aqua": 0x00FFFF,
}  # fmt: skip


def render_object(copy: VisibleObject, names: Mapping[ZoneDefinition, str]) -> bytes:
    """Return the text of an object in the feed.

    Args:
        copy: the object.
        names: the TZID of each definition in the feed; at least those that the object uses.
    """
    new = {tzid: names[use.zone] for tzid, use in copy.zones.items() if names[use.zone] != tzid}
    uid = Property("UID", "", contentlines.escape(copy.uid))
    text = []
    for component in copy.components:
        named = rename_tzids(component, new) if new else component
        whole = Component(named.name, [uid, *named.properties], named.children)
        text.append(contentlines.serialize([whole]))
    return b"".join(text)


def render_head(
    rules: Rules,
    color: str,
    zones: Mapping[ZoneDefinition, bytes],
    names: Mapping[ZoneDefinition, str],
) -> bytes:
    """Return the text before the objects: the properties of the calendar and its time zones.

    Args:
        rules: the rules of the feed.
        color: ``#RRGGBB``, or empty.
        zones: the text of each definition, from `timezones.definition_text`.
        names: the TZID of each definition.
    """
    every = _duration(rules.refresh)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Kalends//Kalends//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{contentlines.escape(rules.title)}",
        f"NAME:{contentlines.escape(rules.title)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{every}",
        f"X-PUBLISHED-TTL:{every}",
    ]
    return render_lines(lines, color, zones, names)


def render_lines(
    lines: Iterable[str],
    color: str,
    zones: Mapping[ZoneDefinition, bytes],
    names: Mapping[ZoneDefinition, str],
) -> bytes:
    """Return the text before the objects, of some lines, the colour and the time zones.

    Args:
        lines: the first lines, not folded.
        color: ``#RRGGBB``, or empty.
        zones: the text of each definition, from `timezones.definition_text`.
        names: the TZID of each definition.
    """
    text = [contentlines.fold(line) for line in lines]
    if color:
        text.append(contentlines.fold(f"COLOR:{_color_name(color)}"))
        text.append(contentlines.fold(f"X-APPLE-CALENDAR-COLOR:{color}"))
    text += [
        contentlines.fold("BEGIN:VTIMEZONE")
        + contentlines.fold(f"TZID:{contentlines.escape(names[zone])}")
        + zones[zone]
        + contentlines.fold("END:VTIMEZONE")
        for zone in sorted(zones, key=lambda zone: names[zone])
    ]
    return b"".join(text)


def _duration(seconds: int) -> str:
    minutes = max(1, seconds // 60)
    return f"PT{minutes // 60}H" if minutes % 60 == 0 else f"PT{minutes}M"


def _color_name(color: str) -> str:
    """Return the basic CSS colour nearest to ``#RRGGBB`` (RFC 7986 section 5.9: names only)."""

    def parts(value: int) -> tuple[int, int, int]:
        return value >> 16, value >> 8 & 255, value & 255

    wanted = parts(int(color[1:7], 16))
    return min(
        _BASIC_COLORS,
        key=lambda name: sum(
            (a - b) ** 2 for a, b in zip(wanted, parts(_BASIC_COLORS[name]), strict=True)
        ),
    )
