"""Conversion between local times and instants.

An instant is in seconds since 1970, UTC. A local time is in seconds since 1970-01-01T00:00:00 local
time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from kalends.ical.recurrence.days import DAY, EPOCH, FIRST_SECOND, LAST_SECOND
from kalends.ical.timezones.vtimezone import VTimezone


class ZoneRules(NamedTuple):
    """The rules by which a local time is converted to an instant.

    Attributes:
        zone: the time zone; None for floating times and days.
        is_day: whether the times are days.
    """

    zone: tzinfo | None
    is_day: bool

    def to_instant(self, local: int) -> int:
        """Return the instant of a local time; a floating time is returned unchanged."""
        return local if self.zone is None else local - utc_offset_at(local, self.zone)

    def converter(self) -> Callable[[int], int]:
        """Return a function equivalent to ``to_instant`` that is faster for many times."""
        zone = self.zone
        if not isinstance(zone, VTimezone):
            return self.to_instant
        offset = zone.offset
        return lambda local: local - offset(local)

    def to_local(self, instant: int) -> int:
        """Return the local time at an instant."""
        return instant if self.zone is None else local_times_at(instant, self.zone)[0]


def local_seconds(value: datetime) -> int:
    """Return a datetime without a zone as local seconds."""
    passed = value - EPOCH
    return passed.days * DAY + passed.seconds


def utc_offset_at(local: int, zone: tzinfo) -> int:
    """Return the offset of a zone from UTC at a local time, seconds.

    A local time that occurs twice has the offset of the first time; one that is skipped has the
    offset before the change. ``datetime`` does the same with ``fold=0``.

    Args:
        local: the local time, seconds.
        zone: the time zone.
    """
    if zone is UTC:
        return 0
    if isinstance(zone, VTimezone):
        return zone.offset(local)
    shown = EPOCH + timedelta(seconds=min(max(local, FIRST_SECOND), LAST_SECOND))
    offset = zone.utcoffset(shown)
    return offset.days * DAY + offset.seconds if offset else 0


def local_times_at(instant: int, zone: tzinfo) -> tuple[int, int]:
    """Return the first and the last local time that ``utc_offset_at`` maps to an instant.

    They differ shortly after the clock is put forward, because a skipped local time maps to the
    same instant. After the clock is put back, no local time maps to an instant at which local times
    repeat: then the result is its local times with the offsets after and before the change.

    Args:
        instant: seconds since 1970, UTC.
        zone: the time zone.
    """
    before = instant + utc_offset_at(instant - DAY - DAY // 12, zone)
    after = instant + utc_offset_at(instant + DAY + DAY // 12, zone)
    if before == after:
        return before, before
    exact = [local for local in (before, after) if local - utc_offset_at(local, zone) == instant]
    found = exact or [before, after]
    return min(found), max(found)
