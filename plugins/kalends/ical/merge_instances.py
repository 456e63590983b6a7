"""Single occurrences into the stored series that they belong to, as a mailed change of one brings.

The stored octets stay as they are, but for what is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kalends.errors import ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.recover import find_components
from kalends.ical.timezones.resolve import tzid_name, tzids_of, vtimezones_of
from kalends.ical.validate import MAX_SIZE, CalendarObject, read_calendar_object
from kalends.ical.values import read_time, read_times

_TIMES = frozenset({"DTSTART", "DTEND", "DUE", "RECURRENCE-ID", "EXDATE", "RDATE"})


def merge_instances(
    stored: bytes,
    brought: bytes,
    *,
    allowed: frozenset[str] | None = None,
    max_size: int = MAX_SIZE,
) -> CalendarObject:
    """A stored object with the components of another of its UID, each in place of the same one.

    Args:
        stored: the octets of an object that may be stored.
        brought: those of another, whose components all have a RECURRENCE-ID.
        allowed: the component types that the calendar takes; None for all.
        max_size: the largest object, octets.

    Raises:
        ObjectRefusedError: they cannot be put together without changing what one of them says.
    """
    text = stored.decode("utf-8")
    series, single = contentlines.parse(text)[0], contentlines.parse(brought.decode("utf-8"))[0]
    ours, theirs = vtimezones_of(series), vtimezones_of(single)
    known = ours.keys() | {tzid for child in series.children for tzid in tzids_of(child)}
    parts = [child for child in single.children if child.name != "VTIMEZONE"]
    defined = [child for child in single.children if child.name == "VTIMEZONE"]
    zones = [zone for zone in defined if tzid_name(zone.value("TZID")) not in known]
    both = {**ours, **{tzid: text for tzid, text in theirs.items() if tzid not in known}}
    for part in parts:
        _require_same_times(part, theirs, both)
    fresh = {_place(part, theirs): part for part in parts}
    there = {c.line: _place(c, ours) for c in series.children if c.first("RECURRENCE-ID")}
    replaced = {line: fresh[place] for line, place in there.items() if place in fresh}
    added = [part for place, part in fresh.items() if place not in there.values()]
    data = _composed(text, series, zones, replaced, added)
    wanted = [*zones, *(replaced.get(c.line, c) for c in series.children), *added]
    content = read_calendar_object(data, allowed=allowed, max_size=max_size)
    if not _holds(data, series, wanted):
        raise ObjectRefusedError("C:valid-calendar-data", "the series is written unusually")
    return content


def _place(part: Component, own: Mapping[str, str]) -> tuple[int, int, str]:
    """Which occurrence of its series a component is, and whether of those after it too."""
    named = part.all("RECURRENCE-ID")[0]
    moment = read_time(named, own)
    return moment.earliest, moment.latest, (named.param("RANGE") or "").upper()


def _require_same_times(
    part: Component, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    """Refuse what would be at another time by the definitions of what it goes into."""
    for prop in part.properties:
        tzid = prop.param("TZID")
        if tzid is None or prop.name not in _TIMES or before.get(tzid) == after.get(tzid):
            continue
        if read_times(prop, before) != read_times(prop, after):
            why = f"the series has another definition of the time zone {tzid[:40]!r}"
            raise ObjectRefusedError("C:valid-calendar-data", why, prop.line)


def _composed(
    text: str,
    series: Component,
    zones: list[Component],
    replaced: Mapping[int, Component],
    added: list[Component],
) -> bytes:
    """The text with further components, and others in place of those that begin at some lines."""
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


def _holds(data: bytes, series: Component, wanted: Iterable[Component]) -> bool:
    """Whether a calendar has the properties of a series, and the components wanted."""
    (made,) = contentlines.parse(data.decode("utf-8"))
    own = [[prop.text() for prop in calendar.properties] for calendar in (series, made)]
    held = sorted(list(child.lines()) for child in made.children)
    return own[0] == own[1] and held == sorted(list(child.lines()) for child in wanted)
