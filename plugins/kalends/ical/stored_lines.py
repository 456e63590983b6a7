"""Content lines of stored objects and cards, found by their names without reading the others.

A card with a picture has hundreds of lines, of which a search wants one or two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import chain, pairwise
from typing import NamedTuple

from kalends.ical.contentlines import Property

# The beginning of a content line after the first, which is BEGIN; a folded one begins with a space.
_BEGIN = re.compile(rb"\n((?:[A-Za-z0-9_-]++\.)?[A-Za-z0-9_-]++)(?=[;:])")
_HEAD = re.compile(r'(?:[^":]++|"[^"]*+")*+:')
_FOLD = re.compile(rb"\r?\n[ \t]")


LINE_STEPS = 6
"""The steps of reading a line that was found."""

_FEW_LINES = 100
_MANY_LINES = 1000
"""Up to so many lines, which most objects have not, the price of looking at them, and of parsing
them, is in that of the octets."""


def scanning_steps(data: bytes) -> int:
    """Return the steps of looking at the beginnings of many lines, beside those of the octets."""
    lines = data.count(b"\n")
    if lines <= _FEW_LINES:
        return 0
    folds = data.count(b"\n ") + data.count(b"\n\t")
    return lines - folds + folds // 8


def parsing_steps(data: bytes) -> int:
    """Return the steps that parsing takes beside those of the octets: those of its many lines."""
    lines = data.count(b"\n")
    if lines <= _MANY_LINES:
        return 0
    folds = data.count(b"\n ") + data.count(b"\n\t")
    return 8 * (lines - folds) + folds


class StoredLine(NamedTuple):
    """One content line of an object or a card.

    Attributes:
        names: the names by which it was looked for: with its group, without, or both.
        octets: the line as it was stored, with its folds and its end.
    """

    names: Collection[str]
    octets: bytes

    def property(self) -> Property:
        """Return the line as a property."""
        text = _FOLD.sub(b"", self.octets).decode("utf-8", "replace").rstrip("\r\n")
        head = _HEAD.match(text)
        end = head.end() if head else len(text)
        name, semicolon, params = text[: end - 1].partition(";")
        return Property(name.upper(), semicolon + params, text[end:])


def lines_named(data: bytes, names: Collection[str]) -> Iterator[StoredLine]:
    """Yield the lines of a valid object or card that have one of some names, in order.

    Args:
        data: its octets.
        names: names of properties in upper case; one without a group stands for the property in all
            groups (RFC 6352 section 10.5.1).
    """
    wanted = frozenset(name.encode() for name in names)
    # No list of all lines, of which there may be hundreds of thousands.
    begins = chain(_BEGIN.finditer(data), (None,))
    for begin, following in pairwise(begins):
        assert begin is not None
        grouped = begin[1].upper()
        found = {grouped, grouped.rpartition(b".")[2]} & wanted
        if found:
            end = following.start() + 1 if following else len(data)
            yield StoredLine([name.decode() for name in found], data[begin.start() + 1 : end])
