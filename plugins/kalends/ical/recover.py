"""Error-tolerant splitting of a file into calendars and components.

A damaged component is rejected alone; the ones after it are still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.encoding import BYTE_ORDER_MARK, decode
from kalends.ical.sniff import describe_foreign_file
from kalends.limit_names import Limit

_BEGIN = re.compile(r"BEGIN:\s*([A-Za-z0-9-]+)\s*", re.IGNORECASE)
_END = re.compile(r"END:\s*([A-Za-z0-9-]+)\s*", re.IGNORECASE)
_VCARD_AGENT = re.compile(r"(?:[A-Za-z0-9-]+\.)?AGENT(?:;[^:]*)?:\s*", re.IGNORECASE)
# What may not be stored; a CR may end a line.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xef\xbf[\xbe\xbf]")
_TOP_LEVEL = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY"})


@dataclass(frozen=True, slots=True)
class RejectedPart:
    """A part of a file that was rejected.

    Attributes:
        line: the line of the file at which it begins, counted from 1.
        uid: its UID; empty if it is not known.
        why: the reason, for the person who imports the file.
        precondition: the WebDAV precondition that it violates, if any.
        limit: the limit that it is beyond, or None.
    """

    line: int
    uid: str
    why: str
    precondition: str | None
    limit: Limit | None = None


class ComponentLines(NamedTuple):
    """The physical lines of one top-level component of a calendar.

    Attributes:
        name: its name in upper case.
        line: the line of the file at which it begins, counted from 1.
        text: its lines, from BEGIN to END.
        ended: whether it has an END.
    """

    name: str
    line: int
    text: str
    ended: bool


def split_octets(data: bytes) -> str:
    """Return a file as a text with a character for each octet.

    Nothing but ASCII matters until it is divided into parts, which `decode_part` decodes: one
    letter of another script would make the text of the whole file four times as large.
    """
    return data.decode("latin-1")


def decode_part(text: str) -> str:
    """Decode a part of a file, with surrogates in place of octets that are not UTF-8.

    Parsing rejects the components that contain surrogates.

    Args:
        text: a part of what `split_octets` returned.
    """
    return decode(text.encode("latin-1"), "surrogateescape")


def leave_out_forbidden(data: bytes) -> tuple[bytes, str]:
    """Leave out the characters that make a line unreadable, of a file that is to be imported.

    Returns:
        the octets, and a note on what was left out; empty if nothing was.
    """
    first = _FORBIDDEN.search(data)
    if first is None or describe_foreign_file(data.removeprefix(BYTE_ORDER_MARK)):
        return data, ""
    kept, count = _FORBIDDEN.subn(b"", data)
    line = data.count(b"\n", 0, first.start()) + 1
    what = "a control character was" if count == 1 else f"{count} control characters were"
    return kept, f"{what} left out, from line {line} on"


def find_calendars(
    text: str, refused: list[RejectedPart]
) -> Iterator[tuple[list[Property], Iterator[ComponentLines]]]:
    """Yield the own properties and the components of each VCALENDAR.

    Args:
        text: the file, as `split_octets` returns it.
        refused: rejected parts are appended to this list.
    """
    lines = text.split("\n")
    start = None
    is_told = False
    for number, line in enumerate(lines):
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        if start is None:
            if begin and begin[1].upper() == "VCALENDAR":
                start = number + 1
            elif not is_told and line.strip() and not (end and end[1].upper() == "VCALENDAR"):
                _reject(refused, number + 1, "is outside of any VCALENDAR")
                is_told = True
        elif end and end[1].upper() == "VCALENDAR":
            yield (
                _header(lines[start:number], start, refused),
                find_components(lines[start:number], start),
            )
            start = None
    if start is not None:
        _reject(refused, start, "BEGIN:VCALENDAR has no END")
        yield _header(lines[start:], start, refused), find_components(lines[start:], start)


def find_components(lines: list[str], offset: int) -> Iterator[ComponentLines]:
    """Yield the top-level components of these lines.

    Args:
        lines: physical lines of a file.
        offset: the number of lines of the file before them.
    """
    name, start, agents = "", 0, 0
    for number, line in enumerate(lines):
        begin, end = _BEGIN.fullmatch(line), _END.fullmatch(line)
        begun = begin[1].upper() if begin else ""
        if name == begun == "VCARD" and _VCARD_AGENT.fullmatch(lines[number - 1]):
            agents += 1  # AGENT of vCard 2.1 nests a card in another one
        elif name and begun and _implies_missing_end(name, begun):
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


def _implies_missing_end(name: str, begun: str) -> bool:
    """Return True if the beginning of one component shows that the open one has no END."""
    return name == begun == "VCARD" or (name in _TOP_LEVEL and begun in _TOP_LEVEL)


def parse_component(block: ComponentLines, refused: list[RejectedPart]) -> Component | None:
    """Parse a component, with line numbers of the whole file.

    Args:
        block: the component's lines.
        refused: a part that cannot be parsed is appended to this list.

    Returns:
        the component, or None if it was rejected.
    """
    try:
        if not block.ended:
            raise IcalendarSyntaxError(1, f"BEGIN:{block.name} has no END")
        (component,) = contentlines.parse(decode_part(block.text))
    except IcalendarSyntaxError as error:
        line = block.line + error.line - 1
        refused.append(RejectedPart(line, "", error.why, "C:valid-calendar-data", error.limit))
        return None
    return _shift_lines(component, block.line - 1)


def _header(lines: list[str], offset: int, refused: list[RejectedPart]) -> list[Property]:
    """Return the calendar's own properties: those outside of its components."""
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
        (parsed,) = contentlines.parse(
            decode_part("\n".join(["BEGIN:VCALENDAR", *own, "END:VCALENDAR"]))
        )
    except IcalendarSyntaxError as error:
        refused.append(
            RejectedPart(offset + 1, "", error.why, "C:valid-calendar-data", error.limit)
        )
        return []
    return parsed.properties


def _reject(refused: list[RejectedPart], line: int, why: str) -> None:
    refused.append(RejectedPart(line, "", why, "C:valid-calendar-data"))


def _shift_lines(component: Component, lines: int) -> Component:
    """Return a copy of a component with its line numbers increased."""
    return Component(
        component.name,
        [Property(p.name, p.raw_params, p.value, p.line + lines) for p in component.properties],
        [_shift_lines(child, lines) for child in component.children],
        component.line + lines,
    )
