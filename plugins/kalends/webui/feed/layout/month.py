"""The grid of a month, and the row of what lasts for days above the hours: bars in lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from kalends.webui.feed.occurrence import PageOccurrence, day_number

LANES = 5
"""Lines of a day in a month; where there is more, the last line says how much."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A happening in one week.

    Attributes:
        column: of its first day in the week, from 1.
        span: days.
        lane: its line, from 1.
        goes_on: whether it began in a week before.
        goes_further: whether it lasts into the next.
    """

    what: PageOccurrence
    column: int
    span: int
    lane: int
    goes_on: bool
    goes_further: bool


@dataclass(slots=True)
class Cell:
    """One day: what begins there in this week, and how much more there is.

    Attributes:
        more: happenings without a line.
        lane: the line that says so.
    """

    day: date
    segments: list[Segment] = field(default_factory=list)
    more: int = 0
    lane: int = 0


def weeks_of(days: Sequence[date], found: Sequence[PageOccurrence], lanes: int) -> list[list[Cell]]:
    """Days as rows of a week.

    Args:
        days: whole rows of them.
        found: what happens, in order.
        lanes: lines of a day.
    """
    first = day_number(days[0])
    rows: list[list[PageOccurrence]] = [[] for _ in range(len(days) // 7)]
    for happening in found:
        begin, end = happening.first - first, happening.last_in_grid - first
        if begin == end:
            if 0 <= begin < len(days):
                rows[begin // 7].append(happening)
            continue
        for row in range(max(0, begin) // 7, min(end, len(days) - 1) // 7 + 1):
            rows[row].append(happening)
    return [row_of(days[7 * n : 7 * n + 7], row, lanes) for n, row in enumerate(rows)]


def row_of(days: Sequence[date], found: Sequence[PageOccurrence], lanes: int) -> list[Cell]:
    """A row of days: what lasts longest gets its line first, and keeps it for the row.

    Args:
        found: what happens on one of the days at least, in order.
    """
    cells = [Cell(day) for day in days]
    first, last = day_number(days[0]), len(days) - 1
    left = [0] * len(days)
    for happening in found:
        begin, end = happening.first - first, happening.last_in_grid - first
        if begin == end:
            left[begin] += 1
            continue
        for column in range(max(0, begin), min(last, end) + 1):
            left[column] += 1
    # The last line is kept for the number of what has none, where there is such.
    room = [lanes if count <= lanes else lanes - 1 for count in left]
    taken: list[set[int]] = [set() for _ in days]
    for happening in found:
        begin, end = happening.first - first, happening.last_in_grid - first
        if begin == end and len(taken[begin]) >= room[begin]:
            continue
        columns = range(max(0, begin), min(last, end) + 1)
        lane = _free_lane(columns, room, taken)
        if lane:
            for column in columns:
                taken[column].add(lane)
                left[column] -= 1
            place = (columns[0] + 1, len(columns), lane, begin < 0, end > last)
            cells[columns[0]].segments.append(Segment(happening, *place))
    for cell, more, lines in zip(cells, left, taken, strict=True):
        cell.more = more
        cell.lane = max(lines, default=0) + 1
    return cells


def _free_lane(columns: range, room: Sequence[int], taken: Sequence[set[int]]) -> int | None:
    """The first line that is free on all these days."""
    for column in columns:
        if len(taken[column]) >= room[column]:
            return None
    for lane in range(1, min(room[column] for column in columns) + 1):
        if not any(lane in taken[column] for column in columns):
            return lane
    return None
