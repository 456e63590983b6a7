"""Finds what happens in a period, as a feed shows it.

Of an object of which the index knows when it happens, and of which a feed shows all or the time of
all, nothing is parsed; a month of a hundred thousand events costs one look at each that is in it.
Whatever is hidden in parts, is in several calendars, or is not in the index is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import date, tzinfo
from functools import partial

from kalends.calobject import Budget, Interval
from kalends.feedpage.happening import (
    DAY,
    Happening,
    Happenings,
    Item,
    as_shown,
    day_number,
    local_second,
    parts_of,
)
from kalends.feedpage.source import PageSnapshot, Range
from kalends.icaltext import Component
from kalends.icsfeed.definitions import Rules
from kalends.icsfeed.shown import Copy, shown
from kalends.icsfeed.source import CalendarState, StoredObject

MOST = 50_000
"""Happenings of one page, shown or counted."""

_PUBLIC = re.compile(rb"\nCLASS:PUBLIC *\r?(?=\n)", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")


class Gathering:
    """Finds what happens in one period in the calendars of a feed.

    Args:
        snapshot: one moment of the store.
        calendars: those of the feed.
        rules: the feed's.
        today: the UTC date.
        within: the period.
        zone: the reader's.
    """

    def __init__(
        self,
        snapshot: PageSnapshot,
        calendars: Collection[CalendarState],
        rules: Rules,
        today: date,
        within: Range,
        zone: tzinfo,
    ) -> None:
        self._snapshot = snapshot
        self._calendars = {calendar.id: calendar for calendar in calendars}
        self._paths = {calendar.id: calendar.path for calendar in calendars}
        self._rules = rules
        self._today = today
        # What a feed with a window still shows has not ended before this.
        self._oldest = None if rules.past is None else (day_number(today) - rules.past) * DAY
        self._bounds = {
            False: (within.start, within.end),
            True: (within.local_start, within.local_end),
        }
        # What is due is in the index a second early.
        self._asked = within._replace(start=within.start - 1, local_start=within.local_start - 1)
        self._zone = zone
        self._local: dict[int, int] = {}
        # What is not in the index is walked: all of it together as long as one object may take.
        self._budget = Budget()

    def run(self) -> Happenings:
        """What happens, in order."""
        times: dict[int, list[Interval]] = {}
        for number in self._calendars:
            for object_id, interval in self._snapshot.meeting(number, self._asked):
                times.setdefault(object_id, []).append(interval)
        result = Happenings()
        for some in self._all(times):
            result.found += some
            if len(result.found) >= MOST:
                result.is_all = False
                break
        if self._budget.spent:
            result.is_all = False
        result.found.sort(key=Happening.order)
        return result

    def _all(self, times: dict[int, list[Interval]]) -> Iterator[list[Happening]]:
        """What happens, object by object."""
        contested = dict(self._snapshot.repeated(times)) if len(self._calendars) > 1 else {}
        for stored in self._snapshot.objects_at(times.keys() - contested.keys()):
            if stored.component not in self._rules.components:
                continue
            known = times[stored.id]
            read = partial(self._read, stored.id)
            item = Item(stored.id, stored.uid, self._calendars[stored.calendar], read)
            if is_one(stored) and self._is_known(known):
                yield self._of_intervals(item, known)
            elif alone := self._shown([stored]):
                yield self._walked(item, alone[0])
        for copy in self._shown(self._copies(set(contested.values()))):
            stored = copy.stored
            calendar = self._calendars[stored.calendar]
            yield self._walked(
                Item(stored.id, stored.uid, calendar, partial(self._settled, stored)), copy
            )

    def _is_known(self, intervals: Sequence[Interval]) -> bool:
        """Whether the index knows when an object happens, and that the feed's window has it."""
        for interval in intervals:
            if not interval.sure:
                return False
        oldest = self._oldest
        return oldest is None or any(interval.last_end > oldest for interval in intervals)

    def _of_intervals(self, item: Item, intervals: Sequence[Interval]) -> list[Happening]:
        """The times of intervals and their repetitions that are in the period."""
        found = []
        for begin, finish, floating, _, step, again in intervals:
            start, end = self._bounds[floating]
            if not step:
                if begin < end and finish > start:
                    found.append(self._happening(item, begin, finish, floating))
                continue
            first = max(0, (start - finish) // step + 1)
            last = min(again, (end - 1 - begin) // step)
            for number in range(first, last + 1):
                from_, to = begin + number * step, finish + number * step
                if from_ < end and to > start:
                    found.append(self._happening(item, from_, to, floating))
        return found

    def _walked(self, item: Item, copy: Copy) -> list[Happening]:
        """The times of what the index does not know, or a feed shows in parts only."""
        if self._budget.spent:
            return []
        found = []
        for occurrence, part in parts_of(copy, self._asked, self._zone, self._budget):
            start, end, floating = as_shown(part, occurrence)
            first, until = self._bounds[floating]
            if start < until and end > first:
                found.append(self._happening(item, start, end, floating, part))
        return found

    def _happening(
        self, item: Item, start: int, end: int, floating: bool, part: Component | None = None
    ) -> Happening:
        if floating:
            return Happening(item, start, floating, start, end, part)
        begin, finish = self._shown_at(start), self._shown_at(end)
        return Happening(item, start, floating, begin, max(begin + 1, finish), part)

    def _shown_at(self, instant: int) -> int:
        """What the reader's clock shows; many things begin and end at the same time."""
        local = self._local.get(instant)
        if local is None:
            local = self._local[instant] = local_second(instant, self._zone)
        return local

    def _copies(self, uids: Collection[str]) -> Iterator[StoredObject]:
        return self._snapshot.copies(self._calendars.keys(), sorted(uids))

    def _shown(self, objects: Iterator[StoredObject] | list[StoredObject]) -> list[Copy]:
        return shown(objects, self._paths, self._rules, self._today).copies

    def _read(self, number: int) -> Copy | None:
        """What the feed shows of an object whose UID no other calendar has."""
        stored = self._snapshot.object_at(number)
        return next(iter(self._shown([stored] if stored else [])), None)

    def _settled(self, stored: StoredObject) -> Copy | None:
        """What the feed shows of one of several objects with a UID."""
        copies = self._shown(self._copies([stored.uid]))
        return next((copy for copy in copies if copy.stored.id == stored.id), None)


def is_one(stored: StoredObject) -> bool:
    """Whether a feed shows all of an event alike, whatever its rules: nothing in it has a CLASS.

    In doubt it says no: the word may stand in a text.
    """
    if stored.component != "VEVENT":
        return False
    data = (
        _FOLD.sub(b"", stored.data)
        if b"\n " in stored.data or b"\n\t" in stored.data
        else (stored.data)
    )
    if b"class" not in data.lower():
        return True
    return b"class" not in _PUBLIC.sub(b"", data).lower()
