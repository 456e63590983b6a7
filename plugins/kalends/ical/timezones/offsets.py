"""Clocks: which instant a local time is, and what a clock shows at an instant.

An instant is in seconds since 1970, UTC. A local time is what a clock shows, in seconds since 1970
shown by that clock.
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

# A VTIMEZONE may change its clock each second. Whoever needs more changes than these, or later
# ones than those of 2199, gets the last one's offset.
_MOST_ONSETS = 20_000
_LAST_ONSET = (datetime(2200, 1, 1) - EPOCH) // timedelta(seconds=1)


class ZoneRules(NamedTuple):
    """What a time is read by.

    Attributes:
        zone: the time zone; None for floating times and days.
        is_day: whether it shows days only.
    """

    zone: tzinfo | None
    is_day: bool

    def to_instant(self, local: int) -> int:
        """The instant of a local time; of a floating clock the local time itself."""
        return local if self.zone is None else local - utc_offset_at(local, self.zone)

    def converter(self) -> Callable[[int], int]:
        """``seconds``, for many times in a row."""
        zone = self.zone
        if zone is None or not getattr(zone, OBSERVANCES, None):
            return self.to_instant
        offset = _onsets_of(zone).offset
        return lambda local: local - offset(local)

    def to_local(self, instant: int) -> int:
        """What the clock shows at an instant."""
        return instant if self.zone is None else local_times_at(instant, self.zone)[0]


def local_seconds(value: datetime) -> int:
    """A time without a zone as local seconds."""
    passed = value - EPOCH
    return passed.days * DAY + passed.seconds


def utc_offset_at(local: int, zone: tzinfo) -> int:
    """Seconds that the zone's clock is ahead of UTC when it shows ``local``.

    Of a time that is shown twice, when it is shown first; of one that is never shown, as before
    the change: as ``datetime`` has it with ``fold=0``.
    """
    if zone is UTC:
        return 0
    if getattr(zone, OBSERVANCES, None):
        return _onsets_of(zone).offset(local)
    shown = EPOCH + timedelta(seconds=min(max(local, FIRST_SECOND), LAST_SECOND))
    offset = zone.utcoffset(shown)
    return offset.days * DAY + offset.seconds if offset else 0


def local_times_at(instant: int, zone: tzinfo) -> tuple[int, int]:
    """The first and the last local time that ``offset_at`` makes ``instant`` of.

    They differ where the clock was put forward: a time that it left out is another name of the
    instant. Where it shows a time for the second time there is none: then the answer is that
    time, and when it was put back.
    """
    before = instant + utc_offset_at(instant - DAY - DAY // 12, zone)
    after = instant + utc_offset_at(instant + DAY + DAY // 12, zone)
    if before == after:
        return before, before
    shown = [local for local in (before, after) if local - utc_offset_at(local, zone) == instant]
    found = shown or [before, after]
    return min(found), max(found)


class _Onsets:
    """The changes of a VTIMEZONE, which dateutil looks for from the first one at each question."""

    def __init__(self, observances: list[Any]) -> None:
        self._lock = Lock()
        self._single: int | None = None
        if len(observances) == 1:
            self._single = _seconds(observances[0].tzoffsetto)
        standard = [o for o in observances if not o.isdst] or observances
        self._starts: list[int] = []
        self._offsets = [_seconds(standard[0].tzoffsetto)]
        # Of changes at once, dateutil takes the first observance's: it must come last here.
        self._coming = merge(*(_onsets(o, -n) for n, o in enumerate(observances)))
        self._next = next(self._coming, None)

    def offset(self, local: int) -> int:
        """The zone's offset when it shows ``local``."""
        if self._single is not None:
            return self._single
        if self._next is not None and self._next[0] <= local:
            with self._lock:
                self._read_until(local)
        return self._offsets[bisect_right(self._starts, local)]

    def _read_until(self, local: int) -> None:
        while (coming := self._next) is not None and coming[0] <= local:
            self._offsets.append(coming[2])  # first: others read these lists meanwhile
            self._starts.append(coming[0])
            self._next = next(self._coming, None) if len(self._starts) < _MOST_ONSETS else None


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
