"""VTIMEZONEs generated from IANA's time zones, and comparison of others with them.

RFC 5545 section 3.6.5.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from kalends.common.budget import EXPANSIONS, OBJECT_STEPS, Budget
from kalends.ical.contentlines import Component, Property
from kalends.ical.limits import MAX_NAME
from kalends.ical.recurrence.days import DAY, EPOCH, FIRST_SECOND
from kalends.ical.timezones.offsets import local_seconds
from kalends.ical.timezones.resolve import iana_zone
from kalends.ical.timezones.vtimezone import read_observances

_FIRST_YEAR, _LAST_YEAR = 1970, 2037
"""The years that generated definitions cover; yearly rules continue after them."""

NEVER = "99999999"
"""A day after all others, ``YYYYMMDD``."""

_SURE_BY = local_seconds(datetime(_LAST_YEAR - 5, 1, 1))
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FEWEST_YEARS = 3
"""The number of consecutive yearly changes that are written as a rule."""


class _ZoneOffset(NamedTuple):
    """The offset of a zone's local time from UTC, during one observance."""

    offset: timedelta
    name: str
    is_daylight: bool


class _Change(NamedTuple):
    """A change of a zone's offset."""

    moment: datetime
    before: _ZoneOffset
    after: _ZoneOffset


def iana_definition(tzid: str) -> Component | None:
    """Return a VTIMEZONE for a TZID that an object uses without defining it.

    A feed needs a VTIMEZONE for each TZID (RFC 5545 section 3.2.19).

    Returns:
        the definition, or None if the TZID is unknown.
    """
    return _made(tzid) if len(tzid) <= MAX_NAME else None


@lru_cache(maxsize=512)
def _made(tzid: str) -> Component | None:
    zone = iana_zone(tzid)
    if zone is None:
        return None
    first = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    start = _offset_at(zone, first)
    changes: dict[tuple[_ZoneOffset, _ZoneOffset], list[datetime]] = {}
    for change in _cached_changes(tzid):
        local = (change.moment + change.before.offset).replace(tzinfo=None)
        changes.setdefault((change.before, change.after), []).append(local)
    children = [_observance(start, start, [first.replace(tzinfo=None) + start.offset])]
    for (before, after), moments in changes.items():
        rule, yearly = _yearly_rule(moments)
        if single := moments[: len(moments) - yearly]:
            children.append(_observance(before, after, single))
        if yearly:
            children.append(_observance(before, after, moments[-yearly:], rule))
    return Component("VTIMEZONE", [Property("TZID", "", tzid)], children)


@lru_cache(maxsize=512)
def _cached_changes(tzid: str) -> tuple[_Change, ...]:
    zone = iana_zone(tzid)
    return tuple(_changes(zone)) if zone else ()


def _offset_at(zone: ZoneInfo, moment: datetime) -> _ZoneOffset:
    local = moment.astimezone(zone)
    offset = local.utcoffset()
    assert offset is not None
    return _ZoneOffset(offset, local.tzname() or "", bool(local.dst()))


def _changes(zone: ZoneInfo) -> Iterator[_Change]:
    """Yield the changes of a zone's offset, exact to the second."""
    moment = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)
    last = datetime(_LAST_YEAR, 12, 31, tzinfo=UTC)
    before = _offset_at(zone, moment)
    while moment < last:
        later = moment + timedelta(days=7)
        after = _offset_at(zone, later)
        if after != before:
            early, late = moment, later
            while late - early > timedelta(seconds=1):
                middle = (early + (late - early) / 2).replace(microsecond=0)
                same = _offset_at(zone, middle) == before
                early, late = (middle, late) if same else (early, middle)
            yield _Change(late, before, _offset_at(zone, late))
            before, later = _offset_at(zone, late), late
        moment = later


def _yearly_rule(moments: list[datetime]) -> tuple[str, int]:
    """Return the yearly rule of the last of these local times, and how many follow it.

    The rule is empty if the changes do not continue after the years that are covered.
    """
    if moments[-1].year != _LAST_YEAR:
        return "", 0
    found = max(map(_week_rule, [moments] * 5, range(-1, 4)), key=lambda rule: rule[1])
    return found if found[1] >= _FEWEST_YEARS else ("", 0)


