"""From a TZID to a time zone: the object's own definition first, then IANA's, then none.

An object's VTIMEZONE is read from its own text; nothing that one object says of a TZID reaches
another (RFC 5545 section 3.6.5).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import tzinfo
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.tz import tzical
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component

_OF_RULES = (
    "BEGIN:", "END:", "TZID", "DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE", "EXDATE",
)  # fmt: skip# What dateutil reads and others do not (RFC 5545 sections 3.3.5, 3.3.14).
_ODD = re.compile(
    r"^(?:TZOFFSET(?:FROM|TO)[^:\r\n]*:(?!\s*[+-]\d{4}(?:\d\d)?\s*$)"
    r"|(?:DTSTART|RDATE)[^:\r\n]*:(?!\s*\d{8}T\d{6}(?:\D|$)))",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)

_DAY_ALONE = re.compile(r"^DTSTART;VALUE=DATE:(\d{8})(?=\r?$)", re.MULTILINE | re.IGNORECASE)
_Told = TypeVar("_Told")


def tzid_name(tzid: str) -> str:
    r"""The name by which parameters refer to a VTIMEZONE.

    Its TZID is a TEXT, the parameter is none (RFC 5545 sections 3.8.3.1, 3.2.19): ``\,`` in the one
    is ``,`` in the other.

    Args:
        tzid: the value of the VTIMEZONE's TZID.
    """
    name = contentlines.unescape(tzid)
    return tzid if "\n" in name or '"' in name else name  # which no parameter can hold


def by_tzid(zones: Iterable[tuple[Component, _Told]]) -> dict[str, _Told]:
    """What is told of each VTIMEZONE, by the TZIDs that refer to it; the first of a name counts.

    Some programs write the TEXT in parameters too: a name that no other has finds it as well.
    """
    zones = list(zones)
    found: dict[str, _Told] = {}
    for zone, told in zones:
        found.setdefault(tzid_name(zone.value("TZID")), told)
    for zone, told in zones:
        found.setdefault(zone.value("TZID"), told)
    return found


def vtimezones_of(calendar: Component) -> Mapping[str, str]:
    """The text of each VTIMEZONE of a calendar, by the TZIDs that refer to it."""
    zones = (child for child in calendar.children if child.name == "VTIMEZONE")
    return by_tzid((zone, "\r\n".join(zone.lines())) for zone in zones)


def tzids_of(component: Component) -> Iterator[str]:
    """Every TZID that the times of a component and of those in it name."""
    for prop in component.properties:
        if "TZID" in prop.raw_params.upper() and (tzid := prop.param("TZID")):
            yield tzid
    for child in component.children:
        yield from tzids_of(child)


def timezone_from_calendar(text: str) -> tzinfo | None:
    """The time zone that a VCALENDAR with one VTIMEZONE defines; None if it defines none."""
    try:
        calendars = contentlines.parse(text)
    except IcalendarSyntaxError:
        return None
    tzids = {own: tzid for calendar in calendars for tzid, own in vtimezones_of(calendar).items()}
    if len(tzids) != 1:
        return None
    ((own, tzid),) = tzids.items()
    return resolve_tzid(tzid, {tzid: own})


def resolve_tzid(tzid: str, own: Mapping[str, str]) -> tzinfo | None:
    """The time zone that ``tzid`` means in an object, or None: such times are floating.

    Args:
        own: the object's definitions, as ``zones_of`` gives them.
    """
    text = own.get(tzid)
    defined = _defined(text) if text is not None else None
    return defined or iana_zone(tzid)


def is_readable_vtimezone(text: str) -> bool:
    """Whether a VTIMEZONE can be read: one that cannot defines nothing."""
    return _defined(text) is not None


@lru_cache(maxsize=512)
def _defined(text: str) -> tzinfo | None:
    # The key is the whole text, so that two definitions of one TZID are two entries.
    rules = _rules_of(text)
    if _ODD.search(rules):
        return None
    try:
        read = tzical(io.StringIO(rules))
        (name,) = read.keys()
        zone: tzinfo | None = read.get(name)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # a definition that cannot be read defines nothing
    return zone


def _rules_of(text: str) -> str:
    """A definition without what says nothing of its rules, at which dateutil gives up.

    Some programs write the day alone for when a rule begins: midnight, as others read it.
    """
    lines = (line for _, line in contentlines.unfold(text))
    rules = "\r\n".join(line for line in lines if line.upper().startswith(_OF_RULES))
    return _DAY_ALONE.sub(r"DTSTART:\1T000000", rules)


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
