"""What happens in a period, as a feed shows it: found by the index, and not yet read.

Of an object of which the index knows when it happens, and of which a feed shows all or the time of
all, nothing is parsed here; a month of a hundred thousand events costs one look at each that is in
it. Whatever is hidden in parts, is in several calendars, or is not in the index is read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from kalends.calobject import Budget, Interval, Occurrence, parts_between
from kalends.errors import ObjectRefusedError
from kalends.feedpage.source import PageSnapshot, Range
from kalends.icaltext import Component, Property
from kalends.icsfeed.definitions import Rules
from kalends.icsfeed.shown import Copy, shown
from kalends.icsfeed.source import CalendarState, StoredObject

DAY = 86400
"""Seconds."""

MOST = 50_000
"""Happenings of one page, shown or counted."""

_EPOCH = datetime(1970, 1, 1)
_FIRST_DAY = _EPOCH.date().toordinal()
_PUBLIC = re.compile(rb"\nCLASS:PUBLIC *\r?(?=\n)", re.IGNORECASE)
_FOLD = re.compile(rb"\r?\n[ \t]")


Place = tuple[bool, int]
"""Whether a time is floating, and its beginning in seconds, as in ``Happening``."""


@dataclass(slots=True)
class Item:
    """An object of a feed.

    Attributes:
        stored: as it is in the store.
        calendar: which calendar it is in.
        rules: the feed's.
        today: the UTC date.
        copy: what the feed shows of it, once it was asked.
    """

    stored: StoredObject
    calendar: CalendarState
    rules: Rules
    today: date
    copy: Copy | None = None

    def read(self) -> Copy | None:
        """What the feed shows of it; None for nothing."""
        if self.copy is None:
            paths = {self.calendar.id: self.calendar.path}
            found = shown([self.stored], paths, self.rules, self.today).copies
            self.copy = found[0] if found else None
        return self.copy


@dataclass(slots=True, frozen=True)
class Happening:
    """One time that an object happens.

    Attributes:
        of: the object.
        start: seconds since 1970, UTC, or by the reader's clock if it is floating.
        floating: whether it has no time zone: days, and times of any clock.
        begin: its beginning as the reader's clock shows it, seconds since 1970 of that clock.
        finish: its end, exclusive, likewise.
        part: the component that tells what happens, where that was asked already.
    """

    of: Item
    start: int
    floating: bool
    begin: int
    finish: int
    part: Component | None = None

    @property
    def is_bar(self) -> bool:
        """Whether it is of days rather than hours."""
        length = self.finish - self.begin
        return length >= DAY or (self.floating and self.begin % DAY == 0 and length % DAY == 0)

    @property
    def first_day(self) -> date:
        """The day on which it begins."""
        return date.fromordinal(self.begin // DAY + _FIRST_DAY)

    @property
    def last_day(self) -> date:
        """The last day on which it still happens."""
        return date.fromordinal(max(self.begin, self.finish - 1) // DAY + _FIRST_DAY)

    @property
    def order(self) -> tuple[int, bool, int, int, str, str]:
        """Days: by their first; what is of days first; then by time, the longest first."""
        stored = self.of.stored
        day = self.begin // DAY
        path = self.of.calendar.path
        return day, not self.is_bar, self.begin, self.begin - self.finish, path, stored.uid


@dataclass(slots=True)
class Happenings:
    """What happens in a period.

    Attributes:
        found: in order.
        is_all: False if it was too much to find all of it.
    """

    found: list[Happening] = field(default_factory=list)
    is_all: bool = True


def range_of(first: date, until: date, zone: tzinfo) -> Range:
    """The days from ``first`` to before ``until``, by the clock of ``zone``."""
    start, end = (
        int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
        for day in (first, until)
    )
    local = [(day.toordinal() - _FIRST_DAY) * DAY for day in (first, until)]
    return Range(start, end, *local)


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
        self._rules = rules
        self._today = today
        self._within = within
        # What is due is in the index a second early.
        self._asked = within._replace(start=within.start - 1, local_start=within.local_start - 1)
        self._zone = zone
        # What is not in the index is walked: all of it together as long as one object may take.
        self._budget = Budget()
        self._result = Happenings()

    def run(self) -> Happenings:
        """What happens."""
        times: dict[int, list[Interval]] = {}
        for number in self._calendars:
            for object_id, interval in self._snapshot.meeting(number, self._asked):
                times.setdefault(object_id, []).append(interval)
        objects = [
            stored
            for stored in self._snapshot.objects_at(times)
            if stored.component in self._rules.components
        ]
        contested = self._contested(objects)
        for happening in self._all(objects, times, contested):
            if len(self._result.found) >= MOST:
                self._result.is_all = False
                break
            self._result.found.append(happening)
        if self._budget.spent:
            self._result.is_all = False
        self._result.found.sort(key=lambda happening: happening.order)
        return self._result

    def _contested(self, objects: Iterable[StoredObject]) -> frozenset[str]:
        """The UIDs that several calendars of the feed have."""
        if len(self._calendars) < 2:
            return frozenset()
        found = {stored.uid for stored in objects}
        return frozenset(found.intersection(self._snapshot.shared_uids(list(self._calendars))))

    def _all(
        self,
        objects: Iterable[StoredObject],
        times: Mapping[int, list[Interval]],
        contested: frozenset[str],
    ) -> Iterator[Happening]:
        for stored in objects:
            if stored.uid in contested:
                continue
            item = Item(stored, self._calendars[stored.calendar], self._rules, self._today)
            known = times[stored.id]
            if is_one(stored) and self._is_known(known):
                for interval in known:
                    yield from self._of_interval(item, interval)
            else:
                yield from self._walked(item)
        yield from self._settled(contested)

    def _is_known(self, intervals: Iterable[Interval]) -> bool:
        """Whether the index knows when an object happens, and that the feed's window has it."""
        if not all(interval.sure for interval in intervals):
            return False
        past = self._rules.past
        if past is None:
            return True
        oldest = (self._today.toordinal() - _FIRST_DAY - past) * DAY
        return any(interval.last_end > oldest for interval in intervals)

    def _settled(self, contested: frozenset[str]) -> Iterator[Happening]:
        """What several calendars have, as the feed settles it."""
        copies = self._snapshot.copies(list(self._calendars), sorted(contested))
        paths = {number: calendar.path for number, calendar in self._calendars.items()}
        for copy in shown(copies, paths, self._rules, self._today).copies:
            calendar = self._calendars[copy.stored.calendar]
            yield from self._walked(Item(copy.stored, calendar, self._rules, self._today, copy))

    def _of_interval(self, item: Item, interval: Interval) -> Iterator[Happening]:
        """The times of an interval and its repetitions that are in the period."""
        start, end = self._bounds(interval.floating)
        length, step = interval.end - interval.start, interval.step
        first, last = 0, 0
        if step:
            first = max(0, (start - interval.end) // step)
            last = min(interval.again, (end - interval.start) // step)
        for number in range(first, last + 1):
            begin = interval.start + number * step
            if begin < end and begin + length > start:
                yield self._happening(item, begin, begin + length, interval.floating)

    def _walked(self, item: Item) -> Iterator[Happening]:
        """The times of what the index does not know, or a feed shows in parts only."""
        copy = item.read()
        if copy is None or self._budget.spent:
            return
        for occurrence, part in parts_of(copy, self._asked, self._zone, self._budget):
            start, end, floating = _as_task(part, occurrence)
            first, until = self._bounds(floating)
            if start < until and end > first:
                yield self._happening(item, start, end, floating, part)

    def _bounds(self, floating: bool) -> tuple[int, int]:
        within = self._within
        if floating:
            return within.local_start, within.local_end
        return within.start, within.end

    def _happening(
        self, item: Item, start: int, end: int, floating: bool, part: Component | None = None
    ) -> Happening:
        if floating:
            return Happening(item, start, floating, start, end, part)
        begin = local_second(start, self._zone)
        finish = local_second(end, self._zone)
        return Happening(item, start, floating, begin, max(begin + 1, finish), part)


def parts_of(
    copy: Copy, within: Range, zone: tzinfo, budget: Budget
) -> list[tuple[Occurrence, Component]]:
    """When an object happens in a period, and which of its components tells what happens then."""
    parts = [part for part in copy.components if _is_timed(part)]
    try:
        return parts_between(parts, zones_of(copy), within.start, within.end, zone, budget)
    except ObjectRefusedError:
        return []  # what cannot be read happens at no time


def place_of(occurrence: Occurrence, part: Component) -> Place:
    """Where an occurrence that ``parts_of`` found is shown."""
    start, _, floating = _as_task(part, occurrence)
    return floating, start


def _as_task(part: Component, occurrence: Occurrence) -> Occurrence:
    """An occurrence as it is shown; for CalDAV's ranges what is due begins a second early."""
    if part.name != "VTODO":
        return occurrence
    start, end, floating = occurrence
    if not part.first("DTSTART"):
        start, end = start + 1, end + 1
    if floating and start % DAY == 0 and end - start == 1:
        end = start + DAY  # due on a day
    return Occurrence(start, end, floating)


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


def zones_of(copy: Copy) -> dict[str, str]:
    """The definitions that an object uses, by TZID, as ``calobject`` takes them."""
    return {
        tzid: "\r\n".join(
            Component("VTIMEZONE", [Property("TZID", "", tzid)], use.definition.children).lines()
        )
        for tzid, use in copy.zones.items()
    }


def local_second(instant: int, zone: tzinfo) -> int:
    """What a zone's clock shows at an instant, both in seconds since 1970."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset() or timedelta()
    return instant + offset.days * DAY + offset.seconds


def local_time(second: int) -> datetime:
    """A second that a clock shows, as a time without a zone."""
    return _EPOCH + timedelta(seconds=second)


def _is_timed(component: Component) -> bool:
    """Whether it has a place in a calendar: a task may have none."""
    begin = component.first("DTSTART")
    if component.name == "VTODO":
        return bool(begin or component.first("DUE"))
    return begin is not None
