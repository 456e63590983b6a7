"""Content lines and components of iCalendar and vCard text, without interpreting any value.

Code that must keep a client's own text (feeds, import) works on this form: it loses nothing, treats
all properties alike and shares nothing between objects. RFC 5545 sections 3.1 and 3.6, RFC 6350
section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from kalends.errors import IcalendarSyntaxError

_NAME = r"(?:[A-Za-z0-9_-]+\.)?[A-Za-z0-9_-]+"
_PARAM_VALUE = r'(?:"[^"]*"|[^";:,]*)'
_PARAM = rf";[A-Za-z0-9_-]+=(?:{_PARAM_VALUE})(?:,{_PARAM_VALUE})*"
_BARE_PARAM = rf";[A-Za-z0-9_-]+(?:=(?:{_PARAM_VALUE})(?:,{_PARAM_VALUE})*)?"
_LINE = re.compile(rf"({_NAME})((?:{_PARAM})*):(.*)", re.DOTALL)
_VCARD_LINE = re.compile(rf"({_NAME})((?:{_BARE_PARAM})*):(.*)", re.DOTALL)
_ONE_PARAM = re.compile(rf";([A-Za-z0-9_-]+)(?:=({_PARAM_VALUE}(?:,{_PARAM_VALUE})*))?")
_ONE_VALUE = re.compile(_PARAM_VALUE)
# RFC 5545 section 3.1: every control character but TAB is forbidden in a content line. Surrogates
# replace octets that are not UTF-8.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_CONTROL = "contains a control character"
_NOT_UTF8 = "not UTF-8: export or save the file as UTF-8"
_FOLD_IN_CHARACTER = re.compile(rb"([\xc2-\xf4][\x80-\xbf]*)(\r?\n[ \t])([\x80-\xbf]+)")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The prefix that some programs write before UTF-8 text."""

MAX_DEPTH = 16
"""The deepest nesting of components that is read; real calendars need three levels."""


class Property(NamedTuple):
    """One content line, unfolded.

    Attributes:
        name: the name in upper case, with its vCard group if it has one (``ITEM1.TEL``).
        raw_params: the parameters as written, each with its leading semicolon, or ``""``.
        value: the value as written, still escaped.
        line: the physical line it begins at, counted from 1.
    """

    name: str
    raw_params: str
    value: str
    line: int = 0

    @property
    def params(self) -> dict[str, list[str]]:
        """The parameter values by upper-case name, without quotation marks."""
        found: dict[str, list[str]] = {}
        for match in _ONE_PARAM.finditer(self.raw_params):
            values = [] if match[2] is None else _split_values(match[2])
            found.setdefault(match[1].upper(), []).extend(values)
        return found

    def param(self, name: str) -> str | None:
        """Return the first value of the parameter ``name`` (upper case), or None."""
        if not self.raw_params:
            return None
        values = self.params.get(name)
        return values[0] if values else None

    def with_param(self, name: str, value: str | None) -> Property:
        """Return a copy with the parameter ``name`` set to one value, or removed.

        Args:
            name: the parameter's name in upper case.
            value: the value without quotation marks, which it must not contain (RFC 5545 section
                3.2); None removes the parameter.
        """
        kept = [m[0] for m in _ONE_PARAM.finditer(self.raw_params) if m[1].upper() != name]
        if value is not None:
            kept.append(f';{name}="{value}"')
        return Property(self.name, "".join(kept), self.value, self.line)

    def text(self) -> str:
        """Return the content line, unfolded and without its line end."""
        return f"{self.name}{self.raw_params}:{self.value}"


@dataclass(slots=True)
class Component:
    """A component: the properties and nested components between BEGIN and END, in order."""

    name: str
    properties: list[Property] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)
    line: int = 0

    def first(self, name: str) -> Property | None:
        """Return the first property called ``name`` (upper case), or None."""
        return next((p for p in self.properties if p.name == name), None)

    def value(self, name: str) -> str:
        """Return the raw value of the first property called ``name``, or the empty string."""
        found = self.first(name)
        return found.value if found else ""

    def all(self, name: str) -> list[Property]:
        """Return every property called ``name`` (upper case), in order."""
        return [p for p in self.properties if p.name == name]

    def lines(self) -> Iterator[str]:
        """Yield the content lines of this component and all nested ones, unfolded."""
        yield f"BEGIN:{self.name}"
        for prop in self.properties:
            yield prop.text()
        for child in self.children:
            yield from child.lines()
        yield f"END:{self.name}"


def _split_values(raw: str) -> list[str]:
    values = []
    position = 0
    while position <= len(raw):
        match = _ONE_VALUE.match(raw, position)
        if match is None:  # pragma: no cover - the line's own pattern allows nothing else
            break
        values.append(match[0].strip('"'))
        position = match.end() + 1
    return values


