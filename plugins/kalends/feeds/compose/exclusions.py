"""Exclusion of hidden overrides from their series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from kalends.common.budget import Budget
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.cost import DATE_STEPS
from kalends.ical.recurrence.days import EPOCH
from kalends.ical.recurrence.expand import RuleIterator
from kalends.ical.recurrence.rrule import read_rule
from kalends.ical.timezones.offsets import local_seconds
from kalends.ical.values import TimeValue, read_time, read_times

_SECOND = timedelta(seconds=1)
_LEAST_STEPS = 20


def exclude_override(
    master: Component, hidden: Property, own: Mapping[str, str], budget: Budget
) -> Component | None:
    """Return a master without the occurrences that a hidden override replaces, or None if empty.

    The exclusion consists of a time alone: it contains no text of the override.

    Args:
        master: the master component.
        hidden: the RECURRENCE-ID of the override.
        own: the time zones of the object, as ``resolve.vtimezones_of`` returns them.
        budget: the steps that the object's reading may take.

    Raises:
        ObjectRefusedError: a time in it cannot be read.
        BudgetSpentError: the steps are not left.
    """
    budget.draw(_LEAST_STEPS + len(master.properties) // 16)
    begin = master.first("DTSTART")
    if begin is None:
        return master
    start, moment = read_time(begin, own), read_time(hidden, own)
    if (hidden.param("RANGE") or "").upper() != "THISANDFUTURE":
        exclusion = Property("EXDATE", *_format_time(begin, start, hidden, moment))
        return Component(master.name, [*master.properties, exclusion], master.children, master.line)
    if _is_before(moment, start) or moment.local == start.local:
        return None
    kept = [_truncate(prop, start, moment, own, budget) for prop in master.properties]
    properties = [prop for prop in kept if prop is not None]
    return Component(master.name, properties, master.children, master.line)


def _format_time(
    begin: Property, start: TimeValue, hidden: Property, moment: TimeValue
) -> tuple[str, str]:
    """Return parameters and value of an occurrence time, in the same form as the DTSTART."""
    if moment.is_day:
        return ";VALUE=DATE", f"{moment.local:%Y%m%d}"
    tzid = begin.param("TZID")
    if _is_placed(moment) and _is_placed(start) and (not tzid or hidden.param("TZID") != tzid):
        return "", _utc(moment)
    mark = "Z" if begin.value.strip().upper().endswith("Z") else ""
    return (f';TZID="{tzid}"' if tzid else ""), f"{moment.local:%Y%m%dT%H%M%S}{mark}"


def _truncate(
    prop: Property, start: TimeValue, moment: TimeValue, own: Mapping[str, str], budget: Budget
) -> Property | None:
    """Return a property of a master, cut to what occurs before ``moment``, or None if empty."""
    if prop.name == "RDATE":
        budget.draw(DATE_STEPS * (1 + prop.value.count(",")))
        moments = read_times(prop, own)
        texts = zip(prop.value.split(","), moments, strict=True)
        value = ",".join(text for text, date in texts if _is_before(date, moment))
        return Property(prop.name, prop.raw_params, value) if value else None
    if prop.name != "RRULE":
        return prop
    parts = [part for part in prop.value.split(";") if part.strip()]
    kept = [part for part in parts if not part.strip().upper().startswith(("COUNT=", "UNTIL="))]
    return Property(prop.name, "", ";".join([*kept, _bound(prop, start, moment, budget)]))


def _bound(prop: Property, start: TimeValue, moment: TimeValue, budget: Budget) -> str:
    """Return the COUNT or UNTIL with which a rule ends before ``moment``."""
    first, end = local_seconds(start.local), local_seconds(moment.local)
    rule = read_rule(prop.value, first, start.is_day, _is_placed(start))
    if rule is not None and rule.count is not None:
        before = {first, *RuleIterator(rule, None, end - 1, budget)}
        budget.draw(0)  # the count is right only if all were found
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
