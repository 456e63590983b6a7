"""The values for the templates: the layout of a period, with the entries that it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from kalends.common.budget import Budget
from kalends.feeds.compose.select import VisibleObject
from kalends.feeds.definitions.model import Feed
from kalends.ical.contentlines import Component
from kalends.store.feed_queries import CalendarState
from kalends.webui.feed import colors
from kalends.webui.feed.entry import Entry, entry_of
from kalends.webui.feed.layout.agenda import agenda_of
from kalends.webui.feed.layout.day import Hours, hours_of, shown_hours
from kalends.webui.feed.layout.month import LANES, Cell, row_of, weeks_of
from kalends.webui.feed.occurrence import (
    PageObject,
    PageOccurrence,
    PageOccurrences,
    StartKey,
    clamp,
    occurrences_with_parts,
    start_key,
)
from kalends.webui.feed.periods import Period
from kalends.webui.feed.url_params import PageParams, is_supported
from kalends.webui.feed.viewport import Viewport

# The most columns side by side in the hours of a day, and the most bars above them.
_COLUMNS = {"week": 4, "day": 10}
_BARS = {"week": 6, "day": 12}


@dataclass(slots=True)
class Legend:
    """A calendar's name and the number of its colour."""

    name: str
    color: int


@dataclass(slots=True)
class EntryReader:
    """Reader of entries: it parses each object that is shown once, and assigns colours.

    Args:
        feed: the feed.
        calendars: the calendars of the feed, by path.
        viewport: the period, in its reader's time zone.
        read: returns an object as the feed shows it, or None.
        budget: the steps that the objects of the page may take together.
    """

    feed: Feed
    calendars: Sequence[CalendarState]
    viewport: Viewport
    read: Callable[[PageObject], VisibleObject | None]
    budget: Budget
    _copies: dict[int, VisibleObject | None] = field(default_factory=dict)
    _parts: dict[int, dict[StartKey, Component]] = field(default_factory=dict)
    _colors: dict[str, int] = field(default_factory=dict)
    _named: set[int] = field(default_factory=set)

    def entry(self, occurrence: PageOccurrence) -> Entry | None:
        """Return the entry of an occurrence; None if the feed does not show it after all."""
        item = occurrence.item
        if item.id not in self._copies:
            self._copies[item.id] = self.read(item)
        copy = self._copies[item.id]
        if copy is None:
            return None
        own = colors.NEUTRAL if copy.is_private else self.color_of(item.calendar)
        named = self.names_calendars and not copy.is_private
        if named:
            self._named.add(item.calendar.id)
        return entry_of(
            occurrence,
            copy,
            occurrence.part or self._part(occurrence, copy),
            self._number(own),
            self.name_of(item.calendar) if named else "",
        )

    @property
    def names_calendars(self) -> bool:
        """True if entries name their calendars: by the rules, or because its owner reads it."""
        return self.feed.rules.categories or self._is_own

    @property
    def _is_own(self) -> bool:
        return self.feed.access.kind == "owner"

    def legend(self) -> list[Legend]:
        """Return the calendars to list: all for the feed's owner, else those that entries named."""
        listed = [c for c in self.calendars if self._is_own or c.id in self._named]
        if len(listed) < 2:
            return []
        return [Legend(self.name_of(c), self._number(self.color_of(c))) for c in listed]

    def name_of(self, calendar: CalendarState) -> str:
        """Return the name of a calendar: to others, only what the feed's CATEGORIES reveal too."""
        title = calendar.props.get("D:displayname", "").strip() if self._is_own else ""
        return title or calendar.path.rpartition("/")[2]

    def style(self) -> str:
        """Return CSS for the colours that were assigned."""
        return colors.style(list(self._colors))

    def color_of(self, calendar: CalendarState) -> str:
        """Return a calendar's colour: its own, the feed's, or one of the palette."""
        own = calendar.props.get("ICAL:calendar-color", "") or self.feed.rules.color
        return colors.color_of(own, self.calendars.index(calendar))

    def _number(self, color: str) -> int:
        return self._colors.setdefault(color, len(self._colors))

    def _part(self, occurrence: PageOccurrence, copy: VisibleObject) -> Component:
        components = copy.components
        if len(components) == 1:
            return components[0]
        number = occurrence.item.id
        if number not in self._parts:
            self._parts[number] = self._parts_by_start(copy)
        return self._parts[number].get((occurrence.floating, occurrence.start), components[0])

    def _parts_by_start(self, copy: VisibleObject) -> dict[StartKey, Component]:
        """Return the component that describes each occurrence, by its start."""
        if self.budget.is_spent:
            return {}
        with self.budget.for_object() as own:
            found = occurrences_with_parts(copy, self.viewport.time_range, self.viewport.zone, own)
        return {start_key(occurrence, part): part for occurrence, part in found}


