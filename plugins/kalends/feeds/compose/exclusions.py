"""What a series leaves out where an override of it is hidden."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import EPOCH
from kalends.ical.recurrence.expand import Budget, RuleIterator
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.timezones.offsets import local_seconds
from kalends.ical.values import TimeValue, read_time, read_times

_SECOND = timedelta(seconds=1)


def exclude_override(
    master: Component, hidden: Property, own: Mapping[str, str]
) -> Component | None:
    """A master without what a hidden override replaces; None if nothing remains of it.

    The gap tells a time alone: nothing of the override's own text is in it.

    Args:
        hidden: the override's RECURRENCE-ID.
        own: the object's time zones, as ``resolve.vtimezones_of`` returns them.

    Raises:
        ObjectRefusedError: a time in it cannot be read.
    """
    begin = master.first("DTSTART")
    if begin is None:
        return master
    start, moment = read_time(begin, own), read_time(hidden, own)
    if (hidden.param("RANGE") or "").upper() != "THISANDFUTURE":
        gap = Property("EXDATE", *_like(begin, start, hidden, moment))
        return Component(master.name, [*master.properties, gap], master.children, master.line)
    if _is_before(moment, start) or moment.local == start.local:
        return None
    kept = [_ended(prop, start, moment, own) for prop in master.properties]
    properties = [prop for prop in kept if prop is not None]
    return Component(master.name, properties, master.children, master.line)


def _like(
    begin: Property, start: TimeValue, hidden: Property, moment: TimeValue
) -> tuple[str, str]:
    """Parameters and value of a time of a series, written as its DTSTART is."""
    if moment.is_day:
        return ";VALUE=DATE", f"{moment.local:%Y%m%d}"
    tzid = begin.param("TZID")
    if _is_placed(moment) and _is_placed(start) and (not tzid or hidden.param("TZID") != tzid):
        return "", _utc(moment)
    mark = "Z" if begin.value.strip().upper().endswith("Z") else ""
    return (f';TZID="{tzid}"' if tzid else ""), f"{moment.local:%Y%m%dT%H%M%S}{mark}"


def _ended(
    prop: Property, start: TimeValue, moment: TimeValue, own: Mapping[str, str]
) -> Property | None:
    """A property of a master of which nothing happens from ``moment`` on."""
    if prop.name == "RDATE":
        moments = read_times(prop, own)
        texts = zip(prop.value.split(","), moments, strict=True)
        value = ",".join(text for text, date in texts if _is_before(date, moment))
        return Property(prop.name, prop.raw_params, value) if value else None
    if prop.name != "RRULE":
        return prop
    parts = [part for part in prop.value.split(";") if part.strip()]
    kept = [part for part in parts if not part.strip().upper().startswith(("COUNT=", "UNTIL="))]
    return Property(prop.name, "", ";".join([*kept, _bound(prop, start, moment)]))


def _bound(prop: Property, start: TimeValue, moment: TimeValue) -> str:
    """COUNT or UNTIL of a rule that ends before ``moment``."""
    first, end = local_seconds(start.local), local_seconds(moment.local)
    rule = read_rule(prop.value, first, start.is_day, _is_placed(start))
    if rule is not None and rule.count is not None:
        before = {first, *RuleIterator(rule, None, end - 1, Budget())}
        return f"COUNT={len([local for local in before if local < end])}"
    if rule is not None and rule.until is not None and rule.until < end:
        return next(p for p in prop.value.upper().split(";") if p.strip().startswith("UNTIL="))
    if start.is_day:
        return f"UNTIL={moment.local - timedelta(days=1):%Y%m%d}"
    if _is_placed(start):
        return f"UNTIL={_utc(moment, -1)}"
    return f"UNTIL={moment.local - _SECOND:%Y%m%dT%H%M%S}"


def _utc(moment: TimeValue, later: int = 0) -> str:
    return f"{EPOCH + timedelta(seconds=moment.earliest + later):%Y%m%dT%H%M%SZ}"


def _is_placed(moment: TimeValue) -> bool:
    return moment.earliest == moment.latest


def _is_before(one: TimeValue, other: TimeValue) -> bool:
    if _is_placed(one) and _is_placed(other):
        return one.earliest < other.earliest
    return one.local < other.local
