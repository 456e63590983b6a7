"""Apache's password and digest files, read as Apache httpd 2.4 reads them. Pure, no I/O.

Names and hashes stay bytes, because Apache compares bytes. No input raises: what Apache would
skip is skipped, and what it would take for a name or a hash is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

PASSWORD_LINE_LIMIT = 8191
"""Bytes of a joined line, without its line end, at which Apache stops reading a password file."""

BLANKS = b" \t\n\v\f\r"
_SHA256_DIGITS = 64
_HEX_DIGITS = b"0123456789abcdef"
# A digest file without anything odd, as nearly all are: comments, empty lines, and three fields
# that neither blanks, NULs, backslashes nor colons in a row make anything else of. (A changed file
# of 50,000 lines is read while a request waits; this takes a third of the time.)
_PLAIN_DIGEST = re.compile(
    rb"(?:([^\s#:\0][^\n:\0]{0,999}+):([^\n:\0]{1,999}+):([0-9A-Za-z]{1,99}+)|#[^\n\0\\]{0,999}+)?\r?\n"
)
_PLAIN_DIGESTS = re.compile(rb"(?:%b)*+" % _PLAIN_DIGEST.pattern)
# Enough of a hash field to tell its format and cost, and how many fields to look at.
_KIND, _SAMPLE = 7, 1000


class Line(NamedTuple):
    """One logical line.

    Attributes:
        number: its first physical line, counted from 1.
        text: its bytes, joined and trimmed; never empty, never a comment.
    """

    number: int
    text: bytes


class OverlongLine(NamedTuple):
    """Where reading ended early: Apache sees nothing from this line on."""

    number: int


class Span(NamedTuple):
    """One logical line, comments and empty ones too, and where it stands in the file.

    Attributes:
        number: its first physical line, counted from 1.
        start: its first byte.
        end: the byte behind it and its line end.
        joined: its text, joined but not trimmed.
        closed: whether a line end closes it; otherwise whatever is written behind it may join it.
        pieces: for each part that was joined, where it begins in ``joined`` and in the file.
    """

    number: int
    start: int
    end: int
    joined: bytes
    closed: bool
    pieces: tuple[tuple[int, int], ...]

    def place(self, index: int) -> int:
        """Where in the file the byte ``joined[index]`` stands."""
        at, place = next(piece for piece in reversed(self.pieces) if piece[0] <= index)
        return place + index - at


def logical_lines(data: bytes, limit: int = PASSWORD_LINE_LIMIT) -> Iterator[Line | OverlongLine]:
    r"""Lines as Apache's configuration reader joins, cuts and trims them.

    A backslash before the line end joins the next line, without a blank, in comments too; a NUL
    ends the logical line; blanks at both ends fall away; empty lines and lines that then begin
    with ``#`` are left out. A line that reaches ``limit`` bytes ends everything.

    Args:
        data: the whole file.
        limit: bytes of a joined line at which reading stops.
    """
    if not any(mark in data for mark in (b"\0", b"\\\n", b"\\\r\n")):
        yield from _plain_lines(data, limit)
        return
    for span in spans(data, limit):
        if isinstance(span, OverlongLine):
            yield span
            return
        text = span.joined.strip(BLANKS)
        if text and not text.startswith(b"#"):
            yield Line(span.number, text)


def spans(data: bytes, limit: int = PASSWORD_LINE_LIMIT) -> Iterator[Span | OverlongLine]:
    """Every logical line with its place, so that what edits a file sees what is read of it.

    One begins where the one before it ends, and how one is read depends on nothing outside of it,
    but for the last where it is not `Span.closed`.

    Args:
        data: the whole file.
        limit: bytes of a joined line at which reading stops.
    """
    position, number = 0, 0
    while position < len(data):
        start, first, joined, more = position, number + 1, bytearray(), True
        pieces: list[tuple[int, int]] = []
        while more and position < len(data):
            number += 1
            while pieces and pieces[-1][0] >= len(joined):
                pieces.pop()
            pieces.append((len(joined), position))
            room = position + limit - len(joined)
            end = data.find(b"\n", position, room) + 1 or min(room, len(data))
            joined += data[position:end].partition(b"\0")[0]
            position = end
            more = _ends_in_backslash(joined)
            if more:
                del joined[-1]
        if len(joined) >= limit:
            yield OverlongLine(first)
            return
        closed = not more and data.endswith(b"\n", start, position)
        yield Span(first, start, position, bytes(joined), closed, tuple(pieces))


def _plain_lines(data: bytes, limit: int) -> Iterator[Line | OverlongLine]:
    """The same for a file without NUL and continuation: a quarter of the time for 50,000 lines."""
    for number, line in enumerate(data.split(b"\n"), 1):
        if len(line) >= limit:
            yield OverlongLine(number)
            return
        text = line.strip(BLANKS)
        if text and not text.startswith(b"#"):
            yield Line(number, text)


def _ends_in_backslash(joined: bytearray) -> bool:
    """Take the line end off, and say whether a backslash stood before it."""
    if not joined.endswith(b"\n"):
        return False
    del joined[-1]
    if joined.endswith(b"\r"):
        del joined[-1]
    return joined.endswith(b"\\")


def split_field(text: bytes) -> tuple[bytes, bytes]:
    """The field before the next colon, and what follows it; colons in a row count as one."""
    field, _, rest = text.partition(b":")
    return field, rest.lstrip(b":")


class PasswordEntry(NamedTuple):
    """What a password file says of one user.

    Attributes:
        stored: the hash field, possibly empty.
        line: where it stands, counted from 1.
    """

    stored: bytes
    line: int


@dataclass(frozen=True)
class PasswordFile:
    """A parsed AuthUserFile.

    Attributes:
        lines: by user name, the first line of each. (They are split when they are asked for:
            a changed file of 50,000 lines is read while a request waits.)
        cut_at: the overlong line at which Apache stops reading, or None.
    """

    lines: Mapping[bytes, Line]
    cut_at: int | None

    def find(self, name: bytes) -> PasswordEntry | None:
        """The entry of the user whose name is these bytes."""
        line = self.lines.get(name)
        if line is None:
            return None
        _, rest = split_field(line.text)
        return PasswordEntry(split_field(rest)[0], line.number)

    @cached_property
    def usual(self) -> tuple[bytes, ...]:
        """A hash field of each kind, the commonest kind first (judged by some of the lines)."""
        kinds: Counter[bytes] = Counter()
        example: dict[bytes, bytes] = {}
        for name in islice(self.lines, _SAMPLE):
            entry = self.find(name)
            if entry and entry.stored:
                kind = entry.stored[:_KIND]
                kinds[kind] += 1
                example.setdefault(kind, entry.stored)
        return tuple(example[kind] for kind, _ in kinds.most_common())

    @cached_property
    def names(self) -> frozenset[str]:
        """Every user's name as text (see `decode_name`)."""
        return _decoded(name for name in self.lines if name)