@dataclass(slots=True)
class Positions:
    """The positions of blocks among the hours, as classes of a style sheet."""

    _rules: set[str] = field(default_factory=set)

    def top(self, minutes: int) -> str:
        """Return the class of blocks that begin so many minutes after the first hour."""
        return self._use(f"t{minutes}", f"--t:{minutes}")

    def length(self, minutes: int) -> str:
        """Return the class of blocks that take so many minutes."""
        return self._use(f"n{minutes}", f"--n:{minutes}")

    def column(self, column: int, columns: int) -> str:
        """Return the class of blocks in one of several columns side by side."""
        return self._use(f"p{column}-{columns}", f"--p:{column};--of:{columns}")

    def style(self) -> str:
        """Return CSS for the classes that were used."""
        return "".join(sorted(self._rules))

    def _use(self, name: str, text: str) -> str:
        self._rules.add(f".{name}{{{text}}}")
        return name


def month(period: Period, found: Sequence[PageOccurrence], reader: EntryReader) -> dict[str, Any]:
    """Return the values for ``month.html``."""
    return {"weeks": [_cells(week, reader) for week in weeks_of(period.days, found, LANES)]}


def day_or_week(
    query: PageParams, period: Period, found: Sequence[PageOccurrence], reader: EntryReader
) -> dict[str, Any]:
    """Return the values for ``hours.html``."""
    bars = [occurrence for occurrence in found if occurrence.is_bar]
    days = [hours_of(day, found, _COLUMNS[query.view]) for day in period.days]
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
    """Return the values for ``agenda.html``."""
    listed = agenda_of(period.first, period.until, found, query.skip)
    days = [{"day": day.day, "entries": _entries(day.found, reader)} for day in listed.days]
    day, skip = listed.rest or (None, 0)
    rest = query.link(day=day, skip=skip) if day and is_supported(day) else ""
    return {"listed": days, "rest": rest}


def find_event(
    query: PageParams, found: PageOccurrences, reader: EntryReader, start: int
) -> Entry | None:
    """Return the event that an address names, among the occurrences at its time."""
    entries = _entries((one for one in found.occurrences if clamp(one.start) == start), reader)
    meant = [entry for entry in entries if (entry.key, entry.at) == (query.event, query.at)]
    for entry in meant:
        if entry.replaces == query.replaces:
            return entry
    # The address may be older than the override.
    return meant[0] if meant and not query.replaces else None


def _entries(found: Iterable[PageOccurrence], reader: EntryReader) -> list[Entry]:
    return [entry for occurrence in found if (entry := reader.entry(occurrence))]


def _cells(cells: Sequence[Cell], reader: EntryReader) -> list[dict[str, Any]]:
    return [
        {
            "day": cell.day,
            "more": cell.more,
            "lane": cell.lane,
            "segments": [
                {"at": segment, "entry": entry}
                for segment in cell.segments
                if (entry := reader.entry(segment.occurrence))
            ],
        }
        for cell in cells
    ]


def _column(day: Hours, first: int, positions: Positions, reader: EntryReader) -> dict[str, Any]:
    blocks = []
    for block in day.blocks:
        entry = reader.entry(block.occurrence)
        if entry:
            classes = (
                positions.top(block.top - first * 60),
                positions.length(block.length),
                positions.column(block.column, block.columns),
            )
            blocks.append({"entry": entry, "classes": " ".join(classes), "length": block.length})
    return {"day": day.day, "more": day.more, "blocks": blocks}


def is_weekend(day: date) -> bool:
    """Return True if a day is a Saturday or Sunday."""
    return day.weekday() > 4
