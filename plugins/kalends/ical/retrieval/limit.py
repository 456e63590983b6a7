"""Objects without what lies outside of a time range (RFC 4791 sections 9.6.6 and 9.6.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Component, Property
from kalends.ical.periods import read_period
from kalends.ical.recurrence.instances import Moment, own_times
from kalends.ical.timezones.resolve import vtimezones_of
from kalends.ical.values import read_time


def limit_recurrence_set(calendar: Component, start: int, end: int, zone: tzinfo) -> Component:
    """Return an object with its master, and with the overrides that affect a time range.

    An override affects the range if it happens there, or if the instance that it replaces did.

    Args:
        calendar: the object.
        start: seconds since 1970, UTC.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
    """
    vtimezones = vtimezones_of(calendar)
    parts = [child for child in calendar.children if child.name != "VTIMEZONE"]
    overrides = [part for part in parts if part.first("RECURRENCE-ID")]
    masters = [part for part in parts if not part.first("RECURRENCE-ID")]
    length = max((_length(master, vtimezones) for master in masters), default=0)
    left_out = {
        id(override)
        for override in overrides
        if not _affects(override, length, start, end, zone, vtimezones)
    }
    children = [child for child in calendar.children if id(child) not in left_out]
    return Component(calendar.name, calendar.properties, children)


def limit_freebusy_set(calendar: Component, start: int, end: int) -> Component:
    """Return an object whose VFREEBUSY components have only the periods in a time range.

    Args:
        calendar: the object.
        start: seconds since 1970, UTC.
        end: the same, exclusive.
    """
    children = [
        _limited(child, start, end) if child.name == "VFREEBUSY" else child
        for child in calendar.children
    ]
    return Component(calendar.name, calendar.properties, children)


def _length(component: Component, vtimezones: Mapping[str, str]) -> int:
    try:
        if component.first("DTSTART") or component.first("DUE"):
            begin, finish = own_times(component, vtimezones)
            return max(0, finish.seconds - begin.seconds)
    except ObjectRefusedError:
        pass
    return 0


def _affects(
    override: Component,
    length: int,
    start: int,
    end: int,
    zone: tzinfo,
    vtimezones: Mapping[str, str],
) -> bool:
    """Return True if an override affects a range, or if its times cannot be read."""
    try:
        replaced = override.all("RECURRENCE-ID")[0]
        original = Moment.of(read_time(replaced, vtimezones)).to_instant(zone)
        if (replaced.param("RANGE") or "").upper() == "THISANDFUTURE":
            return original < end
        if _overlaps(original, original + length, start, end):
            return True
        if not (override.first("DTSTART") or override.first("DUE")):
            return False
        begin, finish = (m.to_instant(zone) for m in own_times(override, vtimezones))
    except ObjectRefusedError:
        return True
    return _overlaps(begin, finish, start, end)


def _overlaps(begin: int, finish: int, start: int, end: int) -> bool:
    return begin < end and max(finish, begin + 1) > start


def _limited(component: Component, start: int, end: int) -> Component:
    kept = []
    for prop in component.properties:
        if prop.name == "FREEBUSY":
            periods = [p for p in prop.value.split(",") if _is_in(prop, p, start, end)]
            if periods:
                kept.append(Property(prop.name, prop.raw_params, ",".join(periods), prop.line))
        else:
            kept.append(prop)
    return Component(component.name, kept, component.children)


def _is_in(prop: Property, period: str, start: int, end: int) -> bool:
    """Return True if a period overlaps a range, or if it cannot be read."""
    try:
        begin, finish = read_period(prop, period)
    except ObjectRefusedError:
        return True
    return _overlaps(begin, finish, start, end)
