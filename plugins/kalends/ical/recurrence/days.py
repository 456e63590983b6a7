"""Day numbers, counted from 1970, and their positions in month, year and week."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime

DAY = 86400
"""The length of a day, seconds."""

MARGIN = 2 * DAY
"""An upper bound for the difference of local time and UTC, seconds.

An offset is less than a day, and so is the change of an offset.
"""

EPOCH = datetime(1970, 1, 1)
"""The moment from which seconds are counted, of UTC or of a local clock."""

EPOCH_DAY = date(1970, 1, 1).toordinal()
"""1970-01-01 as ``date.toordinal`` counts it."""

FIRST_SECOND = (1 - EPOCH_DAY) * DAY
LAST_SECOND = (date.max.toordinal() + 1 - EPOCH_DAY) * DAY - 1
"""The last second of the year 9999; FIRST_SECOND is the first of the year 1."""


def matches_position(wanted: frozenset[int], number: int, length: int) -> bool:
    """Return True if a position is wanted, counted from the beginning or from the end.

    Args:
        wanted: positions; 1 is the first, -1 the last.
        number: the position, counted from 1.
        length: the number of positions.
    """
    return number in wanted or number - length - 1 in wanted


def date_of(day: int) -> date:
    """Return the date of a day."""
    return date.fromordinal(day + EPOCH_DAY)


def position_in_month(day: int) -> tuple[int, int]:
    """Return the day's number in its month, from 1, and the length of the month."""
    found = date_of(day)
    return found.day, monthrange(found.year, found.month)[1]


def position_in_year(day: int) -> tuple[int, int]:
    """Return the day's number in its year, from 1, and the length of the year."""
    year = date_of(day).year
    first = date(year, 1, 1).toordinal() - EPOCH_DAY
    return day - first + 1, 365 + (monthrange(year, 2)[1] == 29)


def week_of_year(day: int, week_start: int) -> tuple[int, int]:
    """Return the number of the day's week, from 1, and the number of weeks of its year.

    A week belongs to the year that has its middle day.

    Args:
        day: the day.
        week_start: the weekday on which weeks begin; 0 is Monday.
    """
    middle = day - ((day + 3) - week_start) % 7 + 3
    number, length = position_in_year(min(max(middle, 1 - EPOCH_DAY), LAST_SECOND // DAY))
    return (number - 1) // 7 + 1, (number - 1) // 7 + 1 + (length - number) // 7
