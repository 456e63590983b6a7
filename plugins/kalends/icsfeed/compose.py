"""From objects to the text of a feed: pure, and the same for the same content."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from kalends import icaltext
from kalends.errors import IcalendarSyntaxError
from kalends.icaltext import Component, Property
from kalends.icsfeed.definitions import Rules
from kalends.icsfeed.source import StoredObject
from kalends.icsfeed.zones import Zone, canonical, digest_of, iana_definition

TAIL = b"END:VCALENDAR\r\n"

_STAMP = re.compile(r"\d{8}T\d{6}Z")
_TZID = re.compile(r'(;TZID=)("[^"]*"|[^";:,]*)', re.IGNORECASE)
# What tells when something happens, and nothing of what it is.
_OF_BUSY = frozenset(
    {"DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID", "SEQUENCE"}
)
# What copies of one meeting may differ in.
_INCIDENTAL = frozenset({"DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE"})
_BASIC_COLORS = {
    "black": 0x000000, "silver": 0xC0C0C0, "gray": 0x808080, "white": 0xFFFFFF,
    "maroon": 0x800000, "red": 0xFF0000, "purple": 0x800080, "fuchsia": 0xFF00FF,
    "green": 0x008000, "lime": 0x00FF00, "olive": 0x808000, "yellow": 0xFFFF00,
    "navy": 0x000080, "blue": 0x0000FF, "teal": 0x008080, "aqua": 0x00FFFF,
}  # fmt: skip


@dataclass(slots=True)
class Copy:
    """One object as a feed shows it: what is hidden is gone already.

    Attributes:
        stored: the object.
        path: of its calendar.
        uid: the UID under which it stands in the feed.
        components: what is shown, the master first.
        zones: the definitions that these use.
        is_private: whether it shows as busy, under a UID that tells nothing.
    """

    stored: StoredObject
    path: str
    uid: str
    components: list[Component]
    zones: dict[Zone, Component] = field(default_factory=dict)
    is_private: bool = False


def visible(stored: StoredObject, path: str, rules: Rules) -> Copy | None:
    """An object as far as a feed shows it; None if it shows nothing of it.

    Raises:
        IcalendarSyntaxError: the object cannot be read.
    """
    parsed = icaltext.parse(stored.data.decode("utf-8"))
    if not parsed:
        raise IcalendarSyntaxError(1, "it is empty")
    found = sorted(
        (child for child in parsed[0].children if child.name in rules.components), key=_place
    )
    shown, is_private = _without_hidden(found, rules)
    if not shown:
        return None
    uid = _busy_uid(path, stored.uid) if is_private else stored.uid
    copy = Copy(stored, path, uid, shown, is_private=is_private)
    for component in copy.components:
        _finish(component, stored, path, rules)
    own = {z.value("TZID"): z for z in parsed[0].children if z.name == "VTIMEZONE"}
    for tzid in sorted({t for component in copy.components for t in _tzids(component)}):
        definition = own.get(tzid) or iana_definition(tzid)
        if definition is not None:
            copy.zones[Zone(tzid, digest_of(definition))] = definition
            continue
        for component in copy.components:
            # Nobody knows this zone: a floating time, which no other object's definition may claim.
            rename_zones(component, {tzid: ""})
    return copy


def _place(component: Component) -> tuple[bool, str, str]:
    recurrence = component.first("RECURRENCE-ID")
    return recurrence is not None, recurrence.value if recurrence else "", component.name


def _without_hidden(found: Sequence[Component], rules: Rules) -> tuple[list[Component], bool]:
    """What is shown of components, the master first, and whether all of it is only busy."""
    if not found:
        return [], False
    levels = [_level(component, rules) for component in found]
    if found[0].first("RECURRENCE-ID") is None and levels[0] != "show":
        levels = [levels[0] if level == "show" else level for level in levels]
    if levels[0] == "hide" and found[0].first("RECURRENCE-ID") is None:
        return [], False
    whole = all(level != "show" for level in levels)
    shown: list[Component] = []
    gone: list[Property] = []
    for component, level in zip(found, levels, strict=True):
        if level == "show":
            shown.append(component)
        elif level == "busy" and component.name == "VEVENT":
            shown.append(_busy(component))
        elif recurrence := component.first("RECURRENCE-ID"):
            # EXDATE knows no RANGE, and other parameters may tell what is hidden.
            params = _only_time(recurrence, ("VALUE", "TZID"))
            gone.append(Property("EXDATE", params, recurrence.value))
    if gone and shown and shown[0].first("RECURRENCE-ID") is None:
        # Otherwise the master would show at the place of what is hidden.
        shown[0].properties.extend(gone)
    return shown, whole


def _level(component: Component, rules: Rules) -> str:
    """``show``, ``busy`` or ``hide`` (RFC 5545 section 3.8.1.3: an unknown CLASS is PRIVATE)."""
    access = component.value("CLASS").strip().upper() or "PUBLIC"
    if rules.private == "show" or access == "PUBLIC":
        return "busy" if rules.busy else "show"
    return "busy" if access == "CONFIDENTIAL" else rules.private


def _busy(component: Component) -> Component:
    kept = [prop for prop in component.properties if prop.name in _OF_BUSY]
    if component.value("TRANSP").strip().upper() == "TRANSPARENT":
        kept.append(Property("TRANSP", "", "TRANSPARENT"))
    return Component(
        component.name,
        [Property(p.name, _only_time(p), p.value) for p in kept]
        + [Property("SUMMARY", "", "Busy")],
    )


def _only_time(prop: Property, kept: Sequence[str] = ("VALUE", "TZID", "RANGE")) -> str:
    params = prop.params
    return "".join(
        f';{name}="{params[name][0]}"' if name == "TZID" else f";{name}={params[name][0]}"
        for name in kept
        if params.get(name)
    )


def _busy_uid(path: str, uid: str) -> str:
    return sha256(f"{path}\0{uid}".encode()).hexdigest()[:32]


def _finish(component: Component, stored: StoredObject, path: str, rules: Rules) -> None:
    """Set what a feed says of every component: stamps, and its calendar as a category."""
    moment = datetime.fromtimestamp(stored.changed // 1_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
    modified = component.value("LAST-MODIFIED").strip()
    newest = max(modified, moment) if _STAMP.fullmatch(modified) else moment
    kept = [p for p in component.properties if p.name not in ("UID", "LAST-MODIFIED")]
    if not any(prop.name == "DTSTAMP" for prop in kept):
        kept.insert(0, Property("DTSTAMP", "", moment))
    kept.append(Property("LAST-MODIFIED", "", newest))
    if rules.categories:
        kept.append(Property("CATEGORIES", "", icaltext.escape(path.rpartition("/")[2])))
    component.properties = kept
    if not rules.alarms:
        component.children = [child for child in component.children if child.name != "VALARM"]


def _tzids(component: Component) -> Iterable[str]:
    for prop in component.properties:
        if prop.raw_params and (tzid := prop.param("TZID")):
            yield tzid
    for child in component.children:
        yield from _tzids(child)


def settle(copies: Iterable[Copy]) -> list[Copy]:
    """Which of the copies of one UID stay, and under which UID each stands.

    Copies are one meeting where they agree on the ORGANIZER, or without one on all but stamps and
    alarms; then the newest stays. Others stay as well, so that nobody hides another's event by
    using its UID.
    """
    in_order = sorted(copies, key=lambda copy: copy.path)
    meetings: dict[str, list[Copy]] = {}
    settled = [copy for copy in in_order if copy.is_private]
    for copy in in_order:
        if not copy.is_private:
            meetings.setdefault(_meeting(copy), []).append(copy)
    for number, same in enumerate(meetings.values()):
        best = max(reversed(same), key=_recency)
        if number:
            best.uid = f"{best.uid}-{sha256(same[0].path.encode()).hexdigest()[:8]}"
        settled.append(best)
    return settled


def _meeting(copy: Copy) -> str:
    organizer = copy.components[0].value("ORGANIZER").strip().lower()
    if organizer:
        return f"ORGANIZER {organizer}"
    return "\n".join(
        "\n".join(sorted(p.text() for p in component.properties if not _is_incidental(p)))
        for component in copy.components
    )


def _is_incidental(prop: Property) -> bool:
    return prop.name in _INCIDENTAL or prop.name.startswith("X-MOZ-") or prop.name == "CATEGORIES"


def _recency(copy: Copy) -> tuple[int, str, str]:
    master = copy.components[0]
    sequence = master.value("SEQUENCE").strip()
    number = (
        int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 10 else 0
    )
    return number, master.value("LAST-MODIFIED"), master.value("DTSTAMP")


def render(copy: Copy, names: Mapping[Zone, str]) -> bytes:
    """The lines of an object in the feed.

    Args:
        names: under which TZID each definition stands, at least those of this copy.
    """
    renamed = {zone.tzid: names[zone] for zone in copy.zones if names[zone] != zone.tzid}
    text = []
    for component in copy.components:
        if renamed:
            rename_zones(component, renamed)
        component.properties.insert(0, Property("UID", "", icaltext.escape(copy.uid)))
        text.append(icaltext.serialize([component]))
        del component.properties[0]
    return b"".join(text)


def rename_zones(component: Component, renamed: Mapping[str, str]) -> None:
    """Let a component refer to definitions under other names, from the old TZID to the new.

    An empty new one takes the reference away.
    """

    def new(match: re.Match[str]) -> str:
        tzid = match[2].strip('"')
        if tzid not in renamed:
            return match[0]
        return f'{match[1]}"{renamed[tzid]}"' if renamed[tzid] else ""

    component.properties = [
        Property(p.name, _TZID.sub(new, p.raw_params), p.value, p.line)
        for p in component.properties
    ]
    for child in component.children:
        rename_zones(child, renamed)


def head(rules: Rules, color: str, zones: Mapping[Zone, bytes], names: Mapping[Zone, str]) -> bytes:
    """What stands before the objects: the calendar's own properties and its time zones.

    Args:
        color: ``#RRGGBB``, or empty.
        zones: the text of each definition from ``definition_text``.
    """
    every = _duration(rules.refresh)
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Kalends//Kalends//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        f"X-WR-CALNAME:{icaltext.escape(rules.title)}",
        f"NAME:{icaltext.escape(rules.title)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{every}",
        f"X-PUBLISHED-TTL:{every}",
    ]
    if color:
        lines += [f"COLOR:{_color_name(color)}", f"X-APPLE-CALENDAR-COLOR:{color}"]
    text = [icaltext.fold(line) for line in lines]
    text += [
        icaltext.fold("BEGIN:VTIMEZONE")
        + icaltext.fold(f"TZID:{names[zone]}")
        + zones[zone]
        + icaltext.fold("END:VTIMEZONE")
        for zone in sorted(zones, key=lambda zone: names[zone])
    ]
    return b"".join(text)


def definition_text(definition: Component) -> bytes:
    """A VTIMEZONE's content without its TZID, for ``head``."""
    return icaltext.serialize(canonical(definition).children)


def _duration(seconds: int) -> str:
    minutes = max(1, seconds // 60)
    return f"PT{minutes // 60}H" if minutes % 60 == 0 else f"PT{minutes}M"


def _color_name(color: str) -> str:
    """The basic CSS colour nearest to ``#RRGGBB``: RFC 7986 section 5.9 takes names alone."""

    def parts(value: int) -> tuple[int, int, int]:
        return value >> 16, value >> 8 & 255, value & 255

    wanted = parts(int(color[1:7], 16))
    return min(
        _BASIC_COLORS,
        key=lambda name: sum(
            (a - b) ** 2 for a, b in zip(wanted, parts(_BASIC_COLORS[name]), strict=True)
        ),
    )
