"""From when to when a component happens each time: the table of RFC 4791 section 9.9."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import DAY
from kalends.ical.timezones.offsets import ZoneRules, local_seconds
from kalends.ical.values import TimeValue, read_duration, read_time

FOREVER = 2**60
"""Seconds; the bound of what has none, on either side."""


class Occurrence(NamedTuple):
    """When something happens: it matches a range from S to before E iff start < E and end > S.

    Attributes:
        start: seconds since 1970.
        end: seconds since 1970, exclusive.
        floating: whether these are of a clock without a zone (local times and days), not UTC.
    """

    start: int
    end: int
    floating: bool


ALWAYS = Occurrence(-FOREVER, FOREVER, floating=False)


class OccurrenceDuration(NamedTuple):
    """How an occurrence lies around its beginning (the table of RFC 4791 section 9.9).

    Attributes:
        days: its length in days of its clock, and after these
        seconds: its length in seconds.
        lead: its interval begins no later than so many seconds before its end.
        tail: its interval ends so many seconds after its end.
        least: its interval ends no earlier than so many seconds after its beginning.
    """

    days: int = 0
    seconds: int = 0
    lead: int = 0
    tail: int = 0
    least: int = 0

    def occurrence_at(self, zone_rules: ZoneRules, local: int, begin: int) -> Occurrence:
        """Return the occurrence at ``local``, which is ``begin`` in UTC by ``clock``."""
        end = begin
        if self.days:
            end = zone_rules.to_instant(local + self.days * DAY)
        end += self.seconds
        start = min(begin, end - self.lead)
        return Occurrence(start, max(end + self.tail, begin + self.least), zone_rules.zone is None)

    @property
    def is_seconds_only(self) -> bool:
        """Whether it is what most are: nothing but some seconds long."""
        return self.seconds > 0 and not (self.days or self.lead or self.tail or self.least)

    @property
    def length(self) -> int:
        """Its length, seconds; a day more or less where clocks change."""
        return self.days * DAY + self.seconds


def duration_of(
    component: Component, begin: Property, start: TimeValue, vtimezones: Mapping[str, str]
) -> OccurrenceDuration:
    """The row of the table that a component with a beginning has.

    Args:
        begin: the property that it begins with.
        start: the time of that property.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.

    Raises:
        ObjectRefusedError: its end or its duration cannot be read.
    """
    if component.name == "VJOURNAL":
        return OccurrenceDuration(days=1) if start.is_day else OccurrenceDuration(tail=1)
    task = component.name == "VTODO"
    finish = component.first("DUE" if task else "DTEND")
    if finish is begin:
        return OccurrenceDuration(lead=1)
    if finish:
        days, seconds = _between(start, read_time(finish, vtimezones))
        if task:
            return OccurrenceDuration(days, seconds, lead=1, least=1)
        return OccurrenceDuration(max(0, days), max(0, seconds))
    if length := component.first("DURATION"):
        return _lasting(component, *_length(length))
    return OccurrenceDuration(days=1) if start.is_day and not task else OccurrenceDuration(tail=1)


def period_duration(
    component: Component, text: str, prop: Property, start: TimeValue, vtimezones: Mapping[str, str]
) -> OccurrenceDuration | None:
    """The length of an RDATE that has its own: of a PERIOD (RFC 5545 section 3.3.9).

    Args:
        text: the one value of ``prop`` that it is about.
        start: when that begins.
        vtimezones: the object's VTIMEZONEs by TZID.

    Returns:
        None if it is a time alone.

    Raises:
        ObjectRefusedError: its end or its duration cannot be read.
    """
    rest = text.partition("/")[2].strip()
    if not rest or component.name == "VJOURNAL":
        return None
    value = Property(prop.name, prop.raw_params, rest, prop.line)
    if rest.upper().startswith("P"):
        return _lasting(component, *_length(value))
    days, seconds = _between(start, read_time(value, vtimezones))
    return _lasting(component, max(0, days), max(0, seconds))


def undated_occurrences(component: Component, vtimezones: Mapping[str, str]) -> list[Occurrence]:
    """When a component happens that has neither DTSTART nor DUE.

    Raises:
        ObjectRefusedError: a time in it cannot be read.
    """
    if component.name in ("VEVENT", "VJOURNAL"):
        return []
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


def _lasting(component: Component, days: int, seconds: int) -> OccurrenceDuration:
    if component.name == "VTODO":
        return OccurrenceDuration(days, seconds, lead=1, tail=1)
    return OccurrenceDuration(days, seconds) if days or seconds else OccurrenceDuration(tail=1)


def _between(start: TimeValue, end: TimeValue) -> tuple[int, int]:
    """From one to the other: days between days, else seconds; these are exact between zones."""
    if start.is_day and end.is_day:
        return (end.local - start.local).days, 0
    if start.is_instant and end.is_instant:
        return 0, end.earliest - start.earliest
    return 0, local_seconds(end.local) - local_seconds(start.local)


def _length(prop: Property) -> tuple[int, int]:
    """A DURATION as days, which a change of the clock makes longer or shorter, and seconds."""
    total = int(read_duration(prop).total_seconds())
    if total <= 0:
        return 0, 0
    found = re.findall(r"(\d+)([WD])", prop.value.upper())
    days = sum(int(number) * (7 if unit == "W" else 1) for number, unit in found)
    return days, total - days * DAY
