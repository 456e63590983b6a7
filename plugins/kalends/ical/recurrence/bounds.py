"""Bounds in time of all occurrences of an object, for the store's index.

They enclose at least everything that RFC 4791 section 9.9 matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from kalends.common.budget import Budget
from kalends.errors import ObjectRefusedError
from kalends.ical.contentlines import Component
from kalends.ical.limits import MAX_RULES
from kalends.ical.periods import read_periods
from kalends.ical.recurrence.cost import draw_for_times
from kalends.ical.recurrence.days import DAY
from kalends.ical.recurrence.density import last_occurrence
from kalends.ical.recurrence.duration import undated_occurrences
from kalends.ical.values import TimeValue, read_duration, read_time, read_times, time_at
from kalends.limit_names import Limit


class TimeBounds(NamedTuple):
    """The bounds of an object's occurrences.

    Attributes:
        start: seconds since 1970, UTC; None without a bound.
        end: seconds since 1970, UTC, exclusive; None without a bound.
        recurring: whether there is more than one occurrence.
    """

    start: int | None
    end: int | None
    recurring: bool


ALWAYS = TimeBounds(None, None, recurring=False)


def time_bounds(
    components: Sequence[Component], vtimezones: Mapping[str, str], budget: Budget | None = None
) -> TimeBounds:
    """Return bounds that enclose all occurrences of an object.

    Args:
        components: a master and its overrides, all of one type.
        vtimezones: the object's VTIMEZONEs, as ``vtimezones_of`` returns them.
        budget: the steps that the object's reading may take; as many as usual if not given.

    Raises:
        ObjectRefusedError: a time, a duration or a rule is invalid, or a rule is too dense.
        BudgetSpentError: the steps are not left.
    """
    budget = budget or Budget()
    draw_for_times(components, vtimezones, budget)
    bounds = [_component_bounds(component, vtimezones, budget) for component in components]
    starts, ends = [s.start for s in bounds], [s.end for s in bounds]
    return TimeBounds(
        None if None in starts else min(s for s in starts if s is not None),
        None if None in ends else max(e for e in ends if e is not None),
        recurring=len(bounds) > 1 or any(s.recurring for s in bounds),
    )


def _component_bounds(
    component: Component, vtimezones: Mapping[str, str], budget: Budget
) -> TimeBounds:
    for name in ("EXDATE", "RECURRENCE-ID"):
        for prop in component.all(name):
            read_times(prop, vtimezones)
    if component.name == "VTODO":
        return _task_bounds(component, vtimezones, budget)
    if component.name in ("VEVENT", "VJOURNAL"):
        begin = component.first("DTSTART")
        if begin is None and component.name == "VEVENT":
            raise ObjectRefusedError(
                "C:valid-calendar-data", "the event has no DTSTART", component.line
            )
        if begin is None:
            return ALWAYS
        start = read_time(begin, vtimezones)
        end = _end(component, vtimezones, start)
        return _recurring_bounds(component, vtimezones, start, start.earliest, end, budget)
    if component.name == "VFREEBUSY":
        return _free_busy_bounds(component, vtimezones)
    return ALWAYS


def _free_busy_bounds(component: Component, vtimezones: Mapping[str, str]) -> TimeBounds:
    """Return the bounds of a VFREEBUSY and its periods, which are read even if it has its own."""
    for prop in component.properties:
        if prop.name == "FREEBUSY":
            list(read_periods(prop))
        elif prop.name in ("DTSTART", "DTEND"):
            read_time(prop, vtimezones)
    found = undated_occurrences(component, vtimezones)
    if not found:
        return ALWAYS
    start, end = min(one.start for one in found), max(one.end for one in found)
    return TimeBounds(start, end, recurring=len(found) > 1)


def _end(component: Component, vtimezones: Mapping[str, str], start: TimeValue) -> int:
    """Return the end of the first occurrence, an instant (RFC 5545 section 3.6.1)."""
    if finish := component.first("DTEND"):
        return max(read_time(finish, vtimezones).latest, start.latest)
    if length := component.first("DURATION"):
        return start.latest + max(0, int(read_duration(length).total_seconds()))
    return start.latest + (DAY if start.is_day else 0)


def _task_bounds(component: Component, vtimezones: Mapping[str, str], budget: Budget) -> TimeBounds:
    """Return the bounds of a task: all rows of RFC 4791 section 9.9's table taken together."""
    times = {
        name: read_time(prop, vtimezones)
        for name in ("DTSTART", "DUE", "COMPLETED", "CREATED")
        if (prop := component.first(name))
    }
    planned = [times[name] for name in ("DTSTART", "DUE") if name in times]
    if planned:
        first = planned[0]
        end = max(moment.latest for moment in planned) + 1
        if "DTSTART" in times and (length := component.first("DURATION")):
            end = max(end, first.latest + int(read_duration(length).total_seconds()) + 1)
        if first.is_day:
            end += DAY
        begin = min(moment.earliest for moment in planned) - 1
        return _recurring_bounds(component, vtimezones, first, begin, end, budget)
    if "COMPLETED" in times:
        moments = list(times.values())
        start = min(moment.earliest for moment in moments) - 1
        return TimeBounds(start, max(moment.latest for moment in moments) + 1, recurring=False)
    if "CREATED" in times:
        return TimeBounds(times["CREATED"].earliest, None, recurring=False)
    return ALWAYS


