"""Content lines of stored objects and cards, found by their names without reading the others.

A card with a picture has hundreds of lines, of which a search wants one or two.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from kalends.ical.contentlines import Property

# The beginning of a content line after the first, which is BEGIN; a folded one begins with a space.
_BEGIN = re.compile(rb"\n((?:[A-Za-z0-9_-]++\.)?[A-Za-z0-9_-]++)(?=[;:])")
_HEAD = re.compile(r'(?:[^":]++|"[^"]*+")*+:')
_FOLD = re.compile(rb"\r?\n[ \t]")


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
    begins = list(_BEGIN.finditer(data))
    for place, begin in enumerate(begins):
        grouped = begin[1].upper()
        found = {grouped, grouped.rpartition(b".")[2]} & wanted
        if found:
            end = begins[place + 1].start() + 1 if place + 1 < len(begins) else len(data)
            yield StoredLine([name.decode() for name in found], data[begin.start() + 1 : end])
