"""The time zone of a feed's page, and times as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from kalends.ical.timezones.resolve import iana_zone, timezone_from_calendar
from kalends.store.feed_queries import CalendarState

_TIMEZONE = "C:calendar-timezone"


class DisplayZone(NamedTuple):
    """The time zone in which a page shows times.

    Attributes:
        zone: the time zone.
        name: its name for people.
        is_chosen: whether the feed or its reader names it; if not, the reader's own is better.
    """

    zone: tzinfo
    name: str
    is_chosen: bool


def feed_zone(calendars: Iterable[CalendarState], named: str) -> DisplayZone:
    """Return the time zone that a feed's definition names, else that of most calendars, or UTC.

    Args:
        calendars: the calendars of the feed.
        named: the zone that the definition names, or empty.
    """
    zone = iana_zone(named) if named else None
    if zone:
        return DisplayZone(zone, zone.key, is_chosen=True)
    texts = Counter(c.props[_TIMEZONE] for c in calendars if c.props.get(_TIMEZONE))
    for text, _ in texts.most_common():
        name = next(
            (line[5:].strip() for line in text.splitlines() if line.upper().startswith("TZID:")), ""
        )
        zone = iana_zone(name)
        if zone:
            return DisplayZone(zone, zone.key, is_chosen=True)
        defined = timezone_from_calendar(text)
        if defined:
            # A feed never contains the name that somebody gave to their own zone.
            return DisplayZone(defined, "the calendar’s own zone", is_chosen=True)
    return DisplayZone(UTC, "UTC", is_chosen=False)


def offset_text(zone: tzinfo, moment: datetime) -> str:
    """Return the offset of a zone from UTC, as in ``UTC+1`` or ``UTC−3:30``."""
    offset = moment.replace(tzinfo=zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def hour_text(moment: datetime) -> str:
    """Return a time as in ``09:05``."""
    return f"{moment:%H:%M}"
