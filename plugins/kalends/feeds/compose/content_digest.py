"""Digest of the octets of a version, at a cost that follows the change.

Each part has a digest of its text. The parts, in their order, are cut into chunks: a part whose
digest begins with a zero octet is the last of its chunk, so on average one of 256. The cuts depend
on nothing but the texts, so equal octets have equal digests, however they came about. A change
costs the digests of its own chunk, and one for each chunk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

DIGEST_BYTES = 16

TABLES = """
CREATE TABLE chunk (path TEXT, uid TEXT, id INTEGER, digest BLOB,
                    PRIMARY KEY (path, uid, id)) WITHOUT ROWID;
"""
"""A row for each chunk, by the key of its last part; the table ``part`` has the parts."""


class PartKey(NamedTuple):
    """Sort key of an object; the order of keys is the order of the objects in a feed."""

    path: str
    uid: str
    id: int


# The parts after the last cut are a chunk as well. SQLite sorts each blob after all texts.
_End = tuple[str | bytes, str, int]
_LAST: _End = (b"", "", 0)
_BEFORE_ALL: _End = ("", "", -1)


class ContentDigest:
    """The digest of the parts in an index, while they are changed.

    Args:
        connection: the database of the index.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._changed: set[PartKey] = set()
        self._is_new = False

    def clear(self) -> None:
        """Record that all parts were removed."""
        self._connection.execute("DELETE FROM chunk")
        self._is_new = True

    def add(self, key: PartKey, octets: bytes) -> bytes:
        """Record that a part is added, and return the digest of its text."""
        digest = sha256(octets).digest()[:DIGEST_BYTES]
        if _is_cut(digest):
            self._connection.execute("INSERT INTO chunk VALUES (?, ?, ?, NULL)", key)
        self._changed.add(key)
        return digest

    def remove(self, key: PartKey, digest: bytes) -> None:
        """Record that a part with this digest is removed."""
        if _is_cut(digest):
            self._connection.execute("DELETE FROM chunk WHERE (path, uid, id) = (?, ?, ?)", key)
        self._changed.add(key)

    def compute(self, head: bytes) -> str:
        """Return the digest of a version with this head and the parts, in hex."""
        for end in self._changed_ends():
            self._update(end)
        self._changed.clear()
        self._is_new = False
        whole = sha256(sha256(head).digest())
        for (digest,) in self._connection.execute(
            "SELECT digest FROM chunk ORDER BY path, uid, id"
        ):
            whole.update(digest)
        return whole.hexdigest()[: 2 * DIGEST_BYTES]

    def _changed_ends(self) -> set[_End]:
        """Return the ends of the chunks that have other parts than before."""
        if self._is_new:
            return {_LAST, *self._connection.execute("SELECT path, uid, id FROM chunk")}
        ends: set[_End] = set()
        for key in self._changed:
            end = self._end_from(">=", key)
            ends.add(end)
            if end == key:  # a new cut has divided a chunk
                ends.add(self._end_from(">", key))
        return ends

    def _end_from(self, comparison: str, key: PartKey) -> _End:
        row = self._connection.execute(
            f"SELECT path, uid, id FROM chunk WHERE (path, uid, id) {comparison} (?, ?, ?)"  # noqa: S608 - a constant
            " ORDER BY path, uid, id LIMIT 1",
            key,
        ).fetchone()
        return row or _LAST

    def _update(self, end: _End) -> None:
        """Compute the digest of a chunk again; the last one has no row if it is empty."""
        row = self._connection.execute(
            "SELECT path, uid, id FROM chunk WHERE (path, uid, id) < (?, ?, ?)"
            " ORDER BY path DESC, uid DESC, id DESC LIMIT 1",
            end,
        ).fetchone()
        digests = b"".join(self._digests(row or _BEFORE_ALL, end))
        if digests:
            values = (*end, sha256(digests).digest())
            self._connection.execute("INSERT OR REPLACE INTO chunk VALUES (?, ?, ?, ?)", values)
        else:
            self._connection.execute("DELETE FROM chunk WHERE (path, uid, id) = (?, ?, ?)", end)

    def _digests(self, after: _End, end: _End) -> Iterator[bytes]:
        """Yield the digests of the parts after one key and up to another, in their order."""
        rows = self._connection.execute(
            "SELECT digest FROM part WHERE (path, uid, id) > (?, ?, ?)"
            " AND (path, uid, id) <= (?, ?, ?) ORDER BY path, uid, id",
            (*after, *end),
        )
        return (digest for (digest,) in rows)


def _is_cut(digest: bytes) -> bool:
    return digest[0] == 0
