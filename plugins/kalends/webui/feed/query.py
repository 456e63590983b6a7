"""A query for the events in a period, as a feed shows them.

An object is not parsed if the index knows when it occurs and the feed shows either all of it or
only its times (``index_query``): for a month of a hundred thousand events, each object in it is
read from the store once. Objects that are hidden in parts, are in several calendars, or are not in
the index are parsed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date

from kalends.common.budget import Budget
from kalends.feeds.compose.select import VisibleObject, select_visible
from kalends.feeds.definitions.model import Rules
from kalends.ical.recurrence.days import DAY
from kalends.store.feed_queries import CalendarState, FeedSnapshot
from kalends.store.objects.read import ObjectRow
from kalends.webui.feed.index_query import MAX_OCCURRENCES, IndexCache, IndexQuery, IndexResult
from kalends.webui.feed.occurrence import (
    PageObject,
    PageOccurrence,
    PageOccurrences,
    day_number,
    occurrences_with_parts,
    with_due_time,
)
from kalends.webui.feed.viewport import Viewport


class EventQuery:
    """The query for the events of a feed in one period.

    Args:
        index_cache: results of earlier index queries.
        snapshot: one moment of the store.
        calendars: the calendars of the feed.
        rules: the rules of the feed.
        today: the UTC date.
        viewport: the period, in its reader's time zone.
        budget: the steps that the objects of the page may take together.
    """

    def __init__(
        self,
        index_cache: IndexCache,
        snapshot: FeedSnapshot,
        calendars: Collection[CalendarState],
        rules: Rules,
        today: date,
        viewport: Viewport,
        budget: Budget,
    ) -> None:
        self._index_cache = index_cache
        self._snapshot = snapshot
        self._calendars = {calendar.id: calendar for calendar in calendars}
        self._paths = {calendar.id: calendar.path for calendar in calendars}
        self._rules = rules
        self._today = today
        self._viewport = viewport
        # UIDs that are in several calendars, of the feed or not.
        self._repeated_uids: set[str] = set()
        self._budget = budget
        self._is_complete = True

    def run(self) -> PageOccurrences:
        """Return the occurrences, in order."""
        found: list[PageOccurrence] = []
        for batch in self._batches():
            found += batch
            if len(found) >= MAX_OCCURRENCES:
                self._is_complete = False
                break
        found.sort(key=PageOccurrence.sort_key)
        return PageOccurrences(found, is_complete=self._is_complete and not self._budget.is_spent)

    def read(self, item: PageObject) -> VisibleObject | None:
        """Return an object as the feed shows it, parsed; None if the feed does not show it."""
        candidates: Iterable[ObjectRow]
        if item.uid in self._repeated_uids:
            candidates = self._copies([item.uid])
        else:
            stored = self._snapshot.object_by_id(item.id)
            candidates = [stored] if stored else []
        return next((copy for copy in self._select(candidates) if copy.stored.id == item.id), None)

    def _batches(self) -> Iterator[Iterable[PageOccurrence]]:
        """Yield the index's occurrences by calendar, then those of the other objects one by one."""
        results = self._query_index()
        repeated = self._find_repeated(results)
        self._repeated_uids = set(repeated.values())
        unresolved = []
        for result in results:
            yield (
                [
                    occurrence
                    for occurrence in result.occurrences
                    if occurrence.item.id not in repeated
                ]
                if repeated
                else result.occurrences
            )
            unresolved += [number for number in result.unresolved if number not in repeated]
        for stored in self._snapshot.objects_by_id(unresolved):
            for copy in self._select([stored]):
                yield self._expand(copy)
        for copy in self._select(self._copies(self._repeated_uids)):
            yield self._expand(copy)

    def _query_index(self) -> list[IndexResult]:
        rules = self._rules
        # A feed with a window shows only objects that end after this.
        earliest_end = None if rules.past is None else (day_number(self._today) - rules.past) * DAY
        query = IndexQuery(self._viewport, rules.components, earliest_end)
        results: list[IndexResult] = []
        count = 0
        for calendar in self._calendars.values():
            if count >= MAX_OCCURRENCES:
                self._is_complete = False
                break
            results.append(self._index_cache.get(calendar, query, self._snapshot, self._budget))
            count += len(results[-1].occurrences)
        return results

    def _find_repeated(self, results: list[IndexResult]) -> dict[int, str]:
        """Return the ids and UIDs of the objects whose UIDs are in other calendars too."""
        if len(self._calendars) < 2:
            return {}
        return dict(
            self._snapshot.with_shared_uid([number for one in results for number in one.ids])
        )

    def _expand(self, copy: VisibleObject) -> list[PageOccurrence]:
        """Return an object's occurrences if the index does not know them, or not all are shown."""
        if self._budget.is_spent:
            return []
        stored, viewport = copy.stored, self._viewport
        item = PageObject(stored.id, stored.uid, self._calendars[stored.collection_id])
        with self._budget.for_object() as own:
            pairs = occurrences_with_parts(copy, viewport.index_range, viewport.zone, own)
        self._is_complete = self._is_complete and not own.is_spent
        return [
            found
            for occurrence, part in pairs
            if (found := viewport.occurrence(item, *with_due_time(part, occurrence), part))
        ]

    def _copies(self, uids: Collection[str]) -> Iterator[ObjectRow]:
        return self._snapshot.objects_with_uids(self._calendars.keys(), sorted(uids))

    def _select(self, objects: Iterable[ObjectRow]) -> list[VisibleObject]:
        return select_visible(objects, self._paths, self._rules, self._today, self._budget).copies
