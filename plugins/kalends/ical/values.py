"""Dates and times of properties as instants of the index: seconds since 1970, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from icalendar.prop import vDDDTypes, vDuration

from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Property
from kalends.ical.timezones.resolve import resolve_tzid

# A time without a zone, and a day, begin when the reader's clock says so: anywhere on earth.
_EASTERNMOST = timedelta(hours=14)
_WESTERNMOST = timedelta(hours=12)


class TimeValue(NamedTuple):
    """One time of a property.

    Attributes:
        local: as written, without a zone; midnight for a day.
        earliest: the earliest instant that it can be, seconds since 1970.
        latest: the latest; equal to ``earliest`` for a time with a zone.
        is_day: whether it is a day.
    """

    local: datetime
    earliest: int
    latest: int
    is_day: bool

    @property
    def is_instant(self) -> bool:
        """Whether it is one instant, as a time with a zone is."""
        return self.earliest == self.latest


def read_times(prop: Property, vtimezones: Mapping[str, str]) -> list[TimeValue]:
    """The times of DTSTART, DTEND, DUE, RECURRENCE-ID, RDATE, EXDATE…; of a period its beginning.

    Raises:
        ObjectRefusedError: the value is no date or time (RFC 5545 sections 3.3.4, 3.3.5, 3.3.9).
    """
    tzid = prop.param("TZID")
    return [_moment(part.strip(), prop, tzid, vtimezones) for part in prop.value.split(",")]


def read_time(prop: Property, vtimezones: Mapping[str, str]) -> TimeValue:
    """The one time of a property.

    Raises:
        ObjectRefusedError: the value is no date or time.
    """
    return _moment(prop.value.strip(), prop, prop.param("TZID"), vtimezones)


def time_at(
    local: datetime, like: TimeValue, tzid: str | None, vtimezones: Mapping[str, str]
) -> TimeValue:
    """Another time of the same kind and zone as ``like``."""
    if not like.is_instant:
        return _unplaced(local, like.is_day)
    zone = resolve_tzid(tzid, vtimezones) if tzid else None
    return _placed(local.replace(tzinfo=zone or UTC))


def read_duration(prop: Property) -> timedelta:
    """The value of a DURATION.

    Raises:
        ObjectRefusedError: it is none (RFC 5545 section 3.3.6).
    """
    try:
        value: object = vDuration.from_ical(prop.value.strip())  # type: ignore[no-untyped-call]
    except (ValueError, OverflowError, TypeError) as error:
        raise _unreadable(prop) from error
    if not isinstance(value, timedelta):
        raise _unreadable(prop)
    return value


def _moment(
    text: str, prop: Property, tzid: str | None, vtimezones: Mapping[str, str]
) -> TimeValue:
    try:
        value: object = vDDDTypes.from_ical(  # type: ignore[no-untyped-call]
            text.partition("/")[0]
        )
        if isinstance(value, datetime):
            if value.tzinfo is not None:
                return _placed(value)
            zone = resolve_tzid(tzid, vtimezones) if tzid else None
            return _placed(value.replace(tzinfo=zone)) if zone else _unplaced(value, is_day=False)
        if isinstance(value, date):
            return _unplaced(datetime(value.year, value.month, value.day), is_day=True)
    except (ValueError, OverflowError, TypeError) as error:
        raise _unreadable(prop) from error
    raise _unreadable(prop)


def _placed(value: datetime) -> TimeValue:
    instant = int(value.timestamp())
    return TimeValue(value.replace(tzinfo=None), instant, instant, is_day=False)


def _unplaced(local: datetime, is_day: bool) -> TimeValue:
    instant = int(local.replace(tzinfo=UTC).timestamp())
    east, west = int(_EASTERNMOST.total_seconds()), int(_WESTERNMOST.total_seconds())
    return TimeValue(local, instant - east, instant + west, is_day)


def _unreadable(prop: Property) -> ObjectRefusedError:
    return ObjectRefusedError(
        "C:valid-calendar-data", f"{prop.name} is not readable: {prop.value[:40]!r}", prop.line
    )
