"""What a template shows of a period: the layout, and each happening that it shows, read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kalends.feeds.compose.select import VisibleObject
from kalends.feeds.definitions.model import Feed
from kalends.ical.contentlines import Component
from kalends.ical.recurrence.expand import Budget
from kalends.store.feed_queries import CalendarState
from kalends.webui.feed import colors
from kalends.webui.feed.entry import Entry, entry_of
from kalends.webui.feed.layout.agenda import agenda_of
from kalends.webui.feed.layout.day import Hours, hours_of, shown_hours
from kalends.webui.feed.layout.month import LANES, Cell, row_of, weeks_of
from kalends.webui.feed.occurrence import (
    OrderKey,
    PageObject,
    PageOccurrence,
    PageOccurrences,
    cut,
    parts_of,
    place_of,
)
from kalends.webui.feed.periods import Period
from kalends.webui.feed.url_params import PageParams, is_shown
from kalends.webui.feed.viewport import Viewport

# How many stand side by side in the hours of a day, and above them.
_PLACES = {"week": 4, "day": 10}
_BARS = {"week": 6, "day": 12}


@dataclass(slots=True)
class Legend:
    """A calendar's name and colour."""

    name: str
    color: int


@dataclass(slots=True)
class EntryReader:
    """Reads what is shown, each object once, and hands out colours.

    Args:
        feed: the feed.
        calendars: those of the feed, by path.
        frame: the period, as its reader sees it.
        read: what the feed shows of an object; None for nothing.
    """

    feed: Feed
    calendars: Sequence[CalendarState]
    frame: Viewport
    read: Callable[[PageObject], VisibleObject | None]
    _budget: Budget = field(default_factory=Budget)
    _copies: dict[int, VisibleObject | None] = field(default_factory=dict)
    _parts: dict[int, dict[OrderKey, Component]] = field(default_factory=dict)
    _colors: dict[str, int] = field(default_factory=dict)
    _named: set[int] = field(default_factory=set)

    def entry(self, happening: PageOccurrence) -> Entry | None:
        """What a happening is; None if the feed shows nothing of it after all."""
        item = happening.of
        if item.id not in self._copies:
            self._copies[item.id] = self.read(item)
        copy = self._copies[item.id]
        if copy is None:
            return None
        own = colors.NEUTRAL if copy.is_private else self.color_of(item.calendar)
        named = self.tells_calendars and not copy.is_private
        if named:
            self._named.add(item.calendar.id)
        return entry_of(
            happening,
            copy,
            happening.part or self._part(happening, copy),
            self._number(own),
            self.name_of(item.calendar) if named else "",
        )

    @property
    def tells_calendars(self) -> bool:
        """Whether the feed says which calendar an event is of, or is its reader's own."""
        return self.feed.rules.categories or self._is_own

    @property
    def _is_own(self) -> bool:
        return self.feed.access.kind == "owner"

    def legend(self) -> list[Legend]:
        """The calendars of one's own feed, or those of which something was shown by name."""
        listed = [c for c in self.calendars if self._is_own or c.id in self._named]
        if len(listed) < 2:
            return []
        return [Legend(self.name_of(c), self._number(self.color_of(c))) for c in listed]

    def name_of(self, calendar: CalendarState) -> str:
        """What a calendar is called: to others, no more than the feed's CATEGORIES tell."""
        title = calendar.props.get("D:displayname", "").strip() if self._is_own else ""
        return title or calendar.path.rpartition("/")[2]

    def style(self) -> str:
        """CSS for the colours that were handed out."""
        return colors.style(list(self._colors))

    def color_of(self, calendar: CalendarState) -> str:
        """A calendar's colour: its own, or the feed's, or one of our palette."""
        own = calendar.props.get("ICAL:calendar-color", "") or self.feed.rules.color
        return colors.color_of(own, self.calendars.index(calendar))

    def _number(self, color: str) -> int:
        return self._colors.setdefault(color, len(self._colors))

    def _part(self, happening: PageOccurrence, copy: VisibleObject) -> Component:
        components = copy.components
        if len(components) == 1:
            return components[0]
        number = happening.of.id
        if number not in self._parts:
            self._parts[number] = self._places(copy)
        return self._parts[number].get((happening.floating, happening.start), components[0])

    def _places(self, copy: VisibleObject) -> dict[OrderKey, Component]:
        """Which component tells what happens, by when it happens."""
        if self._budget.is_spent:
            return {}
        found = parts_of(copy, self.frame.within, self.frame.zone, self._budget)
        return {place_of(occurrence, part): part for occurrence, part in found}


