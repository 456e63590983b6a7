"""Apache's group files, read as Apache httpd 2.4 reads them. Pure: bytes to values, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.apache.htlines import BLANKS, OverlongLine, logical_lines, split_field
from kalends.common.names import folded_group

GROUP_LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of a joined line at which Apache stops reading a group file."""

_WORD = re.compile(
    rb"""[ \t\n\v\f\r]*
    (?: "(?P<double>(?:\\["\\]|[^"])*)"?
      | '(?P<single>(?:\\['\\]|[^'])*)'?
      | (?P<plain>[^ \t\n\v\f\r]+) )""",
    re.VERBOSE,
)
_MARKS = (b'"', b"'", b"\\")
_DOUBLE_ESCAPE = re.compile(rb"\\([\"\\])")
_SINGLE_ESCAPE = re.compile(rb"\\(['\\])")


@dataclass(frozen=True)
class GroupFile:
    """A parsed AuthGroupFile; group names ignore ASCII case, and the first spelling is the name.

    Attributes:
        members: by the group's name, the users' names.
    """

    members: Mapping[str, frozenset[str]]

    @cached_property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """The names of each user's groups, by the user's name."""
        found: dict[str, list[str]] = {}
        for group, users in self.members.items():
            for user in users:
                found.setdefault(user, []).append(group)
        return found


def parse_groups(data: bytes) -> GroupFile:
    """Parse lines ``group: member member ...``; several lines of one group add up."""
    lines: dict[bytes, list[bytes]] = {}
    for line in logical_lines(data, GROUP_LINE_LIMIT):
        if isinstance(line, OverlongLine):
            break
        name, rest = split_field(line.text)
        lines.setdefault(name.rstrip(BLANKS), []).append(rest)
    spelling: dict[bytes, str] = {}
    members: dict[bytes, set[str]] = {}
    for name, rests in lines.items():
        group = decode_name(name)
        key = folded_group(group)
        spelling.setdefault(key, group)
        members.setdefault(key, set()).update(_members(rests))
    return GroupFile({spelling[key]: frozenset(found) for key, found in members.items() if key})


def _members(rests: list[bytes]) -> list[str]:
    """Return the members on all lines of one group."""
    whole = b" ".join(rests)
    if any(mark in whole for mark in _MARKS):
        return [decode_name(word.value) for text in rests for word in words(text) if word.value]
    # The fast path of most files: a request waits while 50,000 changed lines are read.
    plain = whole.split()
    try:
        return b" ".join(plain).decode().split(" ") if plain else []
    except UnicodeDecodeError:
        return [decode_name(word) for word in plain]


class Word(NamedTuple):
    """A member on a line: its name without quotes and escapes, and its range with them."""

    value: bytes
    start: int
    end: int


def words(text: bytes) -> Iterator[Word]:
    r"""Yield words as Apache splits them: at blanks, or within quotes of either kind.

    In quotes ``\\`` and the escaped quote are escapes; a missing end quote is implied at the end of
    the line; text right after an end quote begins the next word.
    """
    for match in _WORD.finditer(text):
        if match.lastgroup == "plain":
            yield Word(match["plain"].replace(b"\\\\", b"\\"), match.start("plain"), match.end())
        elif match.lastgroup == "double":
            value = _DOUBLE_ESCAPE.sub(rb"\1", match["double"])
            yield Word(value, match.start("double") - 1, match.end())
        else:
            value = _SINGLE_ESCAPE.sub(rb"\1", match["single"])
            yield Word(value, match.start("single") - 1, match.end())
