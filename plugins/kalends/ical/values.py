"""Date, time and duration values of properties.

An instant is in seconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from icalendar.prop import vDDDTypes, vDuration

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property
from kalends.ical.timezones.resolve import resolve_tzid

# A floating time or a day begins at a different instant in each zone: these are the extremes.
_EASTERNMOST = timedelta(hours=14)
_WESTERNMOST = timedelta(hours=12)


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
    tzid = prop.param("TZID")
    return [_parse_time(part.strip(), prop, tzid, vtimezones) for part in prop.value.split(",")]


def read_time(prop: Property, vtimezones: Mapping[str, str]) -> TimeValue:
    """Return the single time of a property.

    Args:
        prop: the property.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.

    Raises:
        ObjectRefusedError: the value is not a date or time.
    """
    return _parse_time(prop.value.strip(), prop, prop.param("TZID"), vtimezones)


def time_at(
    local: datetime, like: TimeValue, tzid: str | None, vtimezones: Mapping[str, str]
) -> TimeValue:
    """Return a local time as a value of the same type and zone as ``like``."""
    if not like.is_instant:
        return _floating(local, like.is_day)
    zone = resolve_tzid(tzid, vtimezones) if tzid else None
    return _instant(local.replace(tzinfo=zone or UTC))


def read_duration(prop: Property) -> timedelta:
    """Return the value of a DURATION.

    Raises:
        ObjectRefusedError: the value is not a duration (RFC 5545 section 3.3.6).
    """
    try:
        value: object = vDuration.from_ical(prop.value.strip())  # type: ignore[no-untyped-call]
    except (ValueError, OverflowError, TypeError) as error:
        raise _unreadable(prop) from error
    if not isinstance(value, timedelta):
        raise _unreadable(prop)
    return value


def _parse_time(
    text: str, prop: Property, tzid: str | None, vtimezones: Mapping[str, str]
) -> TimeValue:
    try:
        value: object = vDDDTypes.from_ical(  # type: ignore[no-untyped-call]
            text.partition("/")[0]
        )
        if isinstance(value, datetime):
            if value.tzinfo is not None:
                return _instant(value)
            zone = resolve_tzid(tzid, vtimezones) if tzid else None
            return _instant(value.replace(tzinfo=zone)) if zone else _floating(value, is_day=False)
        if isinstance(value, date):
            return _floating(datetime(value.year, value.month, value.day), is_day=True)
    except (ValueError, OverflowError, TypeError) as error:
        raise _unreadable(prop) from error
    raise _unreadable(prop)


def _instant(value: datetime) -> TimeValue:
    instant = int(value.timestamp())
    return TimeValue(value.replace(tzinfo=None), instant, instant, is_day=False)


def _floating(local: datetime, is_day: bool) -> TimeValue:
    instant = int(local.replace(tzinfo=UTC).timestamp())
    east, west = int(_EASTERNMOST.total_seconds()), int(_WESTERNMOST.total_seconds())
    return TimeValue(local, instant - east, instant + west, is_day)


def _unreadable(prop: Property) -> ObjectRefusedError:
    return ObjectRefusedError(
        "C:valid-calendar-data", f"{prop.name} has an invalid value: {prop.value[:40]!r}", prop.line
    )
