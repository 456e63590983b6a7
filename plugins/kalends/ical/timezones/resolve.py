"""Resolution of TZIDs: by the object's own VTIMEZONE, else by IANA's name, else to none.

A VTIMEZONE is parsed from the object's own text, so that a definition in one object never affects
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

_RULE_LINES = (
    "BEGIN:", "END:", "TZID", "DTSTART", "TZOFFSETFROM", "TZOFFSETTO", "RRULE", "RDATE", "EXDATE",
)  # fmt: skip

# Values that dateutil accepts and other programs do not (RFC 5545 sections 3.3.5, 3.3.14).
_NONSTANDARD = re.compile(
    r"^(?:TZOFFSET(?:FROM|TO)[^:\r\n]*:(?!\s*[+-]\d{4}(?:\d\d)?\s*$)"
    r"|(?:DTSTART|RDATE)[^:\r\n]*:(?!\s*\d{8}T\d{6}(?:\D|$)))",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)

_DATE_ONLY = re.compile(r"^DTSTART;VALUE=DATE:(\d{8})(?=\r?$)", re.MULTILINE | re.IGNORECASE)
_T = TypeVar("_T")


def tzid_name(tzid: str) -> str:
    r"""Return the name by which parameters refer to a VTIMEZONE.

    The property TZID is an escaped TEXT, the parameter is not (RFC 5545 sections 3.8.3.1, 3.2.19):
    ``\,`` in the property is ``,`` in the parameter.

    Args:
        tzid: the value of the VTIMEZONE's TZID.
    """
    name = contentlines.unescape(tzid)
    return tzid if "\n" in name or '"' in name else name  # a parameter cannot contain these


def by_tzid(zones: Iterable[tuple[Component, _T]]) -> dict[str, _T]:
    """Index values by the TZID parameters that refer to their VTIMEZONE.

    The first VTIMEZONE of a name is used. Some programs write the escaped TEXT in parameters too;
    it is a second key, unless another VTIMEZONE has that name.

    Args:
        zones: pairs of a VTIMEZONE and its value.
    """
    zones = list(zones)
    found: dict[str, _T] = {}
    for zone, value in zones:
        found.setdefault(tzid_name(zone.value("TZID")), value)
    for zone, value in zones:
        found.setdefault(zone.value("TZID"), value)
    return found


def vtimezones_of(calendar: Component) -> Mapping[str, str]:
    """Return the text of each VTIMEZONE of a calendar, by the TZIDs that refer to it."""
    zones = (child for child in calendar.children if child.name == "VTIMEZONE")
    return by_tzid((zone, "\r\n".join(zone.lines())) for zone in zones)


def tzids_of(component: Component) -> Iterator[str]:
    """Yield every TZID parameter in a component and its nested components."""
    for prop in component.properties:
        if "TZID" in prop.raw_params.upper() and (tzid := prop.param("TZID")):
            yield tzid
    for child in component.children:
        yield from tzids_of(child)


def timezone_from_calendar(text: str) -> tzinfo | None:
    """Return the time zone that a VCALENDAR with one VTIMEZONE defines.

    Args:
        text: the VCALENDAR.

    Returns:
        the time zone; None if the text is invalid or does not contain exactly one VTIMEZONE.
    """
    try:
        calendars = contentlines.parse(text)
    except IcalendarSyntaxError:
        return None
    tzids = {zone: tzid for calendar in calendars for tzid, zone in vtimezones_of(calendar).items()}
    if len(tzids) != 1:
        return None
    ((zone, tzid),) = tzids.items()
    return resolve_tzid(tzid, {tzid: zone})


def resolve_tzid(tzid: str, vtimezones: Mapping[str, str]) -> tzinfo | None:
    """Return the time zone that a TZID means in an object.

    Args:
        tzid: the parameter TZID.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.

    Returns:
        the time zone, or None if it is unknown; times with such a TZID are floating.
    """
    text = vtimezones.get(tzid)
    defined = _defined(text) if text is not None else None
    return defined or iana_zone(tzid)


def is_readable_vtimezone(text: str) -> bool:
    """Return True if a VTIMEZONE can be read; one that cannot be read is ignored."""
    return _defined(text) is not None


@lru_cache(maxsize=512)
def _defined(text: str) -> tzinfo | None:
    # The key is the whole text, so that two definitions of one TZID are two entries.
    rules = _rules_of(text)
    if _NONSTANDARD.search(rules):
        return None
    try:
        read = tzical(io.StringIO(rules))
        (name,) = read.keys()
        zone: tzinfo | None = read.get(name)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return zone


def _rules_of(text: str) -> str:
    """Return the lines of a definition that contain its rules.

    dateutil fails at many of the others. A DTSTART that is a DATE, as some programs write it, is
    replaced by midnight of that day, as other programs read it.
    """
    lines = (line for _, line in contentlines.unfold(text))
    rules = "\r\n".join(line for line in lines if line.upper().startswith(_RULE_LINES))
    return _DATE_ONLY.sub(r"DTSTART:\1T000000", rules)


@lru_cache(maxsize=1024)
def iana_zone(tzid: str) -> ZoneInfo | None:
    """Return the zone that a TZID means without a VTIMEZONE, by IANA's or Windows' name.

    A TZID that begins with a slash is a name from another registry (RFC 5545 section 3.2.19); those
    in use end in IANA's name.
    """
    parts = tzid.split("/") if tzid.startswith("/") else []
    endings = ["/".join(parts[-length:]) for length in (3, 2, 1) if len(parts) > length]
    for name in (WINDOWS_TO_OLSON.get(tzid, tzid), *endings):
        with suppress(ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo(name)
    return None
