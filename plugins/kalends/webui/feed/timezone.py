"""The time zone that a feed's page is in, and times as a person reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from kalends.ical.timezones.resolve import iana_zone, timezone_from_calendar
from kalends.store.feed_queries import CalendarState

_TIMEZONE = "C:calendar-timezone"


class DisplayZone(NamedTuple):
    """What a page reads times by.

    Attributes:
        zone: the time zone.
        name: what it is called.
        is_own: whether the feed, or its reader, has said so; if not, the reader's own is better.
    """

    zone: tzinfo
    name: str
    is_own: bool


def clock_of(calendars: Iterable[CalendarState], named: str) -> DisplayZone:
    """The clock of a feed: what its definition says, else what most of its calendars have, or UTC.

    Args:
        calendars: those of the feed.
        named: the zone that the definition names, or empty.
    """
    zone = iana_zone(named) if named else None
    if zone:
        return DisplayZone(zone, zone.key, is_own=True)
    texts = Counter(c.props[_TIMEZONE] for c in calendars if c.props.get(_TIMEZONE))
    for text, _ in texts.most_common():
        name = next(
            (line[5:].strip() for line in text.splitlines() if line.upper().startswith("TZID:")), ""
        )
        known = iana_zone(name)
        if known:
            return DisplayZone(known, known.key, is_own=True)
        defined = timezone_from_calendar(text)
        if defined:
            # What somebody calls a zone of their own is in no feed.
            return DisplayZone(defined, "the calendar’s own zone", is_own=True)
    return DisplayZone(UTC, "UTC", is_own=False)


def offset_text(zone: tzinfo, moment: datetime) -> str:
    """How far a zone is from UTC, as in ``UTC+1`` or ``UTC−3:30``."""
    offset = moment.replace(tzinfo=zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '−'}{hours}" + (f":{rest:02}" if rest else "")


def hour_text(moment: datetime) -> str:
    """As in ``09:05``."""
    return f"{moment:%H:%M}"