def _week_rule(moments: list[datetime], week: int) -> tuple[str, int]:
    """Return a rule for one week of a month, and how many of the last of these times match it.

    Args:
        moments: local times, ascending.
        week: the week of the month, counted from 0; -1 for its last.
    """
    last = moments[-1]
    length = 0
    for number, moment in enumerate(reversed(moments)):
        is_there = (
            (moment + timedelta(days=7)).month != moment.month
            if week < 0
            else (moment.day - 1) // 7 == week
        )
        alike = moment.year == last.year - number and (
            (moment.month, moment.weekday(), moment.time())
            == (last.month, last.weekday(), last.time())
        )
        if not (is_there and alike):
            break
        length += 1
    nth = -1 if week < 0 else week + 1
    return f"FREQ=YEARLY;BYMONTH={last.month};BYDAY={nth}{_DAYS[last.weekday()]}", length


def _observance(
    before: _ZoneOffset, after: _ZoneOffset, moments: list[datetime], rule: str = ""
) -> Component:
    """Return a STANDARD or DAYLIGHT component (RFC 5545 section 3.6.5).

    Args:
        before: the offset before the changes.
        after: the offset after them.
        moments: the times of the changes, in local time before each.
        rule: the RRULE that generates them, if any.
    """
    properties = [
        Property("DTSTART", "", f"{moments[0]:%Y%m%dT%H%M%S}"),
        Property("TZOFFSETFROM", "", _offset_text(before.offset)),
        Property("TZOFFSETTO", "", _offset_text(after.offset)),
        Property("TZNAME", "", after.name),
    ]
    if rule:
        properties.append(Property("RRULE", "", rule))
    elif moments[1:]:
        # One date in each line, and DTSTART among them: ical.js, and so Thunderbird, reads only the
        # first date of a line and ignores DTSTART beside an RDATE.
        properties += [Property("RDATE", "", f"{moment:%Y%m%dT%H%M%S}") for moment in moments]
    return Component("DAYLIGHT" if after.is_daylight else "STANDARD", properties)


def _offset_text(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{'-' if seconds < 0 else '+'}{hours:02}{rest // 60:02}"
    return text + (f"{rest % 60:02}" if rest % 60 else "")


def equivalent_since(definition: Component, tzid: str) -> str:
    """Return the day from which on a VTIMEZONE is equivalent to IANA's definition of its zone.

    Args:
        definition: the VTIMEZONE.
        tzid: the TZID that means IANA's zone.

    Returns:
        the day, ``YYYYMMDD``; ``NEVER`` if they differ for ever, or if the definition cannot be
        compared because its rules are not yearly.
    """
    own = _onsets(definition)
    zone = iana_zone(tzid)
    if not own or zone is None:
        return NEVER
    first = int(_offset_at(zone, datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC)).offset.total_seconds())
    known = [(0, first)]
    known += [
        (int(c.moment.timestamp()), int(c.after.offset.total_seconds()))
        for c in _cached_changes(tzid)
    ]
    moments = sorted({at for at, _ in own + known if at >= max(own[0][0], 0)}, reverse=True)
    same = list(takewhile(lambda at: _offset_after(own, at) == _offset_after(known, at), moments))
    if not same or same[-1] > _SURE_BY:
        return NEVER  # a single common change at the end may be chance
    # A day later, because callers compare local days of any zone.
    return f"{EPOCH + timedelta(seconds=same[-1] + DAY):%Y%m%d}"


def _offset_after(onsets: list[tuple[int, int]], at: int) -> int:
    return onsets[bisect_right(onsets, at, key=lambda onset: onset[0]) - 1][1]


def _onsets(definition: Component) -> list[tuple[int, int]]:
    """Return the onsets of a VTIMEZONE's observances, ascending.

    Returns:
        pairs of an instant, seconds since 1970, and the new offset, seconds; empty if the
        definition cannot be read or has other than yearly rules.
    """
    end = local_seconds(datetime(_LAST_YEAR, 12, 31))
    budget = Budget(OBJECT_STEPS // EXPANSIONS)
    try:
        observances = read_observances(definition)
    except ValueError:
        return []
    if any(rule.frequency != "YEARLY" for one in observances for rule in one.rules):
        return []
    found = [
        (local - observance.before, observance.after)
        for observance in observances
        for local in observance.onsets(FIRST_SECOND, end, budget)
    ]
    return [] if budget.is_spent else sorted(found)
