"""Readings of calendars by two independent parsers, `icalendar` and `ical.js`.

A reading is a set of entries: component, UID, recurrence id, and all starts within two years of the
first one (None if the parser fails). Times are text: a date, a floating time, or UTC with a Z.
"""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icalendar
import recurring_ical_events

from support.expansions import iso_time

YEARS = 2
EXPAND = Path(__file__).resolve().parents[1] / "js" / "expand.mjs"
KINDS = ("VEVENT", "VTODO", "VJOURNAL")

# The exceptions that icalendar raises, early or late, for values that it cannot read.
PARSE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, IndexError)


@dataclass(frozen=True)
class Entry:
    """One component as a parser reads it; `starts` is sorted and without duplicates."""

    component: str
    uid: str
    recurrence: str | None
    starts: tuple[str, ...] | None


Reading = frozenset[Entry]


@dataclass(frozen=True)
class Unreadable:
    """The reason why a parser failed."""

    why: str


# --- ical.js -------------------------------------------------------------------------------------


def read_with_ical_js(texts: list[str]) -> list[Reading | Unreadable]:
    """Return ical.js' reading of each text."""
    done = subprocess.run(
        ["node", str(EXPAND), str(YEARS)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        cwd=EXPAND.parent,
    )
    return [_reading_of_js(found) for found in json.loads(done.stdout)]


def _reading_of_js(found: dict[str, Any]) -> Reading | Unreadable:
    if "error" in found:
        return Unreadable(found["error"])
    return frozenset(
        Entry(
            entry["component"],
            entry["uid"],
            entry["recurrence"],
            None if entry["starts"] is None else tuple(sorted(set(entry["starts"]))),
        )
        for entry in found["entries"]
    )


# --- icalendar -----------------------------------------------------------------------------------


def read_with_icalendar(text: str) -> Reading | Unreadable:
    """Return the reading of a text by icalendar (and recurring_ical_events, for the rules).

    icalendar caches the first VTIMEZONE of each name; `use_zoneinfo` empties that cache.
    """
    icalendar.use_zoneinfo()  # type: ignore[no-untyped-call]  # not annotated
    with warnings.catch_warnings():
        # It warns when it guesses the zone of a TZID with a vendor's prefix.
        warnings.simplefilter("ignore", icalendar.error.GloballyUniqueTZIDGuessed)
        return _read(text)


def _read(text: str) -> Reading | Unreadable:
    try:
        calendars = icalendar.Calendar.from_ical(text, multiple=True)
    except PARSE_ERRORS as error:
        return Unreadable(f"{type(error).__name__}: {error}")
    return frozenset(
        _entry(component, calendar)
        for calendar in calendars
        for component in calendar.subcomponents
        if component.name in KINDS
    )


def _entry(component: icalendar.Component, calendar: icalendar.Component) -> Entry:
    try:
        starts = tuple(sorted(set(_starts(component, calendar))))
    except PARSE_ERRORS:
        starts = None
    try:
        recurrence = component.get("RECURRENCE-ID")
        instant = iso_time(recurrence.dt) if recurrence else None
    except PARSE_ERRORS:
        instant = None
    return Entry(str(component.name), str(component.get("UID")), instant, starts)


def _starts(component: icalendar.Component, calendar: icalendar.Component) -> Iterator[str]:
    start = component.get("DTSTART")
    if not start:
        return
    first = start.dt
    if "RECURRENCE-ID" in component or not ("RRULE" in component or "RDATE" in component):
        yield iso_time(first)
        return
    alone = icalendar.Calendar()
    for part in (*calendar.walk("VTIMEZONE"), component):
        alone.add_component(part)
    query = recurring_ical_events.of(alone, components=list(KINDS))
    end = first.replace(year=first.year + YEARS)
    for occurrence in query.between(first, end):
        found = occurrence["DTSTART"].dt
        if first <= found < end:
            yield iso_time(found)
