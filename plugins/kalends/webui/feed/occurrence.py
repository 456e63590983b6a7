"""What happens in a period: when, and of which object, which is read only if it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo

from kalends.errors import ObjectRefusedError
from kalends.feeds.compose.select import VisibleObject
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import DAY, EPOCH, EPOCH_DAY
from kalends.ical.recurrence.expand import Budget
from kalends.ical.recurrence.occurrences import Occurrence, occurrences_between
from kalends.store.feed_queries import CalendarState
from kalends.store.objects.time_range import TimeRange

# What lasts longer is cut: by some clock it would be beyond the times that there are.
_EARLIEST, _LATEST = (
    (day.toordinal() - EPOCH_DAY) * DAY for day in (date(1, 1, 3), date(9999, 12, 29))
)

OrderKey = tuple[bool, int]
"""Whether a time is floating, and its beginning in seconds, as in ``PageOccurrence``."""


@dataclass(slots=True)
class PageObject:
    """An object of a feed.

    Attributes:
        id: its number.
        uid: its UID in the store.
        calendar: which calendar it is in.
    """

    id: int
    uid: str
    calendar: CalendarState


class PageOccurrence:
    """One time that an object happens.

    Attributes:
        of: the object.
        start: seconds since 1970, UTC, or by the reader's clock if it is floating.
        floating: whether it has no time zone: days, and times of any clock.
        begin: its beginning as the reader's clock shows it, seconds since 1970 of that clock.
        finish: its end, exclusive, likewise.
        part: the component that tells what happens, where that was asked already.
        back: seconds before ``finish`` that the clock shows at its end, where it was turned back.
        first: the day on which it begins, counted from 1970.
        last: the last day on which it still happens.
        last_in_grid: its last day in a grid, where hours after midnight stay on the day before.
        is_bar: whether it is of days rather than hours.
    """

    __slots__ = (
        *("back", "begin", "finish", "first", "floating", "is_bar", "last", "last_in_grid"),
        *("of", "part", "start"),
    )

    def __init__(
        self,
        of: PageObject,
        start: int,
        floating: bool,
        begin: int,
        finish: int,
        part: Component | None = None,
        back: int = 0,
    ) -> None:
        self.of = of
        self.start = start
        self.floating = floating
        self.begin = begin
        self.finish = finish
        self.part = part
        self.back = back
        length = finish - begin
        self.first = begin // DAY
        self.last = (finish - 1 if finish > begin else begin) // DAY
        self.is_bar = length >= DAY or (floating and not begin % DAY and not length % DAY)
        self.last_in_grid = self.last if self.is_bar else self.first

    def order(self) -> tuple[int, bool, int, int, str, str]:
        """Days first; of a day what is of days; then by time, the longest first; then by place."""
        of = self.of
        return self.first, not self.is_bar, self.begin, -self.finish, of.calendar.path, of.uid


@dataclass(slots=True)
class PageOccurrences:
    """What happens in a period.

    Attributes:
        found: in order.
        is_all: False if it was too much to find all of it.
    """

    found: list[PageOccurrence] = field(default_factory=list)
    is_all: bool = True


def range_of(first: date, until: date, zone: tzinfo) -> TimeRange:
    """The days from ``first`` to before ``until``, by the clock of ``zone``."""
    start, end = (
        int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
        for day in (first, until)
    )
    local = [day_number(day) * DAY for day in (first, until)]
    return TimeRange(start, end, *local)


def parts_of(
    copy: VisibleObject, within: TimeRange, zone: tzinfo, budget: Budget
) -> list[tuple[Occurrence, Component]]:
    """When an object happens in a period, and which of its components tells what happens then."""
    parts = [part for part in copy.components if _is_timed(part)]
    try:
        return occurrences_between(parts, zones_of(copy), within.start, within.end, zone, budget)
    except ObjectRefusedError:
        return []  # what cannot be read happens at no time


def place_of(occurrence: Occurrence, part: Component) -> OrderKey:
    """Where an occurrence that ``parts_of`` found is shown."""
    start, _, floating = as_shown(part, occurrence)
    return floating, start


def as_shown(part: Component, occurrence: Occurrence) -> Occurrence:
    """An occurrence as it is shown; for CalDAV's ranges what is due begins a second early."""
    if part.name != "VTODO":
        return occurrence
    start, end, floating = occurrence
    if not part.first("DTSTART"):
        start, end = start + 1, end + 1
    if floating and start % DAY == 0 and end - start == 1:
        end = start + DAY  # due on a day
    return Occurrence(start, end, floating)


def zones_of(copy: VisibleObject) -> dict[str, str]:
    """The definitions that an object uses, by TZID, as ``calobject`` takes them."""
    return {
        tzid: "\r\n".join(Component("VTIMEZONE", [_named(tzid)], use.definition.children).lines())
        for tzid, use in copy.zones.items()
    }


def cut(second: int) -> int:
    """A second since 1970, or the first or last one of which every clock can show the day."""
    return min(max(second, _EARLIEST), _LATEST)


def _named(tzid: str) -> Property:
    return Property("TZID", "", contentlines.escape(tzid))


def local_second(instant: int, zone: tzinfo) -> int:
    """What a zone's clock shows at an instant, both in seconds since 1970."""
    offset = datetime.fromtimestamp(instant, zone).utcoffset() or timedelta()
    return instant + offset.days * DAY + offset.seconds


def day_number(day: date) -> int:
    """A day as it is counted from 1970."""
    return day.toordinal() - EPOCH_DAY


def local_time(second: int) -> datetime:
    """A second that a clock shows, as a time without a zone."""
    return EPOCH + timedelta(seconds=second)


def _is_timed(component: Component) -> bool:
    """Whether it has a place in a calendar: a task may have none."""
    begin = component.first("DTSTART")
    if component.name == "VTODO":
        return bool(begin or component.first("DUE"))
    return begin is not None
