"""Conversion between local times and instants.

An instant is in seconds since 1970, UTC. A local time is in seconds since 1970-01-01T00:00:00 local
time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from heapq import merge
from threading import Lock
from typing import Any, NamedTuple

from kalends.ical.recurrence.days import DAY, EPOCH, FIRST_SECOND, LAST_SECOND
from kalends.ical.timezones.dateutil_compat import OBSERVANCES, observances_of

# A VTIMEZONE may change its offset each second. Times after this many changes, or after those of
# 2199, get the offset of the last change.
_MOST_ONSETS = 20_000
_LAST_ONSET = (datetime(2200, 1, 1) - EPOCH) // timedelta(seconds=1)


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
        if zone is None or not getattr(zone, OBSERVANCES, None):
            return self.to_instant
        offset = _onsets_of(zone).offset
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
    if getattr(zone, OBSERVANCES, None):
        return _onsets_of(zone).offset(local)
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


class _Onsets:
    """The offset changes of a VTIMEZONE, read as far as needed.

    dateutil searches them from the first one in each query.
    """

    def __init__(self, observances: list[Any]) -> None:
        self._lock = Lock()
        self._single: int | None = None
        if len(observances) == 1:
            self._single = _seconds(observances[0].tzoffsetto)
        standard = [o for o in observances if not o.isdst] or observances
        self._starts: list[int] = []
        self._offsets = [_seconds(standard[0].tzoffsetto)]
        # Of simultaneous changes, dateutil uses the first observance: it must be the last here.
        self._remaining = merge(*(_onsets(o, -n) for n, o in enumerate(observances)))
        self._next = next(self._remaining, None)

    def offset(self, local: int) -> int:
        """Return the zone's offset at a local time, seconds."""
        if self._single is not None:
            return self._single
        if self._next is not None and self._next[0] <= local:
            with self._lock:
                self._read_until(local)
        return self._offsets[bisect_right(self._starts, local)]

    def _read_until(self, local: int) -> None:
        while (upcoming := self._next) is not None and upcoming[0] <= local:
            self._offsets.append(upcoming[2])  # first: other threads read these lists meanwhile
            self._starts.append(upcoming[0])
            self._next = next(self._remaining, None) if len(self._starts) < _MOST_ONSETS else None


def _onsets(observance: Any, order: int) -> Iterator[tuple[int, int, int]]:
    offset = _seconds(observance.tzoffsetto)
    for onset in observance.rrule:
        start = local_seconds(onset)
        if start > _LAST_ONSET:
            return
        yield start, order, offset


def _seconds(length: timedelta) -> int:
    return length.days * DAY + length.seconds


@lru_cache(maxsize=512)
def _onsets_of(zone: tzinfo) -> _Onsets:
    return _Onsets(observances_of(zone))
