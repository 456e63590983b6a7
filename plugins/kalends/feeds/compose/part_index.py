"""Index of the parts of the newest version of a feed, from which the next one can be composed.

A small database beside the versions: for each object in the feed its sort key, the length of its
text and a digest of it, the time zones that it uses, and the date on which it leaves the window of
the feed. It is a cache: without it a version is composed from scratch.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

from kalends.common import private
from kalends.feeds.compose.content_digest import TABLES as _CHUNKS
from kalends.feeds.compose.content_digest import ContentDigest, PartKey
from kalends.feeds.compose.select import UnreadableObject
from kalends.feeds.compose.timezones import ZoneDefinition
from kalends.store.objects.read import ObjectRow

COMPOSER = 6
"""The version of the composer; increase it when equal calendars give other octets than before, or
when these tables change."""

_TABLES = f"""{_CHUNKS}
CREATE TABLE part (path TEXT, uid TEXT, id INTEGER, length INTEGER, zones TEXT, leaves TEXT,
                   digest BLOB, PRIMARY KEY (path, uid, id)) WITHOUT ROWID;
CREATE INDEX part_uid ON part (uid);
CREATE INDEX part_leaves ON part (leaves);
CREATE TABLE sharer (calendar INTEGER, uid TEXT, PRIMARY KEY (calendar, uid)) WITHOUT ROWID;
CREATE INDEX sharer_uid ON sharer (uid);
CREATE TABLE unreadable (path TEXT, uid TEXT, id INTEGER, why TEXT);
CREATE TABLE zone (tzid TEXT, digest TEXT, text BLOB, uses INTEGER, PRIMARY KEY (tzid, digest));
CREATE TABLE state (what TEXT PRIMARY KEY, value TEXT);
"""


class PartIndex:
    """The parts of one version; changes are committed when the `open_part_index` block succeeds."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._content = ContentDigest(connection)

    @property
    def state(self) -> dict[str, str]:
        """The values recorded by `record_version`: the version and its calendars."""
        return dict(self._connection.execute("SELECT what, value FROM state"))

    def record_version(self, **values: str) -> None:
        """Record values that describe the version."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO state VALUES (?, ?)", list(values.items())
        )

    def clear(self) -> None:
        """Delete everything."""
        for table in ("part", "zone", "state", "sharer", "unreadable"):
            self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - constant names
        self._content.clear()

    def find(self, uids: Collection[str]) -> list[tuple[PartKey, int]]:
        """Return the parts from objects with these UIDs, each with its length in octets."""
        found = []
        for uid in uids:
            rows = self._connection.execute(
                "SELECT path, uid, id, length FROM part WHERE uid = ?", (uid,)
            )
            found += [(PartKey(path, name, number), length) for path, name, number, length in rows]
        return found

    def count(self) -> int:
        """Return the number of parts."""
        (number,) = self._connection.execute("SELECT count(*) FROM part").fetchone()
        return int(number)

    def offsets(self, keys: Collection[PartKey]) -> dict[PartKey, int]:
        """Return the number of octets before each of these keys, in one walk over the parts."""
        found: dict[PartKey, int] = {}
        before, total = PartKey("", "", 0), 0
        for key in sorted(keys):
            row = self._connection.execute(
                "SELECT TOTAL(length) FROM part"
                " WHERE (path, uid, id) >= (?, ?, ?) AND (path, uid, id) < (?, ?, ?)",
                (*before, *key),
            ).fetchone()
            total += int(row[0])
            found[key] = total
            before = key
        return found

    def uids_leaving(self, today: date) -> list[str]:
        """Return the UIDs of the parts that the feed no longer shows on the UTC date ``today``."""
        rows = self._connection.execute(
            "SELECT uid FROM part WHERE leaves <= ?", (today.isoformat(),)
        )
        return [uid for (uid,) in rows]

    def add(
        self,
        key: PartKey,
        octets: bytes,
        zones: Mapping[ZoneDefinition, bytes],
        leaving_date: date | None,
    ) -> None:
        """Add a part.

        Args:
            key: its sort key.
            octets: its text.
            zones: the time zone definitions that it uses, with their texts.
            leaving_date: the first UTC date on which it is no longer shown, or None.
        """
        last = leaving_date.isoformat() if leaving_date else None
        digest = self._content.add(key, octets)
        self._connection.execute(
            "INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, len(octets), json.dumps(list(zones)), last, digest),
        )
        for zone, text in zones.items():
            self._connection.execute(
                "INSERT INTO zone VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET uses = uses + 1",
                (*zone, text),
            )

    def remove(self, key: PartKey) -> None:
        """Remove a part and its use of definitions."""
        where = "WHERE (path, uid, id) = (?, ?, ?)"
        row = self._connection.execute(f"SELECT zones, digest FROM part {where}", key).fetchone()  # noqa: S608
        self._connection.execute(f"DELETE FROM part {where}", key)  # noqa: S608
        self._content.remove(key, row[1])
        for zone in json.loads(row[0]):
            self._connection.execute(
                "UPDATE zone SET uses = uses - 1 WHERE (tzid, digest) = (?, ?)", zone
            )
        self._connection.execute("DELETE FROM zone WHERE uses <= 0")

    def content_digest(self, head: bytes) -> str:
        """Return the digest of the version that consists of a head and the parts, in hex."""
        return self._content.compute(head)

    def zones(self) -> dict[ZoneDefinition, bytes]:
        """Return the definitions in use, each with its text."""
        rows = self._connection.execute("SELECT tzid, digest, text FROM zone")
        return {ZoneDefinition(tzid, digest): text for tzid, digest, text in rows}

    def unreadable(self) -> list[UnreadableObject]:
        """Return the objects that are omitted because they cannot be read."""
        rows = self._connection.execute(
            "SELECT path, uid, id, why FROM unreadable ORDER BY 1, 2, 3"
        )
        return [UnreadableObject(*row) for row in rows]

    def record_unreadable(self, one: UnreadableObject) -> None:
        """Record an object that is omitted."""
        row = (one.path, one.uid, one.id, one.why)
        self._connection.execute("INSERT INTO unreadable VALUES (?, ?, ?, ?)", row)

    def record_shared(self, objects: Collection[ObjectRow]) -> None:
        """Record the calendars that share a UID: a copy in one may replace a copy in another.

        Args:
            objects: the objects; for each UID all of its copies.
        """
        often = Counter(one.uid for one in objects)
        rows = [(one.collection_id, one.uid) for one in objects if often[one.uid] > 1]
        self._connection.executemany("INSERT OR IGNORE INTO sharer VALUES (?, ?)", rows)

    def delete_records(self, uids: Collection[str]) -> None:
        """Delete the records of objects with these UIDs, except for their parts."""
        rows = [(uid,) for uid in uids]
        self._connection.executemany("DELETE FROM unreadable WHERE uid = ?", rows)
        self._connection.executemany("DELETE FROM sharer WHERE uid = ?", rows)

    def uids_in_calendar(self, path: str, calendar: int) -> list[str]:
        """Return the UIDs that are affected if a calendar joins or leaves the feed."""
        rows = self._connection.execute(
            "SELECT uid FROM part WHERE path = ?1 UNION SELECT uid FROM unreadable WHERE path = ?1"
            " UNION SELECT uid FROM sharer WHERE calendar = ?2",
            (path, calendar),
        )
        return [uid for (uid,) in rows]


def read_unreadable(path: Path) -> list[UnreadableObject]:
    """Return the objects that the newest version omits; an empty list if there is no index."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return PartIndex(connection).unreadable()
        except sqlite3.DatabaseError:  # of another version or damaged; it will be replaced
            return []


@contextmanager
def open_part_index(path: Path) -> Iterator[PartIndex]:
    """Open the index at ``path``; create it if it is missing or damaged.

    The caller must hold the lock of the feed.
    """
    try:
        connection = _connect(path)
    except sqlite3.DatabaseError:
        path.unlink(missing_ok=True)
        connection = _connect(path)
    try:
        with connection:
            connection.execute("BEGIN")
            yield PartIndex(connection)
    finally:
        connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    private.create_if_missing(path)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        # It can be rebuilt from the store, so nothing waits for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        # But the journal is on disk: a killed worker must not leave half of a transaction.
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        known = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'state'")
        if not known.fetchone()[0]:
            connection.executescript(f"PRAGMA user_version = {COMPOSER}; {_TABLES}")
        (made_by,) = connection.execute("PRAGMA user_version").fetchone()
        if made_by != COMPOSER:
            raise sqlite3.DatabaseError("the index was written by another version of Kalends")
    except BaseException:
        connection.close()
        raise
    return connection
