"""Busy times of calendar objects as a VFREEBUSY (RFC 4791 section 7.10, RFC 5545 section 3.6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import tzinfo
from hashlib import sha256
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.periods import read_periods
from kalends.ical.recurrence.cost import DATE_STEPS
from kalends.ical.recurrence.instances import instances_between
from kalends.ical.retrieval.expand import moment_text
from kalends.ical.timezones.resolve import vtimezones_of

_KINDS = ("BUSY", "BUSY-TENTATIVE", "BUSY-UNAVAILABLE")

PRODID = "-//Kalends//Free-busy//EN"
"""The PRODID of each answer."""


class BusyPeriod(NamedTuple):
    """A period in which somebody is not free.

    Attributes:
        kind: the FBTYPE, such as ``BUSY`` or ``BUSY-TENTATIVE``.
        start: seconds since 1970, UTC.
        end: the same, exclusive.
    """

    kind: str
    start: int
    end: int


def busy_periods(
    data: bytes,
    start: int,
    end: int,
    zone: tzinfo,
    budget: Budget,
    count: Callable[[], None],
) -> Iterator[BusyPeriod]:
    """Yield the busy times of an object in a time range, cut off at its ends.

    They are those of its events, and the periods of a VFREEBUSY. An object that cannot be read has
    none.

    Args:
        data: the octets of the object.
        start: seconds since 1970, UTC.
        end: the same, exclusive.
        zone: the time zone for floating times and days.
        budget: the limit of the work.
        count: called for each instance, to refuse too many.

    Raises:
        BudgetSpentError: there are more instances than the budget allows to find.
    """
    try:
        (calendar,) = contentlines.parse(data.decode("utf-8"))
        vtimezones = vtimezones_of(calendar)
        events = [part for part in calendar.children if part.name == "VEVENT"]
        kinds: dict[int, str | None] = {}  # a component may have thousands of instances and lines
        for instance in instances_between(events, vtimezones, start, end, zone, budget):
            count()
            component = instance.component
            if id(component) not in kinds:
                kinds[id(component)] = _kind(component)
            if kind := kinds[id(component)]:
                times = instance.begin.to_instant(zone), instance.finish.to_instant(zone)
                yield from _cut_off(BusyPeriod(kind, *times), start, end)
        for part in calendar.children:
            for prop in part.all("FREEBUSY") if part.name == "VFREEBUSY" else ():
                budget.draw(DATE_STEPS * (1 + prop.value.count(",")))
                for period in _stated_periods(prop):
                    yield from _cut_off(period, start, end)
    except (IcalendarSyntaxError, ObjectRefusedError, ValueError):
        return


def merge_periods(periods: Iterable[BusyPeriod]) -> list[BusyPeriod]:
    """Return periods in their order, those of a kind that overlap or touch as one."""
    merged: list[BusyPeriod] = []
    for period in sorted(periods):
        last = merged[-1] if merged else None
        if last and last.kind == period.kind and period.start <= last.end:
            merged[-1] = last._replace(end=max(last.end, period.end))
        else:
            merged.append(period)
    return sorted(merged, key=lambda period: (period.start, period.end, period.kind))


def free_busy_calendar(
    periods: Iterable[BusyPeriod], start: int, end: int, path: str, changed: int
) -> bytes:
    """Return a VCALENDAR with one VFREEBUSY.

    Its octets follow from the calendar and the range alone, so that its entity tag does too.

    Args:
        periods: the merged periods.
        start: the beginning of the range, seconds since 1970, UTC.
        end: the same of its end.
        path: the path of the calendar.
        changed: when the calendar changed last, seconds since 1970.
    """
    uid = sha256(f"{path} {start} {end}".encode()).hexdigest()[:32]
    properties = [
        Property("UID", "", uid),
        Property("DTSTAMP", "", moment_text(changed)),
        Property("DTSTART", "", moment_text(start)),
        Property("DTEND", "", moment_text(end)),
        *(
            Property("FREEBUSY", f";FBTYPE={kind}", f"{moment_text(begin)}/{moment_text(finish)}")
            for kind, begin, finish in periods
        ),
    ]
    head = [Property("VERSION", "", "2.0"), Property("PRODID", "", PRODID)]
    answer = Component("VCALENDAR", head, [Component("VFREEBUSY", properties)])
    return contentlines.serialize([answer])


def _cut_off(period: BusyPeriod, start: int, end: int) -> Iterator[BusyPeriod]:
    begin, finish = max(start, period.start), min(end, period.end)
    if begin < finish:
        yield period._replace(start=begin, end=finish)


def _stated_periods(prop: Property) -> Iterator[BusyPeriod]:
    """Yield the periods of a FREEBUSY; an FBTYPE that is not known is BUSY (RFC 5545 3.2.9)."""
    kind = (prop.param("FBTYPE") or "BUSY").upper()
    if kind != "FREE":
        stated = kind if kind in _KINDS else "BUSY"
        yield from (BusyPeriod(stated, *times) for times in read_periods(prop))


def _kind(event: Component) -> str | None:
    """Return the FBTYPE of an event; None if its time is free (RFC 4791 section 7.10)."""
    if (event.value("TRANSP").strip() or "OPAQUE").upper() == "TRANSPARENT":
        return None
    status = event.value("STATUS").strip().upper()
    return {"CANCELLED": None, "TENTATIVE": "BUSY-TENTATIVE"}.get(status, "BUSY")
