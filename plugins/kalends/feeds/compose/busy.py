"""Reduction of an event to its time.

A value is kept only if all of it is a date, a duration or a rule, so that no text can hide in it.
Only the reference to a time zone is kept; the caller gives the zone a name that discloses nothing.
"""

from __future__ import annotations

import re

from kalends.ical.client_quirks import (
    DURATION_PATTERN,
    OFFSET_PATTERN,
    RULE_PART_PATTERN,
    RULE_PATTERN,
    TIME_PATTERN,
)
from kalends.ical.contentlines import Component, Property

_TIMES = rf"{TIME_PATTERN}(?:/(?:{TIME_PATTERN}|{DURATION_PATTERN}))?"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.ASCII | re.IGNORECASE)


_VALUES = {
    "DTSTART": _pattern(TIME_PATTERN),
    "DTEND": _pattern(TIME_PATTERN),
    "DURATION": _pattern(DURATION_PATTERN),
    "RRULE": _pattern(RULE_PATTERN),
    "RDATE": _pattern(rf"{_TIMES}(?:,{_TIMES})*+"),
    "EXDATE": _pattern(rf"{TIME_PATTERN}(?:,{TIME_PATTERN})*+"),
    "RECURRENCE-ID": _pattern(TIME_PATTERN),
    "SEQUENCE": _pattern(r"\d{1,9}"),
    "TZOFFSETFROM": _pattern(OFFSET_PATTERN),
    "TZOFFSETTO": _pattern(OFFSET_PATTERN),
}
_KNOWN_PART = _pattern(RULE_PART_PATTERN)
_PARAMS = {
    "VALUE": _pattern("DATE|DATE-TIME|PERIOD"),
    "RANGE": _pattern("THISANDFUTURE"),
    "TZID": _pattern(r"[^\"]*"),
}


def reduce_to_busy(event: Component) -> Component:
    """Return an event reduced to its time, as busy time (RFC 5545 section 3.8.1.3)."""
    times = [timed for prop in event.properties if (timed := reduce_to_time(prop))]
    if event.value("TRANSP").strip().upper() == "TRANSPARENT":
        times.append(Property("TRANSP", "", "TRANSPARENT"))
    return Component(event.name, [*times, Property("SUMMARY", "", "Busy")])


def reduce_to_time(prop: Property) -> Property | None:
    """Return a property reduced to its time, with the time's parameters, or None if empty."""
    pattern = _VALUES.get(prop.name)
    if pattern is None:
        return None
    value = re.sub(r"\s", "", prop.value).upper()
    if prop.name == "RRULE":
        # Non-standard parts of a rule do not affect the time.
        parts = [part for part in value.split(";") if _KNOWN_PART.fullmatch(part)]
        value = ";".join(parts)
    if not pattern.fullmatch(value):
        return None
    params = prop.params
    kept = [
        f';{name}="{params[name][0]}"' if name == "TZID" else f";{name}={params[name][0].upper()}"
        for name, known in _PARAMS.items()
        if params.get(name) and known.fullmatch(params[name][0])
    ]
    return Property(prop.name, "".join(kept), value)
