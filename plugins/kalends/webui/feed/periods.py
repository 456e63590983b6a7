"""The period of a view: its days, its title, and the periods before and after."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from kalends.webui.feed.url_params import is_supported

AGENDA_DAYS = 30

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """The days that one page shows.

    Attributes:
        first: the first day.
        until: the day after the last.
        title: its name, as in ``March 2026``.
        before: a day of the period before, or None if that cannot be shown.
        after: a day of the period after, or None.
    """

    first: date
    until: date
    title: str
    before: date | None
    after: date | None

    @property
    def days(self) -> list[date]:
        """All days of the period."""
        return [self.first + n * ONE_DAY for n in range((self.until - self.first).days)]


def period_of(view: str, day: date, week_begins: int) -> Period:
    """Return the period of a view that contains a day.

    Args:
        view: one of ``url_params.VIEWS``.
        day: the day.
        week_begins: 0 for Monday to 6 for Sunday.
    """
    if view == "month":
        return _month(day, week_begins)
    if view == "day":
        return _period(day, day + ONE_DAY, f"{WEEKDAYS[day.weekday()]}, {long_day(day)}", ONE_DAY)
    if view == "week":
        first = _week_start(day, week_begins)
        return _period(
            first, first + 7 * ONE_DAY, span_title(first, first + 6 * ONE_DAY), 7 * ONE_DAY
        )
    step = AGENDA_DAYS * ONE_DAY
    return _period(day, day + step, span_title(day, day + step - ONE_DAY), step)


def _month(day: date, week_begins: int) -> Period:
    first = day.replace(day=1)
    after = (first + 31 * ONE_DAY).replace(day=1)
    before = (first - ONE_DAY).replace(day=1)
    until = _week_start(after - ONE_DAY, week_begins) + 7 * ONE_DAY
    title = f"{MONTHS[first.month - 1]} {first.year}"
    return Period(
        _week_start(first, week_begins), until, title, _if_supported(before), _if_supported(after)
    )


def _period(first: date, until: date, title: str, step: timedelta) -> Period:
    return Period(first, until, title, _if_supported(first - step), _if_supported(first + step))


def _week_start(day: date, week_begins: int) -> date:
    return day - ((day.weekday() - week_begins) % 7) * ONE_DAY


def _if_supported(day: date) -> date | None:
    return day if is_supported(day) else None


def long_day(day: date) -> str:
    """Return a day as in ``26 November 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def span_title(first: date, last: date) -> str:
    """Return two days as in ``30 November – 6 December 2026``, without repeating month or year."""
    if first.year != last.year:
        return f"{long_day(first)} – {long_day(last)}"
    if first.month != last.month:
        return f"{first.day} {MONTHS[first.month - 1]} – {long_day(last)}"
    return f"{first.day} – {long_day(last)}" if first != last else long_day(first)