def decode(data: bytes, errors: str = "strict") -> str:
    """Decode octets as UTF-8 text with the same lines.

    A fold within a character, which RFC 5545 section 3.1 allows, is moved before that character;
    otherwise neither line could be decoded.

    Args:
        data: the octets of a calendar or card.
        errors: the error handler of ``bytes.decode``. ``surrogateescape`` replaces octets that are
            not UTF-8 with surrogates, which `parse` reports with their line.

    Returns:
        the text, with its line ends unchanged.

    Raises:
        UnicodeDecodeError: the octets are not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _FOLD_IN_CHARACTER.sub(rb"\2\1\3", data).decode("utf-8", errors)


def unfold(text: str) -> Iterator[tuple[int, str]]:
    """Yield the content lines of ``text`` with the physical line each begins at, counted from 1.

    Lines end with CRLF or LF; empty lines are skipped; a line that begins with a space or a TAB
    continues the one before (RFC 5545 section 3.1).
    """
    pending, begin = "", 0
    for number, line in enumerate(text.replace("\r\n", "\n").removesuffix("\r").split("\n"), 1):
        if line[:1] in (" ", "\t") and pending:
            pending += line[1:]
            continue
        if pending:
            yield begin, pending
        pending, begin = line, number
    if pending:
        yield begin, pending


def parse(text: str, *, vcard: bool = False) -> list[Component]:
    """Parse all top-level components of ``text``.

    Args:
        text: iCalendar or vCard text; a byte order mark at its beginning is skipped.
        vcard: whether to allow vCard's parameters without a value (``TEL;HOME:``).

    Returns:
        the top-level components, in order.

    Raises:
        IcalendarSyntaxError: a line is not a content line, contains a control character or a
            surrogate, or is outside of any component; or components do not balance or nest too
            deep.
    """
    top: list[Component] = []
    stack: list[Component] = []
    fullmatch = (_VCARD_LINE if vcard else _LINE).fullmatch
    is_clean = not _FORBIDDEN.search(text.replace("\r\n", "\n"))
    for number, line in unfold(text.removeprefix("\ufeff")):
        match = fullmatch(line)
        if match is None:
            raise IcalendarSyntaxError(number, f"not a content line: {line[:40]!r}")
        if not is_clean and (bad := _FORBIDDEN.search(line)):
            is_text = bad[0] < "\ud800"
            raise IcalendarSyntaxError(number, _CONTROL if is_text else _NOT_UTF8)
        name, params, value = match.groups()
        name = name.upper()
        if name == "BEGIN":
            _open(value, number, stack, top)
        elif name == "END":
            _close(value, number, stack)
        elif stack:
            stack[-1].properties.append(Property(name, params, value, number))
        else:
            raise IcalendarSyntaxError(number, f"{name} is outside of any component")
    if stack:
        raise IcalendarSyntaxError(stack[-1].line, f"BEGIN:{stack[-1].name} has no END")
    return top


def parse_stored(text: str) -> list[Component]:
    """Parse a stored object like `parse`, but without the characters that it refuses.

    Raises:
        IcalendarSyntaxError: as `parse`.
    """
    try:
        return parse(text)
    except IcalendarSyntaxError:
        return parse(_FORBIDDEN.sub("", text.replace("\r\n", "\n")))


def _open(raw_name: str, number: int, stack: list[Component], top: list[Component]) -> None:
    component = Component(raw_name.strip().upper(), line=number)
    if len(stack) >= MAX_DEPTH:
        raise IcalendarSyntaxError(number, f"components nest deeper than {MAX_DEPTH} levels")
    (stack[-1].children if stack else top).append(component)
    stack.append(component)


def _close(raw_name: str, number: int, stack: list[Component]) -> None:
    name = raw_name.strip().upper()
    if not stack:
        raise IcalendarSyntaxError(number, f"END:{name} has no BEGIN")
    if stack[-1].name != name:
        why = f"END:{name} instead of END:{stack[-1].name}"
        raise IcalendarSyntaxError(number, why)
    stack.pop()


def fold(line: str) -> bytes:
    """Return a content line as UTF-8, folded at 75 octets and ended with CRLF.

    No character is split. RFC 5545 section 3.1; the space that begins a continuation counts as one
    of its octets.
    """
    data = line.encode("utf-8")
    if len(data) <= 75:
        return data + b"\r\n"
    pieces = []
    start, limit = 0, 75
    while len(data) - start > limit:
        end = start + limit
        while data[end] & 0xC0 == 0x80:  # a continuation byte: the character began before
            end -= 1
        pieces.append(data[start:end])
        start, limit = end, 74
    pieces.append(data[start:])
    return b"\r\n ".join(pieces) + b"\r\n"


def serialize(components: Iterable[Component]) -> bytes:
    """Return components as UTF-8 text with CRLF line ends, folded at 75 octets."""
    return b"".join(fold(line) for component in components for line in component.lines())


def unescape(value: str) -> str:
    r"""Return a TEXT value without its escapes ``\n \, \; \\`` (RFC 5545 section 3.3.11)."""
    if "\\" not in value:
        return value
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def escape(text: str) -> str:
    """Return a text as an escaped TEXT value (RFC 5545 section 3.3.11)."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return re.sub(r"\r\n|\r|\n", r"\\n", escaped)
