"""What the index alone tells of a calendar in a period, remembered until the calendar changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from kalends.ical.recurrence.expand import Budget
from kalends.ical.recurrence.index import Interval, has_duplicate_starts
from kalends.store.feed_queries import CalendarState, FeedSnapshot
from kalends.store.objects.read import ObjectRow
from kalends.webui.feed.occurrence import PageObject, PageOccurrence
from kalends.webui.feed.viewport import Viewport

MOST = 50_000
"""Happenings of one page, shown or counted."""

_REMEMBERED = 40_000
"""Happenings that are remembered in all, each some 400 bytes; a large page has ten thousand."""
_PUBLIC = re.compile(rb"\nCLASS:PUBLIC *\r?(?=\n)", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")


class IndexResult(NamedTuple):
    """What a calendar has in a period.

    Attributes:
        ids: the objects that happen in it, or may.
        happenings: of those that a feed shows alike whatever its rules, in order.
        others: the ids of those that must be read.
    """

    ids: tuple[int, ...]
    happenings: tuple[PageOccurrence, ...]
    others: tuple[int, ...]


class IndexQuestion(NamedTuple):
    """What is asked of each calendar.

    Attributes:
        frame: the period and its reader's clock.
        components: which are shown.
        oldest: what has ended by then is not shown, seconds since 1970; None for no such bound.
    """

    frame: Viewport
    components: tuple[str, ...]
    oldest: int | None


class IndexCache:
    """What the index told of calendars; a calendar that has changed is asked for anew."""

    def __init__(self) -> None:
        self._known: LRUCache[object, IndexResult] = LRUCache(_REMEMBERED, getsizeof=_size)
        self._lock = Lock()

    def of(
        self, calendar: CalendarState, asked: IndexQuestion, snapshot: FeedSnapshot
    ) -> IndexResult:
        """What a calendar has, as it stands in a snapshot."""
        state = calendar.id, calendar.path, calendar.incarnation, calendar.modseq
        frame, *rules = asked
        key = state, frame.within, frame.zone, *rules
        with self._lock:
            certain = self._known.get(key)
        if certain is None:
            certain = _told(calendar, asked, snapshot)
            if _size(certain) <= _REMEMBERED:
                with self._lock:
                    self._known[key] = certain
        return certain


def _size(certain: IndexResult) -> int:
    return 1 + len(certain.ids) + len(certain.happenings)


def _told(calendar: CalendarState, asked: IndexQuestion, snapshot: FeedSnapshot) -> IndexResult:
    times: dict[int, list[Interval]] = {}
    for number, interval in snapshot.intervals_in_range(calendar.id, asked.frame.asked):
        times.setdefault(number, []).append(interval)
    found: list[PageOccurrence] = []
    others = []
    within, zone = asked.frame.asked, asked.frame.zone
    budget = Budget()

    def apart(stored: ObjectRow) -> bool:
        """Whether its text alone tells what happens at a time, because two things do."""
        return b"RECURRENCE-ID" in stored.data.upper() and has_duplicate_starts(
            stored.data, within.start, within.end, zone, budget
        )

    for stored in snapshot.objects_by_id(times.keys()):
        if stored.component not in asked.components:
            continue
        known = times[stored.id]
        if is_one(stored) and _is_known(known, asked.oldest) and not apart(stored):
            item = PageObject(stored.id, stored.uid, calendar)
            found += islice(asked.frame.happenings(item, known), MOST - len(found))
        else:
            others.append(stored.id)
    found.sort(key=PageOccurrence.order)
    return IndexResult(tuple(times), tuple(found), tuple(others))


def _is_known(intervals: Sequence[Interval], oldest: int | None) -> bool:
    """Whether the index knows when an object happens, and that the feed's window has it."""
    for interval in intervals:
        if not interval.certain:
            return False
    return oldest is None or any(interval.last_end > oldest for interval in intervals)


def is_one(stored: ObjectRow) -> bool:
    """Whether a feed shows all of an event alike, whatever its rules.

    Nothing in it has a CLASS, and nothing is cancelled, which keeps nobody busy. In doubt it says
    no: the words may stand in a text.
    """
    if stored.component != "VEVENT":
        return False
    data = (
        _FOLD.sub(b"", stored.data)
        if b"\n " in stored.data or b"\n\t" in stored.data
        else stored.data
    )
    small = data.lower()
    if b"cancelled" in small:
        return False
    return b"class" not in small or b"class" not in _PUBLIC.sub(b"", data).lower()
