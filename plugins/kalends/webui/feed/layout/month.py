"""The grid of a month, and the row of bars above the hours of days: occurrences in lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from kalends.webui.feed.occurrence import PageOccurrence, day_number

LANES = 5
"""Lanes of a day in a month; if there are more occurrences, the last lane says how many."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An occurrence in one week.

    Attributes:
        occurrence: the occurrence.
        column: the column of its first day in the week, from 1.
        span: how many days it takes in the week.
        lane: its lane, from 1.
        from_before: whether it began in an earlier week.
        goes_on: whether it lasts into the next week.
    """

    occurrence: PageOccurrence
    column: int
    span: int
    lane: int
    from_before: bool
    goes_on: bool


@dataclass(slots=True)
class Cell:
    """One day of a week.

    Attributes:
        day: the day.
        segments: the occurrences that have their first day of the row here.
        more: how many occurrences have no lane.
        lane: the lane that says so.
    """

    day: date
    segments: list[Segment] = field(default_factory=list)
    more: int = 0
    lane: int = 0


def weeks_of(days: Sequence[date], found: Sequence[PageOccurrence], lanes: int) -> list[list[Cell]]:
    """Lay out days as rows of a week.

    Args:
        days: the days of whole weeks.
        found: the occurrences, in order.
        lanes: the most lanes of a day.
    """
    first = day_number(days[0])
    rows: list[list[PageOccurrence]] = [[] for _ in range(len(days) // 7)]
    for occurrence in found:
        begin, end = occurrence.first - first, occurrence.last_in_grid - first
        if begin == end:
            if 0 <= begin < len(days):
                rows[begin // 7].append(occurrence)
            continue
        for row in range(max(0, begin) // 7, min(end, len(days) - 1) // 7 + 1):
            rows[row].append(occurrence)
    return [row_of(days[7 * n : 7 * n + 7], row, lanes) for n, row in enumerate(rows)]


def row_of(days: Sequence[date], found: Sequence[PageOccurrence], lanes: int) -> list[Cell]:
    """Lay out a row of days; an occurrence has the same lane on all its days.

    Args:
        days: the days.
        found: the occurrences on at least one of the days, in order.
        lanes: the most lanes of a day.
    """
    cells = [Cell(day) for day in days]
    first, last = day_number(days[0]), len(days) - 1
    left = [0] * len(days)
    for occurrence in found:
        begin, end = occurrence.first - first, occurrence.last_in_grid - first
        if begin == end:
            left[begin] += 1
            continue
        for column in range(max(0, begin), min(last, end) + 1):
            left[column] += 1
    # On a day with too many, the last lane is for the number of those that have none.
    room = [lanes if count <= lanes else lanes - 1 for count in left]
    taken: list[set[int]] = [set() for _ in days]
    for occurrence in found:
        begin, end = occurrence.first - first, occurrence.last_in_grid - first
        if begin == end and len(taken[begin]) >= room[begin]:
            continue
        columns = range(max(0, begin), min(last, end) + 1)
        lane = _free_lane(columns, room, taken)
        if lane:
            for column in columns:
                taken[column].add(lane)
                left[column] -= 1
            place = (columns[0] + 1, len(columns), lane, begin < 0, end > last)
            cells[columns[0]].segments.append(Segment(occurrence, *place))
    for cell, more, lines in zip(cells, left, taken, strict=True):
        cell.more = more
        cell.lane = max(lines, default=0) + 1
    return cells


def _free_lane(columns: range, room: Sequence[int], taken: Sequence[set[int]]) -> int | None:
    """Return the first lane that is free on all these days; None if there is none."""
    for column in columns:
        if len(taken[column]) >= room[column]:
            return None
    for lane in range(1, min(room[column] for column in columns) + 1):
        if not any(lane in taken[column] for column in columns):
            return lane
    return None
