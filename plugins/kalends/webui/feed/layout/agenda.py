"""A list of occurrences day by day, in pages of limited length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from kalends.webui.feed.occurrence import PageOccurrence, day_number

MAX_LINES = 200
"""The most lines of one page."""


@dataclass(slots=True)
class AgendaDay:
    """One day that has occurrences."""

    day: date
    found: list[PageOccurrence] = field(default_factory=list)


@dataclass(slots=True)
class Agenda:
    """A list of days.

    Attributes:
        days: the days that have occurrences.
        rest: where the list continues: a day, and how many of its occurrences were listed; None at
            the end.
    """

    days: list[AgendaDay] = field(default_factory=list)
    rest: tuple[date, int] | None = None


def agenda_of(
    first: date, until: date, found: Sequence[PageOccurrence], skip: int, most: int = MAX_LINES
) -> Agenda:
    """List the occurrences from ``first`` to before ``until``.

    Args:
        first: the first day.
        until: the day after the last.
        found: the occurrences, in order.
        skip: how many of the first day the page before has listed.
        most: the most lines of one page.
    """
    result = Agenda()
    lines = 0
    for day, here in _by_day(first, until, found):
        before = skip if day == first else 0
        listed = here[before : before + most - lines]
        if listed:
            result.days.append(AgendaDay(day, listed))
        lines += len(listed)
        if before + len(listed) < len(here):
            result.rest = (day, before + len(listed))
            break
    return result


def _by_day(
    first: date, until: date, found: Sequence[PageOccurrence]
) -> Iterator[tuple[date, list[PageOccurrence]]]:
    """Yield each day that has occurrences, with them; one that lasts for days is on each."""
    days: dict[int, list[PageOccurrence]] = {}
    for occurrence in found:
        begin = max(occurrence.first, day_number(first))
        for day in range(begin, min(occurrence.last + 1, day_number(until))):
            days.setdefault(day, []).append(occurrence)
    for day in sorted(days):
        number = timedelta(days=day - day_number(first))
        yield first + number, sorted(days[day], key=lambda occurrence: not occurrence.is_bar)
