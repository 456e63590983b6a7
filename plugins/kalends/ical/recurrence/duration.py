"""Duration of a component's occurrences: the table of RFC 4791 section 9.9."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kalends.ical.contentlines import Component, Property
from kalends.ical.periods import read_periods
from kalends.ical.recurrence.days import DAY
from kalends.ical.timezones.offsets import ZoneRules, local_seconds
from kalends.ical.values import TimeValue, read_duration, read_time

FOREVER = 2**60
"""Stands for infinity where a time range has no bound, seconds since 1970."""


class Occurrence(NamedTuple):
    """The time of one occurrence; it matches the range [S, E) if start < E and end > S.

    Attributes:
        start: seconds since 1970.
        end: seconds since 1970, exclusive.
        floating: whether the seconds are local (floating times and days), not UTC.
    """

    start: int
    end: int
    floating: bool


ALWAYS = Occurrence(-FOREVER, FOREVER, floating=False)


class OccurrenceDuration(NamedTuple):
    """The extent of an occurrence relative to its start (the table of RFC 4791 section 9.9).

    The interval that matches a time range may differ from the occurrence by some seconds.

    Attributes:
        days: the whole days of the duration, in local time.
        seconds: the rest of the duration, added after the days.
        lead: the interval begins at least this many seconds before the occurrence's end.
        tail: the interval ends this many seconds after the occurrence's end.
        least: the interval ends at least this many seconds after the occurrence's start.
    """

    days: int = 0
    seconds: int = 0
    lead: int = 0
    tail: int = 0
    least: int = 0

    def occurrence_at(self, zone_rules: ZoneRules, local: int, begin: int) -> Occurrence:
        """Return the occurrence at ``local``, which ``zone_rules`` convert to ``begin``."""
        end = begin
        if self.days:
            end = zone_rules.to_instant(local + self.days * DAY)
        end += self.seconds
        start = min(begin, end - self.lead)
        return Occurrence(start, max(end + self.tail, begin + self.least), zone_rules.zone is None)

    @property
    def is_seconds_only(self) -> bool:
        """True if the duration is a number of seconds and nothing else, as most are."""
        return self.seconds > 0 and not (self.days or self.lead or self.tail or self.least)

    @property
    def length(self) -> int:
        """The duration, seconds; at a change of the offset it is off by that change."""
        return self.days * DAY + self.seconds


def duration_of(
    component: Component, begin: Property, start: TimeValue, vtimezones: Mapping[str, str]
) -> OccurrenceDuration:
    """Return the duration of a component with a start, by its row of the table.

    Args:
        component: an event, task or journal.
        begin: its DTSTART, or the DUE of a task without DTSTART.
        start: the time of that property.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.

    Raises:
        ObjectRefusedError: the component's end or duration is invalid.
    """
    if component.name == "VJOURNAL":
        return OccurrenceDuration(days=1) if start.is_day else OccurrenceDuration(tail=1)
    is_task = component.name == "VTODO"
    finish = component.first("DUE" if is_task else "DTEND")
    if finish is begin:
        return OccurrenceDuration(lead=1)
    if finish:
        days, seconds = _between(start, read_time(finish, vtimezones))
        if is_task:
            return OccurrenceDuration(days, seconds, lead=1, least=1)
        return OccurrenceDuration(max(0, days), max(0, seconds))
    if length := component.first("DURATION"):
        return _of_length(component, *_days_and_seconds(length))
    is_whole_day = start.is_day and not is_task
    return OccurrenceDuration(days=1) if is_whole_day else OccurrenceDuration(tail=1)


def period_duration(
    component: Component, text: str, prop: Property, start: TimeValue, vtimezones: Mapping[str, str]
) -> OccurrenceDuration | None:
    """Return the duration of an RDATE that is a PERIOD (RFC 5545 section 3.3.9).

    Args:
        component: the component with the RDATE.
        text: one value of ``prop``.
        prop: the RDATE.
        start: the time at which the period begins.
        vtimezones: the object's VTIMEZONEs by TZID.

    Returns:
        the duration; None if the value is a time and not a period.

    Raises:
        ObjectRefusedError: the period's end or duration is invalid.
    """
    rest = text.partition("/")[2].strip()
    if not rest or component.name == "VJOURNAL":
        return None
    value = Property(prop.name, prop.raw_params, rest, prop.line)
    if rest.upper().startswith("P"):
        return _of_length(component, *_days_and_seconds(value))
    days, seconds = _between(start, read_time(value, vtimezones))
    return _of_length(component, max(0, days), max(0, seconds))


def undated_occurrences(component: Component, vtimezones: Mapping[str, str]) -> list[Occurrence]:
    """Return the occurrences of a component that has no first one from which others follow.

    Args:
        component: an event, task or journal without DTSTART and DUE, or one of another type.
        vtimezones: the object's VTIMEZONEs by TZID.

    Raises:
        ObjectRefusedError: a time of the component is invalid.
    """
    if component.name in ("VEVENT", "VJOURNAL"):
        return []
    if component.name == "VFREEBUSY":
        return _free_busy_occurrences(component, vtimezones)
    if component.name != "VTODO":
        return [ALWAYS]
    completed = component.first("COMPLETED")
    created = component.first("CREATED")
    moments = [read_time(prop, vtimezones) for prop in (completed, created) if prop]
    if not moments:
        return [ALWAYS]
    floating = not any(moment.is_instant for moment in moments)
    starts = [local_seconds(m.local) if floating else m.earliest for m in moments]
    ends = [local_seconds(m.local) if floating else m.latest for m in moments]
    if completed is None:
        return [Occurrence(min(starts), FOREVER, floating)]
    return [Occurrence(min(starts) - 1, max(ends) + 1, floating)]


def _free_busy_occurrences(component: Component, vtimezones: Mapping[str, str]) -> list[Occurrence]:
    """Return the time of a VFREEBUSY: from DTSTART to DTEND, otherwise that of its periods."""
    begin, end = component.first("DTSTART"), component.first("DTEND")
    if begin and end:
        start, finish = read_time(begin, vtimezones), read_time(end, vtimezones)
        return [Occurrence(start.earliest, finish.latest + 1, floating=False)]
    return [
        Occurrence(*period, floating=False)
        for prop in component.all("FREEBUSY")
        for period in read_periods(prop)
    ]


def _of_length(component: Component, days: int, seconds: int) -> OccurrenceDuration:
    if component.name == "VTODO":
        return OccurrenceDuration(days, seconds, lead=1, tail=1)
    return OccurrenceDuration(days, seconds) if days or seconds else OccurrenceDuration(tail=1)


def _between(start: TimeValue, end: TimeValue) -> tuple[int, int]:
    """Return the difference of two times: days between DATEs, seconds otherwise."""
    if start.is_day and end.is_day:
        return (end.local - start.local).days, 0
    if start.is_instant and end.is_instant:
        return 0, end.earliest - start.earliest
    return 0, local_seconds(end.local) - local_seconds(start.local)


def _days_and_seconds(prop: Property) -> tuple[int, int]:
    """Return a DURATION as days, whose length depends on the time zone, and seconds."""
    total = int(read_duration(prop).total_seconds())
    if total <= 0:
        return 0, 0
    found = re.findall(r"(\d++)([WD])", prop.value.upper())
    days = sum(int(number) * (7 if unit == "W" else 1) for number, unit in found)
    return days, total - days * DAY
