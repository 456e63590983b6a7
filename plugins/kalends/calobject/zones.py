"""From a TZID to a time zone: the object's own definition first, then IANA's, then none.

An object's VTIMEZONE is read from its own text; nothing that one object says of a TZID reaches
another (RFC 5545 section 3.6.5).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.tz import tzical
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from kalends import icaltext
from kalends.errors import IcalendarSyntaxError
from kalends.icaltext import Component

_OF_RULES = (
    "BEGIN:", "END:", "TZID", "DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE", "EXDATE",
)  # fmt: skip


def zones_of(calendar: Component) -> Mapping[str, str]:
    """The text of each VTIMEZONE of a calendar, by TZID; the first of a name counts."""
    found: dict[str, str] = {}
    for child in calendar.children:
        if child.name == "VTIMEZONE":
            found.setdefault(child.value("TZID"), "\r\n".join(child.lines()))
    return found


def tzids_of(component: Component) -> Iterator[str]:
    """Every TZID that the times of a component and of those in it name."""
    for prop in component.properties:
        if "TZID" in prop.raw_params.upper() and (tzid := prop.param("TZID")):
            yield tzid
    for child in component.children:
        yield from tzids_of(child)


def zone_in(text: str) -> tzinfo | None:
    """The time zone that a VCALENDAR with one VTIMEZONE defines; None if it defines none."""
    try:
        defined = [zones_of(calendar) for calendar in icaltext.parse(text)]
    except IcalendarSyntaxError:
        return None
    names = [(tzid, own) for own in defined for tzid in own]
    return resolve(*names[0]) if len(names) == 1 else None


def resolve(tzid: str, own: Mapping[str, str]) -> tzinfo | None:
    """The time zone that ``tzid`` means in an object, or None: such times are floating.

    Args:
        own: the object's definitions, as ``zones_of`` gives them.
    """
    text = own.get(tzid)
    defined = _defined(text) if text is not None else None
    return defined or iana_zone(tzid)


@lru_cache(maxsize=512)
def _defined(text: str) -> tzinfo | None:
    # The key is the whole text, so that two definitions of one TZID are two entries.
    try:
        read = tzical(io.StringIO(_rules_of(text)))
        (name,) = read.keys()
        zone: tzinfo | None = read.get(name)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # a definition that cannot be read defines nothing
    return zone


def _rules_of(text: str) -> str:
    """A definition without what says nothing of its rules, at which dateutil gives up."""
    lines = (line for _, line in icaltext.unfold(text))
    return "\r\n".join(line for line in lines if line.upper().startswith(_OF_RULES))


@lru_cache(maxsize=1024)
def iana_zone(tzid: str) -> ZoneInfo | None:
    """The zone that a TZID without a definition means: IANA's, or what Windows calls it.

    A TZID that begins with a slash is somebody's own name (RFC 5545 section 3.2.19); those in use
    end in IANA's.
    """
    parts = tzid.split("/") if tzid.startswith("/") else []
    own = ["/".join(parts[-length:]) for length in (3, 2, 1) if len(parts) > length]
    for name in (WINDOWS_TO_OLSON.get(tzid, tzid), *own):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    return None
