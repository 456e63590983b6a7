"""Apache's password and digest files, read as Apache httpd 2.4 reads them. Pure, no I/O.

Names and hashes stay bytes, because Apache compares bytes. No input raises: a line that Apache
skips is skipped, and a field that it accepts as a name or a hash is one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import NamedTuple

from kalends.authn.apache.htlines import Line, OverlongLine, logical_lines, split_field

_SHA256_DIGITS = 64
_HEX_DIGITS = b"0123456789abcdef"
# An ordinary digest file, as nearly all are: comments, empty lines, and three fields without blanks
# at their ends, NULs, backslashes or colons in a row. (A changed file of 50,000 lines is read while
# a request waits; this takes a third of the time.)
_PLAIN_DIGEST = re.compile(
    rb"(?:([^\s#:\0][^\n:\0]{0,999}+):([^\n:\0]{1,999}+):([0-9A-Za-z]{1,99}+)|#[^\n\0\\]{0,999}+)?\r?\n"
)
_PLAIN_DIGESTS = re.compile(rb"(?:%b)*+" % _PLAIN_DIGEST.pattern)
# Enough of a hash field to tell its format and cost, and how many fields to look at.
_KIND, _SAMPLE = 7, 1000


class PasswordEntry(NamedTuple):
    """The entry of one user in a password file.

    Attributes:
        stored: the hash field, possibly empty.
        line: its line, counted from 1.
    """

    stored: bytes
    line: int


@dataclass(frozen=True)
class PasswordFile:
    """A parsed AuthUserFile.

    Attributes:
        lines: by user name, the first line of each. (They are split on demand: a changed file of
            50,000 lines is read while a request waits.)
        cut_at: the overlong line at which Apache stops reading, or None.
    """

    lines: Mapping[bytes, Line]
    cut_at: int | None

    def find(self, name: bytes) -> PasswordEntry | None:
        """Return the entry of the user with exactly these bytes as name."""
        line = self.lines.get(name)
        if line is None:
            return None
        _, rest = split_field(line.text)
        return PasswordEntry(split_field(rest)[0], line.number)

    @cached_property
    def usual(self) -> tuple[bytes, ...]:
        """A hash field of each format, the most frequent format first, by a sample of the lines."""
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
    """Parse lines ``user:hash``; the first line of a user counts, even if its hash is empty.

    Text after a second colon is ignored.
    """
    lines: dict[bytes, Line] = {}
    for line in logical_lines(data):
        if isinstance(line, OverlongLine):
            return PasswordFile(lines, line.number)
        lines.setdefault(line.text.partition(b":")[0], line)
    return PasswordFile(lines, None)


class DigestEntry(NamedTuple):
    """The entry of one user in one realm of a digest file, with only well-formed hashes.

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
        all_sha256: True if there are accounts and each has a SHA-256 hash.
    """

    names: frozenset[str]
    all_sha256: bool


@dataclass(frozen=True)
class DigestFile:
    """A parsed AuthUserFile for Digest.

    Attributes:
        first: by user and realm, the hash field of the first line: the one that Apache reads.
        long: the same of the first line whose hash field has the length of SHA-256.
        cut_at: the overlong line at which Apache stops reading, or None.
    """

    first: Mapping[tuple[bytes, bytes], bytes]
    long: Mapping[tuple[bytes, bytes], bytes]
    cut_at: int | None
    _realms: dict[bytes, RealmAccounts] = field(default_factory=dict, repr=False)

    def find(self, user: bytes, realm: bytes) -> DigestEntry | None:
        """Return the hashes of a user in a realm; None if there is no well-formed one.

        A malformed first line hides later MD5 lines, as it does from Apache.
        """
        key = (user, realm)
        md5, sha256 = self.first.get(key, b""), self.long.get(key, b"")
        entry = DigestEntry(
            md5 if _is_hash(md5, 32) else None, sha256 if _is_hash(sha256, 64) else None
        )
        return entry if entry.md5 or entry.sha256 else None

    def accounts(self, realm: bytes) -> RealmAccounts:
        """Return the accounts of a realm."""
        accounts = self._realms.get(realm)
        if accounts is None:
            md5 = {u for (u, r), h in self.first.items() if r == realm and _is_hash(h, 32)}
            sha256 = {u for (u, r), h in self.long.items() if r == realm and _is_hash(h, 64)}
            users = (md5 | sha256) - {b""}
            accounts = self._realms[realm] = RealmAccounts(
                _decoded(users), bool(users) and users <= sha256
            )
        return accounts


def parse_htdigest(data: bytes) -> DigestFile:
    """Parse lines ``user:realm:HA1``; text after a third colon is ignored."""
    ended = data if data.endswith(b"\n") else data + b"\n"
    if _PLAIN_DIGESTS.fullmatch(ended):
        found = [line for line in _PLAIN_DIGEST.findall(ended) if line[0]]
        found.reverse()  # so that the first line of a user wins
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
    """Return a user's name as text: decoded as UTF-8 if it is valid, otherwise as ISO-8859-1."""
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("latin-1")


def _decoded(names: Iterable[bytes]) -> frozenset[str]:
    """Return names as text, decoded all at once if they are UTF-8."""
    # No name of a file holds a line feed.
    whole = b"\n".join(names)
    try:
        return frozenset(whole.decode().split("\n")) if whole else frozenset()
    except UnicodeDecodeError:
        return frozenset(map(decode_name, whole.split(b"\n")))


def _is_hash(field: bytes, digits: int) -> bool:
    return len(field) == digits and not field.translate(None, _HEX_DIGITS)
