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

from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError, TextTooLargeError
from kalends.ical.limits import (
    MAX_COMPONENTS,
    MAX_DEPTH,
    MAX_LINES,
    MAX_PARAM_VALUES,
    MAX_PHYSICAL_LINES,
)
from kalends.limit_names import Limit

# All repetitions are possessive: a line that does not match is not tried in another way, and no
# stack of such ways is kept. Each way would fail anyway, since nothing matches in two ways.
_NAME = r"(?:[A-Za-z0-9_-]++\.)?[A-Za-z0-9_-]++"
_PARAM_VALUE = r'(?:"[^"]*+"|[^";:,]*+)'
_PARAM_VALUES = rf"{_PARAM_VALUE}(?:,{_PARAM_VALUE})*+"
_LINE = re.compile(rf"({_NAME})((?:;[A-Za-z0-9_-]++={_PARAM_VALUES})*+):(.*)", re.DOTALL)
_VCARD_LINE = re.compile(
    rf"({_NAME})((?:;[A-Za-z0-9_-]++(?:={_PARAM_VALUES})?+)*+):(.*)", re.DOTALL
)
_ONE_PARAM = re.compile(rf";([A-Za-z0-9_-]++)(?:=({_PARAM_VALUES}))?+")
_ONE_VALUE = re.compile(_PARAM_VALUE)
_QUOTED = re.compile(r'"[^"]*+"')
# RFC 5545 section 3.1: every control character but TAB is forbidden in a content line. Surrogates
# replace octets that are not UTF-8.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_CONTROL = "contains a control character"
_NOT_UTF8 = "not UTF-8: export or save the file as UTF-8"
_CHARACTERS_IN_A_STEP = 128
_FEW_LINES = 1000
"""The number of lines up to which it does not matter that folds are cheaper than content lines."""


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
        for match in _ONE_PARAM.finditer(self.raw_params):
            if match[2] is not None and match[1].upper() == name:
                first = _ONE_VALUE.match(match[2])
                return first[0].strip('"') if first else None
        return None

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


def unfold(text: str) -> Iterator[tuple[int, str]]:
    """Yield the content lines of ``text`` with the physical line each begins at, counted from 1.

    Lines end with CRLF or LF; empty lines are skipped; a line that begins with a space or a TAB
    continues the one before (RFC 5545 section 3.1).
    """
    pending, begin = "", 0
    more: list[str] = []
    for number, line in enumerate(text.replace("\r\n", "\n").removesuffix("\r").split("\n"), 1):
        if line[:1] in (" ", "\t") and pending:
            more.append(line[1:])
            continue
        if more:
            pending += "".join(more)
            more.clear()
        if pending:
            yield begin, pending
        pending, begin = line, number
    if pending:
        yield begin, pending + "".join(more)


def parse(text: str, *, vcard: bool = False, budget: Budget | None = None) -> list[Component]:
    """Parse all top-level components of ``text``.

    Args:
        text: iCalendar or vCard text; a byte order mark at its beginning is skipped.
        vcard: whether to allow vCard's parameters without a value (``TEL;HOME:``).
        budget: the steps that it may take; without one, the limits of its parts alone apply.

    Returns:
        the top-level components, in order.

    Raises:
        IcalendarSyntaxError: a line is not a content line, contains a control character or a
            surrogate, or is outside of any component; or components do not balance or nest too
            deep.
        TextTooLargeError: it has too many lines, components or parameters.
        BudgetSpentError: the steps are not left.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    steps = _parsing_steps(text)
    if budget is not None:
        budget.draw(steps)
    top: list[Component] = []
    stack: list[Component] = []
    components = 0
    fullmatch = (_VCARD_LINE if vcard else _LINE).fullmatch
    is_clean = not _FORBIDDEN.search(text)
    for number, line in unfold(text):
        match = fullmatch(line)
        if match is None:
            raise IcalendarSyntaxError(number, f"not a content line: {line[:40]!r}")
        if not is_clean and (bad := _FORBIDDEN.search(line)):
            is_text = bad[0] < "\ud800"
            raise IcalendarSyntaxError(number, _CONTROL if is_text else _NOT_UTF8)
        name, params, value = match.groups()
        name = name.upper()
        if name == "BEGIN":
            components += 1
            if components > MAX_COMPONENTS:
                raise TextTooLargeError(
                    number,
                    f"it has more than {MAX_COMPONENTS} components",
                    limit=Limit.COMPONENTS,
                )
            _open(value, number, stack, top)
        elif name == "END":
            _close(value, number, stack)
        elif stack:
            if len(params) > MAX_PARAM_VALUES:
                _refuse_many_values(params, number)
            stack[-1].properties.append(Property(name, params, value, number))
        else:
            raise IcalendarSyntaxError(number, f"{name} is outside of any component")
    if stack:
        raise IcalendarSyntaxError(stack[-1].line, f"BEGIN:{stack[-1].name} has no END")
    return top


def _parsing_steps(text: str) -> int:
    """Return the steps of parsing a text with LF line ends; raise if it has too many lines."""
    lines = text.count("\n") + 1
    folds = text.count("\n ") + text.count("\n\t") if lines > _FEW_LINES else 0
    if lines - folds > MAX_LINES:
        raise TextTooLargeError(1, f"it has more than {MAX_LINES} content lines", limit=Limit.LINES)
    if lines > MAX_PHYSICAL_LINES:
        raise TextTooLargeError(
            1, f"it has more than {MAX_PHYSICAL_LINES} lines", limit=Limit.LINES
        )
    return len(text) // _CHARACTERS_IN_A_STEP + 2 * (lines - folds) + folds


def _refuse_many_values(params: str, number: int) -> None:
    bare = _QUOTED.sub("", params)  # an ALTREP may have a whole web page in quotation marks
    if bare.count(",") + bare.count(";") > MAX_PARAM_VALUES:
        raise TextTooLargeError(
            number,
            f"the line has more than {MAX_PARAM_VALUES} parameters and values",
            limit=Limit.PARAMETERS,
        )


def _open(raw_name: str, number: int, stack: list[Component], top: list[Component]) -> None:
    component = Component(raw_name.strip().upper(), line=number)
    if len(stack) >= MAX_DEPTH:
        raise IcalendarSyntaxError(
            number,
            f"components nest deeper than {MAX_DEPTH} levels",
            limit=Limit.COMPONENT_DEPTH,
        )
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
    # Of a text without escaped backslashes, each backslash that is left belongs to its neighbour.
    return "\\".join(map(_without_escapes, value.split("\\\\")))


def _without_escapes(text: str) -> str:
    last = "\\" if text.endswith("\\") else ""  # it escapes nothing
    return text.replace("\\n", "\n").replace("\\N", "\n").replace("\\", "") + last


def escape(text: str) -> str:
    """Return a text as an escaped TEXT value (RFC 5545 section 3.3.11)."""
    escaped = text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,")
    return re.sub(r"\r\n|\r|\n", r"\\n", escaped)
