"""Merge of detached instances into the stored series that they belong to.

A changed occurrence that arrives by mail is such an instance. The octets of the stored object are
kept except for the components that are replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.limits import USUAL_LIMITS, ObjectLimits
from kalends.ical.recover import find_components
from kalends.ical.timezones.resolve import tzid_name, tzids_of, vtimezones_of
from kalends.ical.validate import CalendarObject, read_calendar_object
from kalends.ical.values import read_time, read_times

_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE"})


def merge_instances(
    stored: bytes,
    incoming: bytes,
    *,
    allowed: frozenset[str] | None = None,
    limits: ObjectLimits = USUAL_LIMITS,
) -> CalendarObject:
    """Return a stored object with the components of another object that has the same UID.

    A component of the incoming object replaces the stored override of the same occurrence; the
    others are added.

    Args:
        stored: the octets of a stored object.
        incoming: the octets of another object, whose components all have a RECURRENCE-ID.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.

    Raises:
        ObjectRefusedError: the objects cannot be merged without changing the meaning of one.
    """
    series, single = _read(stored), contentlines.parse(incoming.decode("utf-8"))[0]
    text = stored.decode("utf-8")
    ours, theirs = vtimezones_of(series), vtimezones_of(single)
    known = ours.keys() | {tzid for child in series.children for tzid in tzids_of(child)}
    parts = [child for child in single.children if child.name != "VTIMEZONE"]
    defined = [child for child in single.children if child.name == "VTIMEZONE"]
    zones = [zone for zone in defined if tzid_name(zone.value("TZID")) not in known]
    both = {**ours, **{tzid: text for tzid, text in theirs.items() if tzid not in known}}
    for part in parts:
        _require_same_times(part, theirs, both)
    fresh = {_instance_key(part, theirs): part for part in parts}
    there = {c.line: _instance_key(c, ours) for c in series.children if c.first("RECURRENCE-ID")}
    replaced = {line: fresh[key] for line, key in there.items() if key in fresh}
    added = [part for key, part in fresh.items() if key not in there.values()]
    data = _compose(text, series, zones, replaced, added)
    wanted = [*zones, *(replaced.get(c.line, c) for c in series.children), *added]
    content = read_calendar_object(data, allowed=allowed, limits=limits)
    if not _contains(data, series, wanted):
        why = "the stored series has an unusual form and cannot be changed in place"
        raise ObjectRefusedError("C:valid-calendar-data", why)
    return content


def _read(stored: bytes) -> Component:
    """Return a stored object, which an earlier version may have stored, parsed."""
    why = "the stored series cannot be read"
    try:
        found = contentlines.parse(stored.decode("utf-8"))
    except (IcalendarSyntaxError, UnicodeDecodeError) as error:
        raise ObjectRefusedError("C:valid-calendar-data", f"{why}: {error}") from None
    if len(found) != 1 or found[0].name != "VCALENDAR":
        raise ObjectRefusedError("C:valid-calendar-data", f"{why}: it is not one VCALENDAR")
    return found[0]


def _instance_key(part: Component, vtimezones: Mapping[str, str]) -> tuple[int, int, str]:
    """Return a key for the occurrence, or the range of occurrences, that a component overrides."""
    named = part.all("RECURRENCE-ID")[0]
    moment = read_time(named, vtimezones)
    return moment.earliest, moment.latest, (named.param("RANGE") or "").upper()


def _require_same_times(
    part: Component, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Raise if the target's time zone definitions would move a component to another time.

    Args:
        part: a component of the incoming object.
        before: the VTIMEZONEs of the incoming object, by TZID.
        after: the VTIMEZONEs of the merged object, by TZID.
    """
    for prop in part.properties:
        tzid = prop.param("TZID")
        if tzid is None or prop.name not in _TIMES or before.get(tzid) == after.get(tzid):
            continue
        if read_times(prop, before) != read_times(prop, after):
            why = f"the series has another definition of the time zone {tzid[:40]!r}"
            raise ObjectRefusedError("C:valid-calendar-data", why, prop.line)


def _compose(
    text: str,
    series: Component,
    zones: list[Component],
    replaced: Mapping[int, Component],
    added: list[Component],
) -> bytes:
    """Return the text with components added, and some replaced by others.

    Args:
        text: the stored object.
        series: the same, parsed.
        zones: VTIMEZONEs to add.
        replaced: replacements, by the line at which the replaced component begins.
        added: overrides to add.
    """
    lines = text.split("\n")
    last = max(number for number, line in enumerate(lines) if line.strip())
    found = list(find_components(lines[series.line : last], series.line))
    first = found[0].line - 1 if found else last
    changes = [(first, first, zones), (last, last, added)]
    there = {child.line: child for child in series.children}
    for block in found:
        fresh = replaced.get(block.line)
        if fresh and list(fresh.lines()) != list(there[block.line].lines()):
            changes.append((block.line - 1, block.line + block.text.count("\n"), [fresh]))
    end = "\r\n" if lines[series.line - 1].endswith("\r") else "\n"
    for start, stop, components in sorted(changes, key=lambda change: change[:2], reverse=True):
        written = contentlines.serialize(components).decode("utf-8").replace("\r\n", end)
        lines[start:stop] = written.split("\n")[:-1]
    return "\n".join(lines).encode()


def _contains(data: bytes, series: Component, wanted: Iterable[Component]) -> bool:
    """Return True if a calendar has a series' properties and exactly the wanted components."""
    (made,) = contentlines.parse(data.decode("utf-8"))
    own = [[prop.text() for prop in calendar.properties] for calendar in (series, made)]
    held = sorted(list(child.lines()) for child in made.children)
    return own[0] == own[1] and held == sorted(list(child.lines()) for child in wanted)
