"""VTIMEZONEs of a merged feed: equal rules once, different rules under names of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple
from zoneinfo import ZoneInfoNotFoundError

from icalendar import Timezone
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from kalends import icaltext
from kalends.icaltext import Component, Property

_INCIDENTAL = ("TZID", "LAST-MODIFIED", "TZURL", "COMMENT", "TZNAME", "TZID-ALIAS-OF")


class Zone(NamedTuple):
    """A definition: the name it goes by, and what its rules are, as a digest."""

    tzid: str
    digest: str


def digest_of(definition: Component) -> str:
    """What the rules of a VTIMEZONE are: equal for definitions that say the same.

    Names, comments and X- properties say nothing of the rules.
    """
    rules = sorted(
        "\n".join(sorted(p.text() for p in rule.properties if not _is_incidental(p)))
        for rule in definition.children
    )
    return sha256("\n\n".join(rules).encode()).hexdigest()[:16]


def _is_incidental(prop: Property) -> bool:
    return prop.name in _INCIDENTAL or prop.name.startswith("X-")


@lru_cache(maxsize=512)
def iana_definition(tzid: str) -> Component | None:
    """The definition of a TZID that an object uses and does not define, or None if nobody knows it.

    A feed needs a VTIMEZONE for each TZID (RFC 5545 section 3.2.19).
    """
    known = WINDOWS_TO_OLSON.get(tzid, tzid)
    try:
        made = Timezone.from_tzid(known, first_date=date(1970, 1, 1), last_date=date(2038, 1, 1))
    except (ValueError, ZoneInfoNotFoundError, OSError, KeyError):
        return None
    (definition,) = icaltext.parse(made.to_ical().decode())
    definition.properties = [Property("TZID", "", tzid)]
    return definition


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
