"""The grid of a month, and the row of what lasts for days above the hours: bars in lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from kalends.feedpage.happening import Happening

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

    what: Happening
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


def weeks_of(days: Sequence[date], found: Sequence[Happening], lanes: int) -> list[list[Cell]]:
    """Days as rows of a week.

    Args:
        days: whole rows of them.
        found: what happens, in order.
        lanes: lines of a day.
    """
    return [row_of(days[n : n + 7], found, lanes) for n in range(0, len(days), 7)]


def row_of(days: Sequence[date], found: Sequence[Happening], lanes: int) -> list[Cell]:
    """A row of days: what lasts longest gets its line first, and keeps it for the row."""
    cells = [Cell(day) for day in days]
    first, last = days[0], days[-1]
    present = [h for h in found if _begins(h) <= last and _ends(h) >= first]
    present.sort(key=lambda h: (max(_begins(h), first), not h.is_bar))
    counts = [0] * len(days)
    for happening in present:
        for column in _columns(happening, first, len(days)):
            counts[column] += 1
    taken: list[set[int]] = [set() for _ in days]
    left = list(counts)
    for happening in present:
        columns = _columns(happening, first, len(days))
        # Whoever is alone with the last line has it; otherwise that line is kept for the number.
        lane = next(
            (
                lane
                for lane in range(1, lanes + 1)
                if all(
                    lane not in taken[c] and (lane < lanes or counts[c] <= lanes) for c in columns
                )
            ),
            None,
        )
        if lane is None:
            continue
        for column in columns:
            taken[column].add(lane)
            left[column] -= 1
        cells[columns[0]].segments.append(
            Segment(
                happening,
                columns[0] + 1,
                len(columns),
                lane,
                goes_on=_begins(happening) < first,
                goes_further=_ends(happening) > last,
            )
        )
    for cell, more, lines in zip(cells, left, taken, strict=True):
        cell.more = more
        cell.lane = max(lines, default=0) + 1
    return cells


def _begins(happening: Happening) -> date:
    return happening.first_day


def _ends(happening: Happening) -> date:
    """The last day in a grid: what goes beyond midnight by some hours stays on its day."""
    return happening.last_day if happening.is_bar else happening.first_day


def _columns(happening: Happening, first: date, count: int) -> range:
    start = max(0, (_begins(happening) - first) // timedelta(days=1))
    end = min(count - 1, (_ends(happening) - first) // timedelta(days=1))
    return range(start, end + 1)
