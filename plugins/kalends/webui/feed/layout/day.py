"""The hours of a day: occurrences that overlap are side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from kalends.ical.recurrence.days import DAY
from kalends.webui.feed.occurrence import PageOccurrence, day_number

MIN_MINUTES = 30
"""The least height of a block, so that there is room for a line."""

_WHOLE = DAY // 60
# The hours between these are always shown.
_MORNING, _EVENING = 8, 18


@dataclass(slots=True)
class DayBlock:
    """An occurrence among the hours of one day.

    Attributes:
        occurrence: the occurrence.
        top: minutes after midnight at which it begins.
        length: its height in minutes.
        column: its position among the blocks that overlap, from 0.
        columns: how many positions there are.
    """

    occurrence: PageOccurrence
    top: int
    length: int
    column: int = 0
    columns: int = 1


@dataclass(slots=True)
class Hours:
    """The hours of one day.

    Attributes:
        day: the day.
        blocks: the occurrences that are shown.
        more: how many there was no room for.
    """

    day: date
    blocks: list[DayBlock] = field(default_factory=list)
    more: int = 0


def hours_of(day: date, found: Iterable[PageOccurrence], places: int) -> Hours:
    """Lay out a day.

    Args:
        day: the day.
        found: the occurrences, in order; bars are passed over.
        places: the most blocks side by side.
    """
    result = Hours(day)
    midnight = day_number(day) * DAY
    blocks = [
        _block(h, midnight)
        for h in found
        if not h.is_bar and h.begin < midnight + DAY and h.finish > midnight
    ]
    blocks.sort(key=lambda block: (block.top, -block.length))
    group: list[DayBlock] = []
    end = 0
    for block in blocks:
        if group and block.top >= end:
            _place(group, places, result)
            group = []
        group.append(block)
        end = max(end, block.top + block.length)
    _place(group, places, result)
    return result


def shown_hours(days: Sequence[Hours]) -> tuple[int, int]:
    """Return the first hour that is shown, and the one after the last."""
    blocks = [block for day in days for block in day.blocks]
    first = min((block.top // 60 for block in blocks), default=_MORNING)
    last = max((-(-(block.top + block.length) // 60) for block in blocks), default=_EVENING)
    return min(first, _MORNING), max(last, _EVENING)


def _block(occurrence: PageOccurrence, midnight: int) -> DayBlock:
    begin = max(0, occurrence.begin - midnight) // 60
    end = -(-min(DAY, occurrence.finish - midnight) // 60)
    top = min(begin, _WHOLE - MIN_MINUTES)
    return DayBlock(occurrence, top, max(end - top, MIN_MINUTES))


def _place(group: Sequence[DayBlock], places: int, result: Hours) -> None:
    """Give each block of a group, each of which overlaps another, the first free column."""
    ends: list[int] = []
    placed: list[DayBlock] = []
    for block in group:
        column = next((n for n, end in enumerate(ends) if end <= block.top), len(ends))
        if column >= places:
            result.more += 1
            continue
        if column == len(ends):
            ends.append(0)
        ends[column] = block.top + block.length
        block.column = column
        placed.append(block)
    for block in placed:
        block.columns = len(ends)
    result.blocks.extend(placed)
