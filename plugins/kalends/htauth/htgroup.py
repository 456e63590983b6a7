"""Apache's group files, read as Apache httpd 2.4 reads them. Pure: bytes to values, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from kalends.htauth.htfiles import (
    BLANKS,
    OverlongLine,
    decode_name,
    logical_lines,
    split_field,
)

GROUP_LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of a joined line at which Apache stops reading a group file."""

_WORD = re.compile(
    rb"""[ \t\n\v\f\r]*
    (?: "(?P<double>(?:\\["\\]|[^"])*)"?
      | '(?P<single>(?:\\['\\]|[^'])*)'?
      | (?P<plain>[^ \t\n\v\f\r]+) )""",
    re.VERBOSE,
)
_DOUBLE_ESCAPE = re.compile(rb"\\([\"\\])")
_SINGLE_ESCAPE = re.compile(rb"\\(['\\])")


@dataclass(frozen=True)
class GroupFile:
    """A parsed AuthGroupFile. Group names know no ASCII case; the first spelling is the name.

    Attributes:
        members: by the group's name, the users' names.
    """

    members: Mapping[str, frozenset[str]]

    @cached_property
    def groups(self) -> Mapping[str, frozenset[str]]:
        """By a user's name, the names of the groups that it is in."""
        found: dict[str, set[str]] = {}
        for group, users in self.members.items():
            for user in users:
                found.setdefault(user, set()).add(group)
        return {user: frozenset(groups) for user, groups in found.items()}


def parse_groups(data: bytes) -> GroupFile:
    """Lines ``group: member member ...``; several lines of one group add up."""
    spelling: dict[bytes, bytes] = {}
    members: dict[bytes, set[str]] = {}
    for line in logical_lines(data, GROUP_LINE_LIMIT):
        if isinstance(line, OverlongLine):
            break
        name, rest = split_field(line.text)
        name = name.rstrip(BLANKS)
        spelling.setdefault(name.lower(), name)
        found = members.setdefault(name.lower(), set())
        found.update(decode_name(word.value) for word in words(rest) if word.value)
    return GroupFile(
        {decode_name(spelling[key]): frozenset(found) for key, found in members.items() if key}
    )


class Word(NamedTuple):
    """A member on a line: its name without quotes and escapes, and where it stands with them."""

    value: bytes
    start: int
    end: int


def words(text: bytes) -> Iterator[Word]:
    r"""Words as Apache splits them: by blanks, or within quotes of either kind.

    In quotes ``\\`` and the escaped quote are escapes; a missing end quote is at the end of the
    line; what follows an end quote begins the next word.
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
