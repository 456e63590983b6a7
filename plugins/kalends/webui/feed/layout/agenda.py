"""What happens day by day, in a list that has an end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from kalends.webui.feed.occurrence import PageOccurrence, day_number

MOST = 200
"""Lines of one page."""


@dataclass(slots=True)
class AgendaDay:
    """One day that has something."""

    day: date
    found: list[PageOccurrence] = field(default_factory=list)


@dataclass(slots=True)
class Agenda:
    """A list of days.

    Attributes:
        rest: where the list goes on: a day, and how many of it were listed; None at its end.
    """

    days: list[AgendaDay] = field(default_factory=list)
    rest: tuple[date, int] | None = None


def agenda_of(
    first: date, until: date, found: Sequence[PageOccurrence], skip: int, most: int = MOST
) -> Agenda:
    """List what happens from ``first`` to before ``until``.

    Args:
        found: in order.
        skip: of the first day, how many the page before has listed.
        most: lines of one page.
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
    """What happens on each day that has something; what lasts into another on both."""
    days: dict[int, list[PageOccurrence]] = {}
    for happening in found:
        begin = max(happening.first, day_number(first))
        for day in range(begin, min(happening.last + 1, day_number(until))):
            days.setdefault(day, []).append(happening)
    for day in sorted(days):
        number = timedelta(days=day - day_number(first))
        yield first + number, sorted(days[day], key=lambda happening: not happening.is_bar)
