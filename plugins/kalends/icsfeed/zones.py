"""VTIMEZONEs of a merged feed: equal rules once, different rules under names of their own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kalends.calobject.zones import iana_zone
from kalends.icaltext import Component, Property

_FIRST_YEAR, _LAST_YEAR = 1970, 2037
"""What generated definitions cover."""

_INCIDENTAL = ("TZID", "LAST-MODIFIED", "TZURL", "COMMENT", "TZID-ALIAS-OF")


class Zone(NamedTuple):
    """A definition: the name it goes by, and what its rules are, as a digest."""

    tzid: str
    digest: str


def canonical(definition: Component) -> Component:
    """What a VTIMEZONE says of its rules, in an order of its own and without a TZID.

    Comments and X- properties say nothing of the rules, and may tell what an event hides.
    """
    rules = [
        Component(rule.name, sorted(filter(_is_rule, rule.properties), key=Property.text))
        for rule in definition.children
    ]
    return Component("VTIMEZONE", children=sorted(rules, key=lambda rule: list(rule.lines())))


def digest_of(definition: Component) -> str:
    """What the rules of a VTIMEZONE are: equal where, and only where, the canonical text is."""
    return sha256("\n".join(canonical(definition).lines()).encode()).hexdigest()[:16]


def _is_rule(prop: Property) -> bool:
    return prop.name not in _INCIDENTAL and not prop.name.startswith("X-")


@lru_cache(maxsize=512)
def iana_definition(tzid: str) -> Component | None:
    """The definition of a TZID that an object uses and does not define, or None if nobody knows it.

    A feed needs a VTIMEZONE for each TZID (RFC 5545 section 3.2.19).
    """
    zone = iana_zone(tzid)
    if zone is None:
        return None
    first = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    before = _rules_at(zone, first)
    observances = {(before, before): [first]}
    for moment in _transitions(zone, first):
        after = _rules_at(zone, moment)
        observances.setdefault((before, after), []).append(moment)
        before = after
    children = [_observance(*rules, moments) for rules, moments in observances.items()]
    return Component("VTIMEZONE", [Property("TZID", "", tzid)], children)


class _Rules(NamedTuple):
    offset: timedelta
    name: str
    is_daylight: bool


def _rules_at(zone: ZoneInfo, moment: datetime) -> _Rules:
    local = moment.astimezone(zone)
    offset = local.utcoffset()
    assert offset is not None
    return _Rules(offset, local.tzname() or "", bool(local.dst()))


def _transitions(zone: ZoneInfo, moment: datetime) -> Iterator[datetime]:
    """When the rules change, to the second."""
    last = datetime(_LAST_YEAR, 12, 31, tzinfo=UTC)
    while moment < last:
        later = moment + timedelta(days=7)
        if _rules_at(zone, later) != _rules_at(zone, moment):
            early, late = moment, later
            while late - early > timedelta(seconds=1):
                middle = early + (late - early) / 2
                middle = middle.replace(microsecond=0)
                same = _rules_at(zone, middle) == _rules_at(zone, moment)
                early, late = (middle, late) if same else (early, middle)
            yield late
            later = late
        moment = later


def _observance(before: _Rules, after: _Rules, moments: list[datetime]) -> Component:
    """When one change of rules happens, in the local time before it (RFC 5545 section 3.6.5)."""
    local = [f"{(moment + before.offset).replace(tzinfo=None):%Y%m%dT%H%M%S}" for moment in moments]
    properties = [
        Property("DTSTART", "", local[0]),
        Property("TZOFFSETFROM", "", _offset_text(before.offset)),
        Property("TZOFFSETTO", "", _offset_text(after.offset)),
        Property("TZNAME", "", after.name),
    ]
    if local[1:]:
        properties.append(Property("RDATE", "", ",".join(local[1:])))
    return Component("DAYLIGHT" if after.is_daylight else "STANDARD", properties)


def _offset_text(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{'-' if seconds < 0 else '+'}{hours:02}{rest // 60:02}"
    return text + (f"{rest % 60:02}" if rest % 60 else "")


def names_of(zones: Collection[Zone]) -> Mapping[Zone, str]:
    """Under which TZID each definition stands in a feed.

    Of several that share a TZID, the one with the smallest digest keeps it: that depends on the set
    alone, so that it does not matter in which order objects came.
    """
    keepers: dict[str, str] = {}
    for zone in zones:
        keepers[zone.tzid] = min(keepers.get(zone.tzid, zone.digest), zone.digest)
    return {
        zone: zone.tzid if keepers[zone.tzid] == zone.digest else f"{zone.tzid}-{zone.digest[:8]}"
        for zone in zones
    }
