"""Occurrences of objects in a period; an object is parsed only if it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from kalends.common.budget import Budget
from kalends.errors import BudgetSpentError, ObjectRefusedError
from kalends.feeds.compose.select import VisibleObject
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import DAY, EPOCH, EPOCH_DAY
from kalends.ical.recurrence.occurrences import Occurrence, occurrences_between
from kalends.store.feed_queries import CalendarState
from kalends.store.objects.time_range import TimeRange

# Times beyond are clamped: in some time zone they would be out of the range of `datetime`.
_EARLIEST, _LATEST = (
    (day.toordinal() - EPOCH_DAY) * DAY for day in (date(1, 1, 3), date(9999, 12, 29))
)

StartKey = tuple[bool, int]
"""``floating`` and ``start`` of a `PageOccurrence`."""


@dataclass(slots=True)
class PageObject:
    """An object of a feed.

    Attributes:
        id: its id in the store.
        uid: its UID in the store.
        calendar: the calendar that it is in.
    """

    id: int
    uid: str
    calendar: CalendarState


class PageOccurrence:
    """One occurrence of an object.

    Attributes:
        item: the object.
        start: seconds since 1970, UTC, or local if it is floating.
        floating: whether it has no time zone: days, and local times of any zone.
        begin: its beginning in the reader's local time, seconds since 1970.
        finish: its end, exclusive, in the reader's local time, seconds since 1970.
        part: the component that describes it, if it is known already.
        set_back: seconds from the local time at its end to ``finish``, if the clock was set back
            meanwhile; else 0.
        first: the day on which it begins, days since 1970.
        last: the last day on which it still goes on.
        last_in_grid: its last day in a grid, where hours after midnight belong to the day before.
        is_bar: whether it takes days rather than hours.
    """

    __slots__ = (
        *("begin", "finish", "first", "floating", "is_bar", "item", "last", "last_in_grid"),
        *("part", "set_back", "start"),
    )

    def __init__(
        self,
        item: PageObject,
        start: int,
        floating: bool,
        begin: int,
        finish: int,
        part: Component | None = None,
        set_back: int = 0,
    ) -> None:
        self.item = item
        self.start = start
        self.floating = floating
        self.begin = begin
        self.finish = finish
        self.part = part
        self.set_back = set_back
        length = finish - begin
        self.first = begin // DAY
        self.last = (finish - 1 if finish > begin else begin) // DAY
        self.is_bar = length >= DAY or (floating and not begin % DAY and not length % DAY)
        self.last_in_grid = self.last if self.is_bar else self.first

    def sort_key(self) -> tuple[int, bool, int, int, str, str]:
        """Return the key for sorting: by day, bars first, by time, the longest first, by path."""
        item = self.item
        return self.first, not self.is_bar, self.begin, -self.finish, item.calendar.path, item.uid


@dataclass(slots=True)
class PageOccurrences:
    """The occurrences in a period.

    Attributes:
        occurrences: in order.
        is_complete: False if there are more, because there were too many to find.
    """

    occurrences: list[PageOccurrence] = field(default_factory=list)
    is_complete: bool = True


def range_of_days(first: date, until: date, zone: tzinfo) -> TimeRange:
    """Return the time range from the day ``first`` to before the day ``until`` in a time zone."""
    start, end = (
        int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
        for day in (first, until)
    )
    local = [day_number(day) * DAY for day in (first, until)]
    return TimeRange(start, end, *local)


def occurrences_with_parts(
    copy: VisibleObject, within: TimeRange, zone: tzinfo, budget: Budget
) -> list[tuple[Occurrence, Component]]:
    """Return an object's occurrences in a period, each with the component that describes it."""
    parts = [part for part in copy.components if _is_timed(part)]
    try:
        return occurrences_between(
            parts, zone_definitions(copy), within.start, within.end, zone, budget
        )
    except (BudgetSpentError, ObjectRefusedError):
        return []  # an object that cannot be read does not occur


def start_key(occurrence: Occurrence, part: Component) -> StartKey:
    """Return the key of an occurrence that ``occurrences_with_parts`` has found."""
    start, _, floating = with_due_time(part, occurrence)
    return floating, start


def with_due_time(part: Component, occurrence: Occurrence) -> Occurrence:
    """Return an occurrence as it is shown: a due time, a second early for CalDAV, is put right."""
    if part.name != "VTODO":
        return occurrence
    start, end, floating = occurrence
    if not part.first("DTSTART"):
        start, end = start + 1, end + 1
    if floating and start % DAY == 0 and end - start == 1:
        end = start + DAY  # due on a day
    return Occurrence(start, end, floating)


def zone_definitions(copy: VisibleObject) -> dict[str, str]:
    """Return the time zone definitions that an object uses, by TZID."""
    return {
        tzid: "\r\n".join(
            Component("VTIMEZONE", [_tzid_property(tzid)], use.definition.children).lines()
        )
        for tzid, use in copy.zones.items()
    }


def clamp(second: int) -> int:
    """Return a second since 1970, limited to those that have a date in every time zone."""
    return min(max(second, _EARLIEST), _LATEST)


def _tzid_property(tzid: str) -> Property:
    return Property("TZID", "", contentlines.escape(tzid))


def local_second(instant: int, zone: tzinfo) -> int:
    """Return the local time of a zone at an instant, both in seconds since 1970."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset() or timedelta()
    return instant + offset.days * DAY + offset.seconds


def day_number(day: date) -> int:
    """Return a day as days since 1970."""
    return day.toordinal() - EPOCH_DAY


def local_time(second: int) -> datetime:
    """Return a second of local time as a `datetime` without a zone."""
    return EPOCH + timedelta(seconds=second)


def _is_timed(component: Component) -> bool:
    """Return True if a component has a time: a task may have none."""
    begin = component.first("DTSTART")
    if component.name == "VTODO":
        return bool(begin or component.first("DUE"))
    return begin is not None
