"""A calendar's occurrences in a period, from the index alone; cached until the calendar changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from kalends.common.budget import Budget
from kalends.ical.recurrence.index import Interval, has_duplicate_starts
from kalends.store.feed_queries import CalendarState, FeedSnapshot
from kalends.store.objects.read import ObjectRow
from kalends.webui.feed.occurrence import PageObject, PageOccurrence
from kalends.webui.feed.viewport import Viewport

MAX_OCCURRENCES = 50_000
"""The most occurrences of one page, shown or counted."""

_OCCURRENCE = 400  # octets
_CACHE_SIZE = 40_000 * _OCCURRENCE
"""Octets that are cached in all, of 40,000 occurrences; a large page has ten thousand."""
_PUBLIC = re.compile(rb"\nCLASS:PUBLIC *\r?(?=\n)", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")


class IndexQuery(NamedTuple):
    """A question to the index, the same for each calendar.

    Attributes:
        viewport: the period, in its reader's time zone.
        components: the kinds of components that are shown.
        earliest_end: objects that have ended by then are not shown, seconds since 1970; None for no
            such bound.
    """

    viewport: Viewport
    components: tuple[str, ...]
    earliest_end: int | None


class IndexResult(NamedTuple):
    """The objects of a calendar in a period.

    Attributes:
        ids: the objects that occur in it, or may.
        occurrences: those of the objects that a feed shows in the same way whatever its rules, in
            order.
        unresolved: the ids of the objects that must be read.
    """

    ids: tuple[int, ...]
    occurrences: tuple[PageOccurrence, ...]
    unresolved: tuple[int, ...]


class IndexCache:
    """The results of index queries; a calendar that has changed is queried again."""

    def __init__(self) -> None:
        self._results: LRUCache[object, IndexResult] = LRUCache(_CACHE_SIZE, getsizeof=_size)
        self._lock = Lock()

    def get(
        self, calendar: CalendarState, query: IndexQuery, snapshot: FeedSnapshot, budget: Budget
    ) -> IndexResult:
        """Return the result for a calendar as it is in a snapshot, within the budget of a page."""
        state = calendar.id, calendar.path, calendar.incarnation, calendar.modseq
        viewport, *rules = query
        key = state, viewport.time_range, viewport.zone, *rules
        with self._lock:
            result = self._results.get(key)
        if result is None:
            result = _query_index(calendar, query, snapshot, budget)
            if _size(result) <= _CACHE_SIZE and not budget.is_spent:
                with self._lock:
                    self._results[key] = result
        return result


def _size(result: IndexResult) -> int:
    """Return about how many octets a result keeps in memory, with the texts that it refers to."""
    texts = {one.item.id: one.item.uid for one in result.occurrences}
    length = sum(map(len, texts.values()))
    for one in result.occurrences[:1]:  # all are of one calendar
        length += sum(map(len, one.item.calendar.props.values()))
    return length + _OCCURRENCE * (1 + len(result.ids) + len(result.occurrences))


def _query_index(
    calendar: CalendarState, query: IndexQuery, snapshot: FeedSnapshot, budget: Budget
) -> IndexResult:
    intervals_of: dict[int, list[Interval]] = {}
    for number, interval in snapshot.intervals_in_range(calendar.id, query.viewport.index_range):
        intervals_of.setdefault(number, []).append(interval)
    found: list[PageOccurrence] = []
    unresolved = []
    within, zone = query.viewport.index_range, query.viewport.zone

    def has_colliding_starts(stored: ObjectRow) -> bool:
        """Return True if two instances begin at one time; only the text says which is which."""
        return b"RECURRENCE-ID" in stored.data.upper() and has_duplicate_starts(
            stored.data, within.start, within.end, zone, budget
        )

    for stored in snapshot.objects_by_id(intervals_of.keys()):
        if stored.component not in query.components:
            continue
        intervals = intervals_of[stored.id]
        if (
            is_uniform(stored)
            and _is_resolved(intervals, query.earliest_end)
            and not has_colliding_starts(stored)
        ):
            item = PageObject(stored.id, stored.uid, calendar)
            occurrences = query.viewport.occurrences(item, intervals)
            found += islice(occurrences, MAX_OCCURRENCES - len(found))
        else:
            unresolved.append(stored.id)
    found.sort(key=PageOccurrence.sort_key)
    return IndexResult(tuple(intervals_of), tuple(found), tuple(unresolved))


def _is_resolved(intervals: Sequence[Interval], earliest_end: int | None) -> bool:
    """Return True if the index knows when an object occurs, and the feed's window includes it."""
    for interval in intervals:
        if not interval.certain:
            return False
    return earliest_end is None or any(interval.last_end > earliest_end for interval in intervals)


def is_uniform(stored: ObjectRow) -> bool:
    """Return True if a feed shows all of an event in the same way, whatever the feed's rules.

    Nothing in it has a CLASS, and nothing is cancelled (cancelled events are not busy time). Errs
    towards False: the words may occur in free text.
    """
    if stored.component != "VEVENT":
        return False
    data = (
        _FOLD.sub(b"", stored.data)
        if b"\n " in stored.data or b"\n\t" in stored.data
        else stored.data
    )
    lower = data.lower()
    if b"cancelled" in lower:
        return False
    return b"class" not in lower or b"class" not in _PUBLIC.sub(b"", data).lower()
