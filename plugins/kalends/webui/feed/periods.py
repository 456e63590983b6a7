"""Which days a view shows, what it is called, and what comes before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from kalends.webui.feed.url_params import is_shown

AGENDA_DAYS = 30

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """What one page shows.

    Attributes:
        first: the first day.
        until: the day after the last.
        title: what it is called.
        before: a day of the period before, or None where no more is shown.
        after: a day of the period after, or None.
    """

    first: date
    until: date
    title: str
    before: date | None
    after: date | None

    @property
    def days(self) -> list[date]:
        """All its days."""
        return [self.first + n * ONE_DAY for n in range((self.until - self.first).days)]


def period_of(view: str, day: date, week_begins: int) -> Period:
    """The period of a view that holds a day.

    Args:
        view: one of ``query.VIEWS``.
        week_begins: 0 for Monday to 6 for Sunday.
    """
    if view == "month":
        return _month(day, week_begins)
    if view == "day":
        return _made(day, day + ONE_DAY, f"{WEEKDAYS[day.weekday()]}, {long_day(day)}", ONE_DAY)
    if view == "week":
        first = _week(day, week_begins)
        return _made(
            first, first + 7 * ONE_DAY, span_title(first, first + 6 * ONE_DAY), 7 * ONE_DAY
        )
    step = AGENDA_DAYS * ONE_DAY
    return _made(day, day + step, span_title(day, day + step - ONE_DAY), step)


def _month(day: date, week_begins: int) -> Period:
    first = day.replace(day=1)
    after = (first + 31 * ONE_DAY).replace(day=1)
    before = (first - ONE_DAY).replace(day=1)
    until = _week(after - ONE_DAY, week_begins) + 7 * ONE_DAY
    title = f"{MONTHS[first.month - 1]} {first.year}"
    return Period(_week(first, week_begins), until, title, _shown(before), _shown(after))


def _made(first: date, until: date, title: str, step: timedelta) -> Period:
    return Period(first, until, title, _shown(first - step), _shown(first + step))


def _week(day: date, week_begins: int) -> date:
    return day - ((day.weekday() - week_begins) % 7) * ONE_DAY


def _shown(day: date) -> date | None:
    return day if is_shown(day) else None


def long_day(day: date) -> str:
    """As in ``26 November 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def span_title(first: date, last: date) -> str:
    """As in ``30 November – 6 December 2026``, without repeating what both have."""
    if first.year != last.year:
        return f"{long_day(first)} – {long_day(last)}"
    if first.month != last.month:
        return f"{first.day} {MONTHS[first.month - 1]} – {long_day(last)}"
    return f"{first.day} – {long_day(last)}" if first != last else long_day(first)
