"""Edits of Apache's group files. Pure: the old bytes to the new ones, no I/O.

Everything but the added and removed names stays the same, byte for byte: comments, quotes and
continued lines.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from kalends.authn.apache.editing import EditRefusedError, FileLine, entries, with_lines_appended
from kalends.authn.apache.htfiles import decode_name
from kalends.authn.apache.htgroup import GROUP_LINE_LIMIT, Word, words
from kalends.authn.apache.htlines import BLANKS, split_field
from kalends.common.names import folded_group

_NEEDS_QUOTES = re.compile(rb"""[\s"'\\]""")


def with_members(data: bytes, group: str, names: Collection[str]) -> bytes:
    """Return a group file in which these names are members of the group.

    They are added to the group's first line, or on a new one.

    Raises:
        EditRefusedError: the file has an overlong line, or would get one.
    """
    lines = [line for line in entries(data, GROUP_LINE_LIMIT) if _names_group(line.text, group)]
    present = {decode_name(word.value) for line in lines for word in words(_members(line.text))}
    missing = [name for name in dict.fromkeys(names) if name not in present]
    if lines and not missing:
        return data
    more = b" ".join(_quoted(name.encode()) for name in missing)
    extended = _extended(data, lines[0], more) if lines else None
    if extended is not None:
        return extended
    name = split_field(lines[0].text)[0].rstrip(BLANKS) if lines else group.encode()
    return with_lines_appended(data, [b": ".join((name, more)).strip()], GROUP_LINE_LIMIT)


def without_members(data: bytes, group: str | None, names: Collection[str]) -> bytes:
    """Return a group file in which none of these names is a member of the group.

    Args:
        data: the file.
        group: a group's name, or None for all groups.
        names: the members to remove.

    Raises:
        EditRefusedError: the file has an overlong line.
    """
    parts, position = [], 0
    for line in entries(data, GROUP_LINE_LIMIT):
        if line.text and (group is None or _names_group(line.text, group)):
            for start, end, instead in _cuts(line, names):
                parts += [data[position:start], instead]
                position = end
    return b"".join([*parts, data[position:]])


def _names_group(text: bytes, group: str) -> bool:
    name = split_field(text)[0].rstrip(BLANKS)
    return bool(text) and folded_group(decode_name(name)) == folded_group(group)


def _members(text: bytes) -> bytes:
    return split_field(text)[1]


def _extended(data: bytes, line: FileLine, more: bytes) -> bytes | None:
    """Return the file with more members on a line; None if they would be read differently there."""
    members = _members(line.text)
    before, after = list(words(members)), list(words(members + b" " + more))
    if b":" not in line.text or after[: len(before)] != before:
        return None
    start = line.span.joined.index(line.text)
    if len(line.span.joined) + len(more) + 3 > GROUP_LINE_LIMIT:
        raise EditRefusedError("the group has too many members for one line", line.span.number)
    end = line.span.offset_of(start + len(line.text) - 1) + 1
    return data[:end] + b" " + more + data[end:]


def _cuts(line: FileLine, names: Collection[str]) -> Iterator[tuple[int, int, bytes]]:
    """Yield the ranges of the file to remove for these names, each with its replacement."""
    members = _members(line.text)
    found = list(words(members))
    first = line.span.joined.index(line.text) + len(line.text) - len(members)
    offset_of = line.span.offset_of

    def is_removed(word: Word) -> bool:
        return decode_name(word.value) in names

    at = 0
    while at < len(found):
        if not is_removed(found[at]):
            at += 1
            continue
        run = at
        while run < len(found) and is_removed(found[run]):
            run += 1
        if run == len(found):
            behind = offset_of(first + found[-1].end - 1) + 1
            before = found[at - 1].end if at else 0
            # A backslash must not end up before the line end.
            instead = b" " if members[:before].endswith(b"\\") else b""
            yield offset_of(first + before), behind, instead
        else:
            # Colons right after the group's own would count as one with it.
            instead = b" " if at == 0 and members[found[run].start :].startswith(b":") else b""
            yield offset_of(first + found[at].start), offset_of(first + found[run].start), instead
        at = run


def _quoted(name: bytes) -> bytes:
    """Return a name as a word of a group file."""
    if not _NEEDS_QUOTES.search(name):
        return name
    return b'"' + name.replace(b"\\", rb"\\").replace(b'"', rb"\"") + b'"'
