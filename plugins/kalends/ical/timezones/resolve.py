"""Resolution of TZIDs: by the object's own VTIMEZONE, else by IANA's name, else to none.

A VTIMEZONE is parsed from the object's own text, so that a definition in one object never affects
another (RFC 5545 section 3.6.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import tzinfo
from functools import cache, lru_cache
from sys import getsizeof
from threading import Lock
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.limits import MAX_NAME, MAX_VTIMEZONE
from kalends.ical.timezones.vtimezone import VTimezone, read_observances

_KEPT_OCTETS = 16_000_000
"""The memory for definitions; an ordinary one takes some 70 kB with all its changes."""
_OCTETS_OF_STEP = 14
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


def draw_for_zones(vtimezones: Mapping[str, str], budget: Budget) -> None:
    """Take the steps that reading all changes of an object's VTIMEZONEs costs.

    A definition is paid for once in a budget, however many objects repeat it.

    Args:
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.
        budget: the steps.

    Raises:
        BudgetSpentError: they are not left.
    """
    for text in dict.fromkeys(vtimezones.values()):
        zone = _defined(text)
        budget.draw_once(text, (zone.steps if zone else 0) + len(text) // 8)


class _Definition(NamedTuple):
    """A VTIMEZONE that was read, and the memory that it may take with all its changes."""

    zone: VTimezone | None
    octets: int


class _Definitions:
    """VTIMEZONEs that were read, by their whole text: two of one TZID are two entries.

    The oldest make room for new ones. Looking one up takes no lock, as it is done for each time.
    """

    def __init__(self) -> None:
        self._known: dict[str, _Definition] = {}
        self._octets = 0
        self._lock = Lock()

    def find(self, text: str) -> VTimezone | None:
        """Return the time zone of a VTIMEZONE; None if it cannot be read."""
        known = self._known.get(text)
        return (known or self._add(text)).zone

    def _add(self, text: str) -> _Definition:
        zone = _read(text)
        added = _Definition(zone, getsizeof(text) + (zone.steps * _OCTETS_OF_STEP if zone else 0))
        with self._lock:
            if text not in self._known:
                self._known[text] = added
                self._octets += added.octets
            while self._octets > _KEPT_OCTETS:
                self._octets -= self._known.pop(next(iter(self._known))).octets
        return added


_definitions = _Definitions()


def _defined(text: str) -> VTimezone | None:
    return _definitions.find(text) if len(text) <= MAX_VTIMEZONE else None


def _read(text: str) -> VTimezone | None:
    try:
        (definition,) = contentlines.parse(text)
        return VTimezone(read_observances(definition))
    except (IcalendarSyntaxError, ValueError):
        return None


def iana_zone(tzid: str) -> ZoneInfo | None:
    """Return the zone that a TZID means without a VTIMEZONE, by IANA's or Windows' name.

    A TZID that begins with a slash is a name from another registry (RFC 5545 section 3.2.19); those
    in use end in IANA's name.
    """
    return _named(tzid) if len(tzid) <= MAX_NAME else None


@lru_cache(maxsize=1024)
def _named(tzid: str) -> ZoneInfo | None:
    parts = tzid.split("/") if tzid.startswith("/") else []
    endings = ["/".join(parts[-length:]) for length in (3, 2, 1) if len(parts) > length]
    for name in (WINDOWS_TO_OLSON.get(tzid, tzid), *endings):
        # Any other name would be looked for among files and modules, which takes its time.
        if name in _names_of_zones():
            with suppress(ZoneInfoNotFoundError, ValueError, OSError):
                return ZoneInfo(name)
    return None


@cache
def _names_of_zones() -> frozenset[str]:
    return frozenset(available_timezones())
