"""A file of calendars in pieces, so that a damaged one holds up no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property

_BEGIN = re.compile(r"BEGIN:\s*([A-Za-z0-9-]+)\s*", re.IGNORECASE)
_END = re.compile(r"END:\s*([A-Za-z0-9-]+)\s*", re.IGNORECASE)
_AGENT = re.compile(r"(?:[A-Za-z0-9-]+\.)?AGENT(?:;[^:]*)?:\s*", re.IGNORECASE)
_MAIN = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY"})


@dataclass(frozen=True, slots=True)
class RejectedPart:
    """A part of a file that could not be taken: the line it begins at, and why."""

    line: int
    uid: str
    why: str
    precondition: str | None


class ComponentLines(NamedTuple):
    """The physical lines of one component at the top of a calendar."""

    name: str
    line: int
    text: str
    ended: bool


def decode_file(data: bytes) -> str:
    """The text of a file, with surrogates where it is none: what they stand in is refused."""
    return contentlines.decode(data, "surrogateescape").removeprefix("\ufeff")


def find_calendars(
    text: str, refused: list[RejectedPart]
) -> Iterator[tuple[list[Property], Iterator[ComponentLines]]]:
    """Each VCALENDAR: its own properties, and the blocks of its components.

    Args:
        refused: what is refused is added here.
    """
    lines = text.split("\n")
    start = None
    for number, line in enumerate(lines):
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if start is None:
            if begin and begin[1].upper() == "VCALENDAR":
                start = number + 1
            elif line.strip() and not (end and end[1].upper() == "VCALENDAR"):
                _refuse_once(refused, number + 1, "stands outside of any VCALENDAR")
        elif end and end[1].upper() == "VCALENDAR":
            yield (
                _header(lines[start:number], start, refused),
                find_components(lines[start:number], start),
            )
            start = None
    if start is not None:
        _refuse_once(refused, start, "BEGIN:VCALENDAR is never ended")
        yield _header(lines[start:], start, refused), find_components(lines[start:], start)


def find_components(lines: list[str], offset: int) -> Iterator[ComponentLines]:
    """The components that stand directly in these lines; a bad nesting ends with its block."""
    name, start, agents = "", 0, 0
    for number, line in enumerate(lines):
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        begun = begin[1].upper() if begin else ""
        if name == begun == "VCARD" and _AGENT.fullmatch(lines[number - 1]):
            agents += 1  # of vCard 2.1: a card within a card
        elif name and begun and _is_whole_again(name, begun):
            yield ComponentLines(
                name, offset + start + 1, "\n".join(lines[start:number]), ended=False
            )
            name, start, agents = begun, number, 0
        elif not name and begun:
            name, start, agents = begun, number, 0
        elif name and end and end[1].upper() == name:
            if agents:
                agents -= 1
                continue
            yield ComponentLines(
                name, offset + start + 1, "\n".join(lines[start : number + 1]), ended=True
            )
            name = ""
    if name:
        yield ComponentLines(name, offset + start + 1, "\n".join(lines[start:]), ended=False)


def _is_whole_again(name: str, begun: str) -> bool:
    """Whether what begins shows that what it stands in was never ended."""
    return name == begun == "VCARD" or (name in _MAIN and begun in _MAIN)


def parse_component(block: ComponentLines, refused: list[RejectedPart]) -> Component | None:
    """The component that a block is, with its lines counted in the file; None if it is refused.

    Args:
        refused: what is refused is added here.
    """
    try:
        if not block.ended:
            raise IcalendarSyntaxError(1, f"BEGIN:{block.name} is never ended")
        (component,) = contentlines.parse(block.text)
    except IcalendarSyntaxError as error:
        line = block.line + error.line - 1
        refused.append(RejectedPart(line, "", error.why, "C:valid-calendar-data"))
        return None
    return _moved(component, block.line - 1)


def _header(lines: list[str], offset: int, refused: list[RejectedPart]) -> list[Property]:
    """The calendar's own properties: the lines before its first component, and between."""
    depth = 0
    own = []
    for line in lines:
        if _BEGIN.fullmatch(line):
            depth += 1
        elif _END.fullmatch(line):
            depth = max(0, depth - 1)
        elif depth == 0:
            own.append(line)
    try:
        (parsed,) = contentlines.parse("\n".join(["BEGIN:VCALENDAR", *own, "END:VCALENDAR"]))
    except IcalendarSyntaxError as error:
        refused.append(RejectedPart(offset + 1, "", error.why, "C:valid-calendar-data"))
        return []
    return parsed.properties


def _refuse_once(refused: list[RejectedPart], line: int, why: str) -> None:
    if not any(bad.why == why for bad in refused):
        refused.append(RejectedPart(line, "", why, "C:valid-calendar-data"))


def _moved(component: Component, lines: int) -> Component:
    """The same component, with its lines counted in the file instead of its block."""
    return Component(
        component.name,
        [Property(p.name, p.raw_params, p.value, p.line + lines) for p in component.properties],
        [_moved(child, lines) for child in component.children],
        component.line + lines,
    )
