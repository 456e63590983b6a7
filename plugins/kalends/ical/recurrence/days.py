"""Days counted from 1970, and where each lies in its month, year and week."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, datetime

DAY = 86400
"""Seconds."""

MARGIN = 2 * DAY
"""Local seconds and UTC are less than a day apart, and a change of a clock is less than another."""

EPOCH = datetime(1970, 1, 1)
"""The moment from which seconds are counted, of UTC or of a local clock."""

EPOCH_DAY = date(1970, 1, 1).toordinal()
"""The day from which days are counted, as ``date.toordinal`` counts it."""

FIRST_SECOND = (1 - EPOCH_DAY) * DAY
LAST_SECOND = (date.max.toordinal() + 1 - EPOCH_DAY) * DAY - 1
"""The last second of the year 9999, as FIRST_SECOND is the first of the year 1."""


def matches_position(wanted: frozenset[int], number: int, length: int) -> bool:
    """Whether a place counted from 1 is wanted, be it as counted from the end."""
    return number in wanted or number - length - 1 in wanted


def date_of(day: int) -> date:
    """The date of a day."""
    return date.fromordinal(day + EPOCH_DAY)


def position_in_month(day: int) -> tuple[int, int]:
    """The day's number in its month, from 1, and how many there are."""
    found = date_of(day)
    return found.day, monthrange(found.year, found.month)[1]


def position_in_year(day: int) -> tuple[int, int]:
    """The day's number in its year, from 1, and how many there are."""
    year = date_of(day).year
    first = date(year, 1, 1).toordinal() - EPOCH_DAY
    return day - first + 1, 365 + (monthrange(year, 2)[1] == 29)


def week_of_year(day: int, week_start: int) -> tuple[int, int]:
    """The week's number and how many its year has: a week is of the year that has its middle."""
    middle = day - ((day + 3) - week_start) % 7 + 3
    number, length = position_in_year(min(max(middle, 1 - EPOCH_DAY), LAST_SECOND // DAY))
    return (number - 1) // 7 + 1, (number - 1) // 7 + 1 + (length - number) // 7