@dataclass(slots=True)
class Positions:
    """The places of blocks among the hours, as classes of a style sheet."""

    _rules: set[str] = field(default_factory=set)

    def top(self, minutes: int) -> str:
        """The class of what begins so many minutes after the first hour."""
        return self._named(f"t{minutes}", f"--t:{minutes}")

    def length(self, minutes: int) -> str:
        """The class of what takes so many minutes."""
        return self._named(f"n{minutes}", f"--n:{minutes}")

    def column(self, column: int, columns: int) -> str:
        """The class of what has one of several places side by side."""
        return self._named(f"p{column}-{columns}", f"--p:{column};--of:{columns}")

    def style(self) -> str:
        """CSS for the classes that were named."""
        return "".join(sorted(self._rules))

    def _named(self, name: str, text: str) -> str:
        self._rules.add(f".{name}{{{text}}}")
        return name


def month(period: Period, found: Sequence[PageOccurrence], reader: EntryReader) -> dict[str, Any]:
    """The values of ``month.html``."""
    return {"weeks": [_cells(week, reader) for week in weeks_of(period.days, found, LANES)]}


def day_or_week(
    query: PageParams, period: Period, found: Sequence[PageOccurrence], reader: EntryReader
) -> dict[str, Any]:
    """The values of ``hours.html``."""
    bars = [happening for happening in found if happening.is_bar]
    days = [hours_of(day, found, _PLACES[query.view]) for day in period.days]
    first, last = shown_hours(days)
    positions = Positions()
    row = row_of(period.days, bars, _BARS[query.view])
    lines = max([s.lane for c in row for s in c.segments] + [c.lane for c in row if c.more] + [1])
    return {
        "bars": _cells(row, reader),
        "columns": [_column(day, first, positions, reader) for day in days],
        "hours": range(first, last),
        "style": positions.style()
        + f":root{{--hours:{last - first};--first:{first};--lanes:{lines}}}",
    }


def agenda(
    query: PageParams, period: Period, found: Sequence[PageOccurrence], reader: EntryReader
) -> dict[str, Any]:
    """The values of ``agenda.html``."""
    listed = agenda_of(period.first, period.until, found, query.skip)
    days = [{"day": day.day, "entries": _entries(day.found, reader)} for day in listed.days]
    day, skip = listed.rest or (None, 0)
    rest = query.link(day=day, skip=skip) if day and is_shown(day) else ""
    return {"listed": days, "rest": rest}


def find_event(
    query: PageParams, found: PageOccurrences, reader: EntryReader, start: int
) -> Entry | None:
    """The event that an address names, among what happens at its time."""
    entries = _entries((one for one in found.found if cut(one.start) == start), reader)
    meant = [entry for entry in entries if (entry.key, entry.at) == (query.event, query.at)]
    for entry in meant:
        if entry.replaces == query.replaces:
            return entry
    # It had no override of its own when somebody kept the address.
    return meant[0] if meant and not query.replaces else None


def _entries(found: Iterable[PageOccurrence], reader: EntryReader) -> list[Entry]:
    return [entry for happening in found if (entry := reader.entry(happening))]


def _cells(cells: Sequence[Cell], reader: EntryReader) -> list[dict[str, Any]]:
    return [
        {
            "day": cell.day,
            "more": cell.more,
            "lane": cell.lane,
            "segments": [
                {"at": segment, "entry": entry}
                for segment in cell.segments
                if (entry := reader.entry(segment.what))
            ],
        }
        for cell in cells
    ]


def _column(day: Hours, first: int, positions: Positions, reader: EntryReader) -> dict[str, Any]:
    blocks = []
    for block in day.blocks:
        entry = reader.entry(block.what)
        if entry:
            places = (
                positions.top(block.top - first * 60),
                positions.length(block.length),
                positions.column(block.column, block.columns),
            )
            blocks.append({"entry": entry, "classes": " ".join(places), "length": block.length})
    return {"day": day.day, "more": day.more, "blocks": blocks}


def is_weekend(day: date) -> bool:
    """Whether it is a Saturday or Sunday."""
    return day.weekday() > 4
