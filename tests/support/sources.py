"""Division of calendar files into objects line by line, independent of any parser."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

KINDS = ("VEVENT", "VTODO", "VJOURNAL")
LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass
class Part:
    """A top-level component of a VCALENDAR: its kind, its first line's number, and its lines."""

    kind: str
    first: int
    lines: list[str] = field(default_factory=list)

    def value(self, name: str) -> str | None:
        """Return the value of the component's own property, or None."""
        depth = 0
        for line in unfolded(self.lines):
            head, _, value = line.partition(":")
            if head.upper() == "BEGIN":
                depth += 1
            elif head.upper() == "END":
                depth -= 1
            elif depth == 1 and head.split(";")[0].upper() == name:
                return value.strip()
        return None


@dataclass(frozen=True)
class SourceObject:
    """All components of one UID in one VCALENDAR, as a separate calendar.

    `first` and `last` are the numbers of their first and last line in the file, counted from 1.
    """

    uid: str
    kinds: frozenset[str]
    text: str
    first: int
    last: int


def unfolded(lines: list[str]) -> Iterator[str]:
    """Yield content lines with their continuations joined (RFC 5545 section 3.1)."""
    whole: str | None = None
    for line in lines:
        if line[:1] in (" ", "\t") and whole is not None:
            whole += line[1:]
            continue
        if whole is not None:
            yield whole
        whole = line
    if whole is not None:
        yield whole


def calendar_parts(text: str) -> Iterator[list[Part]]:
    """Yield the parts of each VCALENDAR of a file, in order."""
    calendar: list[Part] | None = None
    current: Part | None = None
    depth = 0
    for number, line in enumerate(LINE_END.split(text.removeprefix("\ufeff")), 1):
        head, _, value = line.strip().upper().partition(":")
        if head == "BEGIN":
            depth += 1
            if value == "VCALENDAR" and calendar is None:
                calendar, depth = [], 0
            elif depth == 1 and calendar is not None:
                current = Part(value, number)
        if current is not None:
            current.lines.append(line)
        if head == "END":
            if value == "VCALENDAR" and calendar is not None:
                yield calendar
                calendar, current = None, None
            elif depth == 1 and current is not None and calendar is not None:
                calendar.append(current)
                current = None
            depth -= 1
    if calendar is not None:  # without END: its complete parts count
        yield calendar


def calendar_objects(text: str, refused: Collection[int] = ()) -> list[SourceObject]:
    """Return the calendar objects of a file that have a UID.

    A part that begins at a refused line is left out unless it is the first of its UID.
    """
    found = []
    for calendar in calendar_parts(text):
        zones = [line for part in calendar if part.kind == "VTIMEZONE" for line in part.lines]
        by_uid: dict[str, list[Part]] = {}
        for part in calendar:
            uid = part.value("UID")
            if part.kind in KINDS and uid and (uid not in by_uid or part.first not in refused):
                by_uid.setdefault(uid, []).append(part)
        found += [_object(uid, own, zones) for uid, own in by_uid.items()]
    return found


def objects_without_uid(text: str) -> list[SourceObject]:
    """Return the components of a file without a UID, each as an object."""
    found = []
    for calendar in calendar_parts(text):
        zones = [line for part in calendar if part.kind == "VTIMEZONE" for line in part.lines]
        nameless = [part for part in calendar if part.kind in KINDS and not part.value("UID")]
        found += [_object("", [part], zones) for part in nameless]
    return found


def _object(uid: str, own: list[Part], zones: list[str]) -> SourceObject:
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//tests//EN", *zones]
    lines += [line for part in own for line in part.lines]
    last = max(part.first + len(part.lines) - 1 for part in own)
    kinds = frozenset(part.kind for part in own)
    whole = "\r\n".join([*lines, "END:VCALENDAR", ""])
    return SourceObject(uid, kinds, whole, own[0].first, last)