def parse_htpasswd(data: bytes) -> PasswordFile:
    """Lines ``user:hash``; the first line of a user counts, even if its hash is empty.

    Whatever follows a colon after the hash is ignored.
    """
    lines: dict[bytes, Line] = {}
    for line in logical_lines(data):
        if isinstance(line, OverlongLine):
            return PasswordFile(lines, line.number)
        lines.setdefault(line.text.partition(b":")[0], line)
    return PasswordFile(lines, None)


class DigestEntry(NamedTuple):
    """What a digest file says of one user in one realm; only hashes of the right shape.

    Attributes:
        md5: HA1 as 32 hex digits (RFC 7616 section 3.4.2), or None.
        sha256: HA1 as 64 hex digits, or None.
    """

    md5: bytes | None
    sha256: bytes | None


class RealmAccounts(NamedTuple):
    """The accounts of one realm.

    Attributes:
        names: as text (see `decode_name`).
        all_sha256: whether there are any, and each has a hash for SHA-256.
    """

    names: frozenset[str]
    all_sha256: bool


@dataclass(frozen=True)
class DigestFile:
    """A parsed AuthUserFile for Digest.

    Attributes:
        first: by user and realm, the hash field of the first line: the one that Apache looks at.
        long: the same of the first line whose hash field has the length of SHA-256.
        cut_at: the overlong line at which Apache stops reading, or None.
    """

    first: Mapping[tuple[bytes, bytes], bytes]
    long: Mapping[tuple[bytes, bytes], bytes]
    cut_at: int | None
    _realms: dict[bytes, RealmAccounts] = field(default_factory=dict, repr=False)

    def find(self, user: bytes, realm: bytes) -> DigestEntry | None:
        """The hashes of a user in a realm; None if there is none of the right shape.

        A first line that has none hides later MD5 lines, as it does from Apache.
        """
        key = (user, realm)
        md5, sha256 = self.first.get(key, b""), self.long.get(key, b"")
        entry = DigestEntry(
            md5 if _is_hash(md5, 32) else None, sha256 if _is_hash(sha256, 64) else None
        )
        return entry if entry.md5 or entry.sha256 else None

    def accounts(self, realm: bytes) -> RealmAccounts:
        """Everyone who has an account in the realm."""
        known = self._realms.get(realm)
        if known is None:
            md5 = {u for (u, r), h in self.first.items() if r == realm and _is_hash(h, 32)}
            sha256 = {u for (u, r), h in self.long.items() if r == realm and _is_hash(h, 64)}
            users = (md5 | sha256) - {b""}
            known = self._realms[realm] = RealmAccounts(
                _decoded(users), bool(users) and users <= sha256
            )
        return known


def parse_htdigest(data: bytes) -> DigestFile:
    """Lines ``user:realm:HA1``; whatever follows a colon after the hash is ignored."""
    ended = data if data.endswith(b"\n") else data + b"\n"
    if _PLAIN_DIGESTS.fullmatch(ended):
        found = [line for line in _PLAIN_DIGEST.findall(ended) if line[0]]
        found.reverse()  # so that the first line of a user stays
        return DigestFile(
            {(user, realm): field for user, realm, field in found},
            {(user, realm): field for user, realm, field in found if len(field) == _SHA256_DIGITS},
            None,
        )
    first: dict[tuple[bytes, bytes], bytes] = {}
    long: dict[tuple[bytes, bytes], bytes] = {}
    for line in logical_lines(data):
        if isinstance(line, OverlongLine):
            return DigestFile(first, long, line.number)
        user, rest = split_field(line.text)
        realm, rest = split_field(rest)
        field = rest.partition(b":")[0]
        first.setdefault((user, realm), field)
        if len(field) == _SHA256_DIGITS:
            long.setdefault((user, realm), field)
    return DigestFile(first, long, None)


def decode_name(name: bytes) -> str:
    """A user's name as the application sees it: UTF-8 where it is that, else ISO-8859-1."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _decoded(names: Iterable[bytes]) -> frozenset[str]:
    """Names as text; all at once where they are UTF-8."""
    # No name of a file holds a line feed.
    whole = b"\n".join(names)
    try:
        return frozenset(whole.decode().split("\n")) if whole else frozenset()
    except UnicodeDecodeError:
        return frozenset(map(decode_name, whole.split(b"\n")))


def _is_hash(field: bytes, digits: int) -> bool:
    return len(field) == digits and not field.translate(None, _HEX_DIGITS)
