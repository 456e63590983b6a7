"""Date, time and duration values of properties.

An instant is in seconds since 1970, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property
from kalends.ical.timezones.offsets import local_seconds, utc_offset_at
from kalends.ical.timezones.resolve import resolve_tzid

# A floating time or a day begins at a different instant in each zone: these are the extremes.
_EASTERNMOST = 14 * 3600
_WESTERNMOST = 12 * 3600

# More digits than any length of time has would only cost time.
_DURATION = re.compile(
    r"([-+]?)P(?:(\d{1,15})W)?(?:(\d{1,15})D)?(?:T(?:(\d{1,15})H)?(?:(\d{1,15})M)?(?:(\d{1,15})S)?)?",
    re.ASCII,
)


class TimeValue(NamedTuple):
    """A date or time value of a property.

    Attributes:
        local: the local time as written; midnight for a day.
        earliest: the earliest instant that it can mean, seconds since 1970.
        latest: the latest such instant; equal to ``earliest`` for a time with a zone.
        is_day: whether it is a day (a DATE).
    """

    local: datetime
    earliest: int
    latest: int
    is_day: bool

    @property
    def is_instant(self) -> bool:
        """True if it is one instant, as a time with a zone is."""
        return self.earliest == self.latest


def read_times(prop: Property, vtimezones: Mapping[str, str]) -> list[TimeValue]:
    """Return the times of DTSTART, DTEND, DUE, RECURRENCE-ID, RDATE, EXDATE and the like.

    A period is represented by its beginning.

    Args:
        prop: the property.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.

    Raises:
        ObjectRefusedError: a value is not a date or time (RFC 5545 sections 3.3.4, 3.3.5, 3.3.9).
    """
    zone = _zone(prop, vtimezones)
    return [_parse_time(part.strip(), prop, zone) for part in prop.value.split(",")]


def read_time(prop: Property, vtimezones: Mapping[str, str]) -> TimeValue:
    """Return the single time of a property.

    Args:
        prop: the property.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.

    Raises:
        ObjectRefusedError: the value is not a date or time.
    """
    return _parse_time(prop.value.strip(), prop, _zone(prop, vtimezones))


def time_at(
    local: datetime, like: TimeValue, tzid: str | None, vtimezones: Mapping[str, str]
) -> TimeValue:
    """Return a local time as a value of the same type and zone as ``like``."""
    if not like.is_instant:
        return _floating(local, like.is_day)
    zone = resolve_tzid(tzid, vtimezones) if tzid else None
    instant = local_seconds(local)
    if zone is not None:
        instant -= utc_offset_at(instant, zone)
    return TimeValue(local, instant, instant, is_day=False)


def read_duration(prop: Property) -> timedelta:
    """Return the value of a DURATION.

    Raises:
        ObjectRefusedError: the value is not a duration (RFC 5545 section 3.3.6).
    """
    found = _DURATION.fullmatch(prop.value.strip())
    if found is None:
        raise _unreadable(prop)
    sign, *numbers = found.groups()
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    try:
        length = timedelta(days, seconds, 0, 0, minutes, hours, weeks)
    except OverflowError as error:
        raise _unreadable(prop) from error
    return -length if sign == "-" else length


def _zone(prop: Property, vtimezones: Mapping[str, str]) -> tzinfo | None:
    tzid = prop.param("TZID")
    return resolve_tzid(tzid, vtimezones) if tzid else None


def _parse_time(text: str, prop: Property, zone: tzinfo | None) -> TimeValue:
    """Return a date or time; ``zone`` counts if it is a local time (RFC 5545 section 3.3.5)."""
    text = text.partition("/")[0]
    length = len(text)
    try:
        if length == 8 and text.isascii() and text.isdigit():
            day = datetime(int(text[:4]), int(text[4:6]), int(text[6:]))
            return _floating(day, is_day=True)
        if length not in (15, 16) or text[8] != "T" or text[15:] not in ("", "Z"):
            raise _unreadable(prop)
        local = datetime(
            *(int(text[:4]), int(text[4:6]), int(text[6:8])),
            *(int(text[9:11]), int(text[11:13]), int(text[13:15])),
        )
        if length == 15 and zone is None:
            return _floating(local, is_day=False)
        instant = local_seconds(local)
        if length == 15 and zone is not None:
            instant -= utc_offset_at(instant, zone)
        return TimeValue(local, instant, instant, is_day=False)
    except (ValueError, OverflowError) as error:
        raise _unreadable(prop) from error


def _floating(local: datetime, is_day: bool) -> TimeValue:
    instant = local_seconds(local)
    return TimeValue(local, instant - _EASTERNMOST, instant + _WESTERNMOST, is_day)


def _unreadable(prop: Property) -> ObjectRefusedError:
    return ObjectRefusedError(
        "C:valid-calendar-data", f"{prop.name} has an invalid value: {prop.value[:40]!r}", prop.line
    )
