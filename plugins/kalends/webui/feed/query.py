"""Finds what happens in a period, as a feed shows it.

Of an object of which the index knows when it happens, and of which a feed shows all or the time of
all, nothing is parsed (``certain``); a month of a hundred thousand events costs one look at each
that is in it, once. Whatever is hidden in parts, is in several calendars, or is not in the index
is read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import date

from kalends.feeds.compose.select import VisibleObject, select_visible
from kalends.feeds.definitions.model import Rules
from kalends.ical.recurrence.days import DAY
from kalends.ical.recurrence.expand import Budget
from kalends.store.feed_queries import CalendarState, FeedSnapshot
from kalends.store.objects.read import ObjectRow
from kalends.webui.feed.index_query import MOST, IndexCache, IndexQuestion, IndexResult
from kalends.webui.feed.occurrence import (
    PageObject,
    PageOccurrence,
    PageOccurrences,
    as_shown,
    day_number,
    parts_of,
)
from kalends.webui.feed.viewport import Viewport


class EventQuery:
    """Finds what happens in one period in the calendars of a feed.

    Args:
        remembered: what the index told before.
        snapshot: one moment of the store.
        calendars: those of the feed.
        rules: the feed's.
        today: the UTC date.
        frame: the period, as its reader sees it.
    """

    def __init__(
        self,
        remembered: IndexCache,
        snapshot: FeedSnapshot,
        calendars: Collection[CalendarState],
        rules: Rules,
        today: date,
        frame: Viewport,
    ) -> None:
        self._remembered = remembered
        self._snapshot = snapshot
        self._calendars = {calendar.id: calendar for calendar in calendars}
        self._paths = {calendar.id: calendar.path for calendar in calendars}
        self._rules = rules
        self._today = today
        self._frame = frame
        # UIDs that several calendars have, the feed's or not.
        self._contested: set[str] = set()
        # What is not in the index is walked: all of it together as long as one object may take.
        self._budget = Budget()
        self._is_all = True

    def run(self) -> PageOccurrences:
        """What happens, in order."""
        found: list[PageOccurrence] = []
        for some in self._all():
            found += some
            if len(found) >= MOST:
                self._is_all = False
                break
        found.sort(key=PageOccurrence.order)
        return PageOccurrences(found, is_all=self._is_all and not self._budget.is_spent)

    def read(self, item: PageObject) -> VisibleObject | None:
        """What the feed shows of an object, from its text; None for nothing."""
        candidates: Iterable[ObjectRow]
        if item.uid in self._contested:
            candidates = self._copies([item.uid])
        else:
            stored = self._snapshot.object_by_id(item.id)
            candidates = [stored] if stored else []
        return next((copy for copy in self._shown(candidates) if copy.stored.id == item.id), None)

    def _all(self) -> Iterator[Iterable[PageOccurrence]]:
        """What happens: of what the index tells calendar by calendar, of the rest one by one."""
        certain = self._certain()
        contested = self._repeated(certain)
        self._contested = set(contested.values())
        others = []
        for one in certain:
            yield (
                [happening for happening in one.happenings if happening.of.id not in contested]
                if contested
                else one.happenings
            )
            others += [number for number in one.others if number not in contested]
        for stored in self._snapshot.objects_by_id(others):
            for copy in self._shown([stored]):
                yield self._walked(copy)
        for copy in self._shown(self._copies(self._contested)):
            yield self._walked(copy)

    def _certain(self) -> list[IndexResult]:
        rules = self._rules
        # What a feed with a window still shows has not ended before this.
        oldest = None if rules.past is None else (day_number(self._today) - rules.past) * DAY
        asked = IndexQuestion(self._frame, rules.components, oldest)
        found: list[IndexResult] = []
        count = 0
        for calendar in self._calendars.values():
            if count >= MOST:
                self._is_all = False
                break
            found.append(self._remembered.of(calendar, asked, self._snapshot))
            count += len(found[-1].happenings)
        return found

    def _repeated(self, certain: list[IndexResult]) -> dict[int, str]:
        """The objects whose UIDs other calendars have too, and those."""
        if len(self._calendars) < 2:
            return {}
        return dict(
            self._snapshot.with_shared_uid([number for one in certain for number in one.ids])
        )

    def _walked(self, copy: VisibleObject) -> list[PageOccurrence]:
        """The times of what the index does not know, or a feed shows in parts only."""
        if self._budget.is_spent:
            return []
        stored, frame = copy.stored, self._frame
        item = PageObject(stored.id, stored.uid, self._calendars[stored.collection_id])
        return [
            happening
            for occurrence, part in parts_of(copy, frame.asked, frame.zone, self._budget)
            if (happening := frame.happening(item, *as_shown(part, occurrence), part))
        ]

    def _copies(self, uids: Collection[str]) -> Iterator[ObjectRow]:
        return self._snapshot.objects_with_uids(self._calendars.keys(), sorted(uids))

    def _shown(self, objects: Iterable[ObjectRow]) -> list[VisibleObject]:
        return select_visible(objects, self._paths, self._rules, self._today).copies
