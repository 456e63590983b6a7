"""Refusal of calendar objects that have more of something than ``limits`` allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Component
from kalends.ical.limits import (
    MAX_ONSETS,
    MAX_RANGE_OVERRIDES,
    MAX_TZIDS,
    MAX_UID,
    MAX_VTIMEZONES,
    ObjectLimits,
)
from kalends.ical.timezones.resolve import tzids_of
from kalends.limit_names import Limit

_ZONES = Limit.TIME_ZONES
_PRECONDITIONS = {
    Limit.OVERRIDES: "C:max-instances",
    Limit.DATES: "C:max-instances",
    Limit.ATTENDEES: "C:max-attendees-per-instance",
}


def refuse_excess(
    data: bytes, calendar: Component, parts: Sequence[Component], limits: ObjectLimits
) -> None:
    """Raise if a calendar object has too many parts of a kind, before anything walks over them.

    Args:
        data: the octets of the object.
        calendar: the same, parsed.
        parts: its components except VTIMEZONEs, of which there is at least one.
        limits: those that the configuration sets.

    Raises:
        ObjectRefusedError: it has too many.
    """
    if len(data) <= limits.small and data.count(b"TZID") <= MAX_TZIDS:
        return
    line = parts[0].line
    _refuse(len(parts) - 1, limits.overrides, "changed occurrences", Limit.OVERRIDES, line)
    longest = max(len(part.value("UID")) for part in parts)
    _refuse(longest, MAX_UID, "characters in its UID", Limit.UID, line)
    dates = ranges = 0
    for part in parts:
        alarms = sum(child.name == "VALARM" for child in part.children)
        _refuse(alarms, limits.alarms, "alarms", Limit.ALARMS, part.line)
        names = Counter(prop.name for prop in part.properties)
        _refuse(names["ATTENDEE"], limits.attendees, "attendees", Limit.ATTENDEES, part.line)
        if names["RDATE"] or names["EXDATE"] or names["FREEBUSY"]:
            listed = part.all("RDATE") + part.all("EXDATE") + part.all("FREEBUSY")
            dates += sum(1 + prop.value.count(",") for prop in listed)
        named = part.first("RECURRENCE-ID")
        ranges += named is not None and bool(named.raw_params) and named.param("RANGE") is not None
    _refuse(dates, limits.dates, "dates in RDATE, EXDATE and FREEBUSY", Limit.DATES, line)
    _refuse(ranges, MAX_RANGE_OVERRIDES, "overrides with a RANGE", Limit.OVERRIDES, line)
    _refuse_excess_of_zones(calendar)


def _refuse_excess_of_zones(calendar: Component) -> None:
    zones = [child for child in calendar.children if child.name == "VTIMEZONE"]
    _refuse(len(zones), MAX_VTIMEZONES, "time zones", _ZONES, calendar.line)
    for zone in zones:
        _refuse(len(zone.children), MAX_ONSETS, "observances in a time zone", _ZONES, zone.line)
        listed = (prop for child in zone.children for prop in child.all("RDATE"))
        dates = sum(1 + prop.value.count(",") for prop in listed)
        _refuse(dates, MAX_ONSETS, "dates in a time zone", _ZONES, zone.line)
    _refuse(len(set(tzids_of(calendar))), MAX_TZIDS, "different TZIDs", _ZONES, calendar.line)


def _refuse(number: int, most: int, what: str, limit: Limit, line: int) -> None:
    if number > most:
        precondition = _PRECONDITIONS.get(limit, "C:valid-calendar-data")
        why = f"it has more than {most} {what}"
        raise ObjectRefusedError(precondition, why, line, limit=limit)