def _recurring_bounds(
    component: Component,
    vtimezones: Mapping[str, str],
    first: TimeValue,
    start: int,
    end: int,
    budget: Budget,
) -> TimeBounds:
    """Return the bounds of all occurrences, given those of the first."""
    length = end - first.earliest
    begin = component.first("DTSTART") or component.first("DUE")
    tzid = begin.param("TZID") if begin else None
    rules = component.all("RRULE")
    if len(rules) > MAX_RULES:
        raise ObjectRefusedError(
            "C:max-instances",
            f"more than {MAX_RULES} rules",
            rules[MAX_RULES].line,
            limit=Limit.RULES,
        )
    ends: list[int | None] = [end]
    for rule in rules:
        last = last_occurrence(rule, first.local, budget)
        ends.append(_end_after(last, first, tzid, vtimezones, length))
    dates = [m for prop in component.all("RDATE") for m in read_times(prop, vtimezones)]
    periods = [_longest_period(component)] if dates else [0]
    for moment in dates:
        start = min(start, moment.earliest)
        ends.append(moment.latest + max(length, *periods, 0))
    recurring = bool(rules or dates)
    shifted = component.first("RECURRENCE-ID")
    if shifted and (shifted.param("RANGE") or "").upper() == "THISANDFUTURE":
        return TimeBounds(None, None, recurring=True)  # it moves all following ones, by any amount
    if None in ends:
        return TimeBounds(start, None, recurring)
    return TimeBounds(start, max(e for e in ends if e is not None), recurring)


def _end_after(
    last: object, first: TimeValue, tzid: str | None, vtimezones: Mapping[str, str], length: int
) -> int | None:
    if last is None:
        return None
    moment = time_at(last, first, tzid, vtimezones)  # type: ignore[arg-type] # None is out
    return moment.latest + length


def _longest_period(component: Component) -> int:
    """Return an upper bound for the length of the RDATEs that are periods, seconds."""
    longest = timedelta()
    for prop in component.all("RDATE"):
        for part in prop.value.split(","):
            _, slash, rest = part.partition("/")
            if slash and rest.strip().upper().startswith("P"):
                length = type(prop)("DURATION", "", rest, prop.line)
                longest = max(longest, read_duration(length))
            elif slash:
                begin, finish = (
                    read_time(type(prop)(prop.name, prop.raw_params, text, prop.line), {})
                    for text in part.split("/", 1)
                )
                longest = max(longest, finish.local - begin.local)
    return int(longest.total_seconds())
