"""VTIMEZONEs of a merged feed: equal rules appear once, different rules get different names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from kalends.common.bounded_cache import LONGEST_KEY, remembered
from kalends.feeds.compose.busy import reduce_to_time
from kalends.ical import contentlines
from kalends.ical.client_quirks import uppercase_rule
from kalends.ical.contentlines import Component, Property
from kalends.ical.object_text import octets_when_parsed
from kalends.ical.timezones.iana import equivalent_since, iana_definition
from kalends.ical.timezones.resolve import is_readable_vtimezone, tzid_name

NEUTRAL = "Zone"
"""The TZID for a zone whose own name might disclose something of a hidden event."""

_KEPT = 8 << 20  # octets of definitions in one worker, several hundred usual ones

_RULES = frozenset({"DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "TZNAME", "RRULE", "RDATE", "EXDATE"})
# The form of a name from `assign_names`; a client's own TZID of this form gets another name.
_MADE = re.compile(r".*-[0-9a-f]{16}", re.DOTALL)


class ZoneDefinition(NamedTuple):
    """A definition of a time zone: its TZID and the digest of its rules."""

    tzid: str
    digest: str


class ZoneUse(NamedTuple):
    """The time zone of a TZID in one object: its definition's key, rules, and text in a feed."""

    zone: ZoneDefinition
    definition: Component
    text: bytes


def canonical_definition(definition: Component) -> Component:
    """Return the rules of a VTIMEZONE in canonical order, without a TZID.

    Comments and X- properties are dropped: they are not part of the rules, and may disclose
    something of a hidden event.
    """
    rules = [
        Component(rule.name, sorted(_rules(rule), key=Property.text))
        for rule in definition.children
        if rule.name in ("STANDARD", "DAYLIGHT")
    ]
    return Component("VTIMEZONE", children=sorted(rules, key=lambda rule: list(rule.lines())))


def definition_digest(definition: Component) -> str:
    """Return the digest of the rules of a VTIMEZONE; equal if and only if the rules are."""
    return sha256("\n".join(canonical_definition(definition).lines()).encode()).hexdigest()[:16]


def _rules(rule: Component) -> Iterable[Property]:
    return (uppercase_rule(prop) for prop in rule.properties if prop.name in _RULES)


def definition_text(definition: Component) -> bytes:
    """Return the content of a VTIMEZONE in a feed, without its TZID."""
    return contentlines.serialize(canonical_definition(definition).children)


def resolve_tzid(tzid: str, own: str, first: str, *, is_private: bool) -> ZoneUse | None:
    """Return the time zone of a TZID in an object, or None if unknown (RFC 5545 section 3.2.19).

    An object's own definition counts, if it can be read. If IANA's definition is equivalent for all
    times of the object, it is used instead: so the definitions that several programs write for one
    zone become one definition in a feed, under the name that subscribers know.

    Args:
        tzid: the TZID.
        own: the text of the object's VTIMEZONE with this TZID, or empty.
        first: the first day, ``YYYYMMDD``, of the times that refer to it.
        is_private: True if texts in the definition may disclose something that is hidden.
    """
    if own and not is_readable_vtimezone(own):
        own = ""
    known = _iana(tzid)
    if known is not None and (not own or _agreed_since(own, tzid) <= first):
        name = NEUTRAL if is_private and tzid.startswith("/") else tzid
        return ZoneUse(ZoneDefinition(name, known.digest), known.definition, known.text)
    if not own:
        return None
    found = _read(own, is_private)
    # Some programs escape the parameter like the property; subscribers would not match the two.
    name = NEUTRAL if is_private and (known is None or tzid.startswith("/")) else tzid_name(tzid)
    return ZoneUse(ZoneDefinition(name, found.digest), found.definition, found.text)


class _ParsedZone(NamedTuple):
    """The rules of a definition: their digest, their component, their text in a feed."""

    digest: str
    definition: Component
    text: bytes


@remembered(_KEPT, lambda text, tzid: len(text) + len(tzid))
def _agreed_since(text: str, tzid: str) -> str:
    return equivalent_since(contentlines.parse(text)[0], tzid)


def _iana(tzid: str) -> _ParsedZone | None:
    return _named(tzid) if len(tzid) <= LONGEST_KEY else None


@lru_cache(maxsize=512)
def _named(tzid: str) -> _ParsedZone | None:
    known = iana_definition(tzid)
    return _ParsedZone(definition_digest(known), known, definition_text(known)) if known else None


@remembered(_KEPT, lambda text, is_private: octets_when_parsed(text))  # noqa: ARG005 - its name
def _read(text: str, is_private: bool) -> _ParsedZone:
    definition = canonical_definition(contentlines.parse(text)[0])
    if is_private:
        for rule in definition.children:
            times = (reduce_to_time(prop) for prop in rule.properties)
            rule.properties = [time for time in times if time]
    return _ParsedZone(definition_digest(definition), definition, definition_text(definition))


def assign_names(zones: Collection[ZoneDefinition]) -> Mapping[ZoneDefinition, str]:
    """Return a TZID for each definition in a feed; all are different.

    Of several definitions with one TZID, IANA's keeps it, else the one with the smallest digest:
    the result depends on the set alone, not on the order of the objects.
    """
    keepers: dict[str, tuple[bool, str]] = {}
    for zone in zones:
        claim = _claim(zone)
        keepers[zone.tzid] = min(keepers.get(zone.tzid, claim), claim)
    return {
        zone: zone.tzid
        if keepers[zone.tzid] == _claim(zone) and not _MADE.fullmatch(zone.tzid)
        else f"{zone.tzid}-{zone.digest}"
        for zone in zones
    }


def _claim(zone: ZoneDefinition) -> tuple[bool, str]:
    known = _iana(zone.tzid)
    return known is None or zone.digest != known.digest, zone.digest
