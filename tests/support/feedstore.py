"""A store in memory for feeds, and feeds composed from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions import parse
from kalends.feeds.definitions.model import Feed, Rules

CHANGED = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z, microseconds: when everything changed last, unless told otherwise."""

TODAY = datetime(2026, 1, 10, 12, tzinfo=UTC)


@dataclass(frozen=True)
class State:
    """A calendar."""

    id: int
    path: str
    modseq: int
    changed: int
    life: str = "life"
    props: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """An object."""

    id: int
    calendar: int
    uid: str
    component: str
    modseq: int
    changed: int
    data: bytes


class Store:
    """A store in memory, where everything changed at the same time.

    Args:
        paths: of the calendars, which get the numbers 1, 2, 3…

    Attributes:
        away: the numbers of calendars that are in no feed.
        read: of which calendars all objects were read.
    """

    def __init__(self, *paths: str) -> None:
        self.paths = dict(enumerate(paths or ("alice/1", "alice/2", "alice/3"), 1))
        self.modseqs = dict.fromkeys(self.paths, 1)
        self.props: dict[int, dict[str, str]] = {number: {} for number in self.paths}
        self.away: set[int] = set()
        self.read: list[int] = []
        self.stored: dict[tuple[int, str], Stored] = {}
        self.gone: list[tuple[int, int, int, str]] = []
        self.next_id = 1

    def put(self, calendar: int, uid: str, data: bytes) -> None:
        """Write an object."""
        self.modseqs[calendar] += 1
        old = self.stored.get((calendar, uid))
        number = old.id if old else self.next_id
        self.next_id += 0 if old else 1
        modseq = self.modseqs[calendar]
        stored = Stored(number, calendar, uid, "VEVENT", modseq, CHANGED, data)
        self.stored[calendar, uid] = stored

    def remove(self, calendar: int, uid: str) -> None:
        """Remove an object."""
        old = self.stored.pop((calendar, uid), None)
        if old:
            self.modseqs[calendar] += 1
            self.gone.append((calendar, self.modseqs[calendar], old.id, uid))

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        """The store itself: nobody else writes."""
        yield self

    def calendars(self) -> list[State]:
        return [
            State(number, path, self.modseqs[number], CHANGED, props=self.props[number])
            for number, path in self.paths.items()
            if number not in self.away
        ]

    def objects(self, calendar: int) -> Iterator[Stored]:
        self.read.append(calendar)
        yield from self._objects(calendar)

    def changed_since(self, calendar: int, modseq: int) -> Iterator[Stored]:
        yield from (s for s in self._objects(calendar) if s.modseq > modseq)

    def _objects(self, calendar: int) -> list[Stored]:
        found = [s for s in self.stored.values() if s.calendar == calendar]
        return sorted(found, key=lambda s: s.uid)

    def removed_since(self, calendar: int, modseq: int) -> list[tuple[int, str]]:
        return [(number, uid) for c, m, number, uid in self.gone if c == calendar and m > modseq]

    def copies(self, calendars: Collection[int], uids: Collection[str]) -> Iterator[Stored]:
        yield from (s for s in self.stored.values() if s.calendar in calendars and s.uid in uids)

    def shared_uids(self, calendars: Collection[int]) -> set[str]:
        seen = [s.uid for s in self.stored.values() if s.calendar in calendars]
        return {uid for uid in seen if seen.count(uid) > 1}

    def oldest_change(self, calendar: int) -> int:
        return 0


class Everyone:
    """The accounts that have homes in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> frozenset[str]:
        return frozenset(path.partition("/")[0] for path in self._store.paths.values())

    def has(self, name: str) -> bool:
        return name in self.names()

    def members(self, group: str) -> frozenset[str]:
        return frozenset()


def versions_in(folder: Path, store: Store, today: datetime = TODAY) -> FeedCache:
    """The versions of the store's feeds, as of a day."""
    return FeedCache(folder, store, Everyone(store), lambda: today, composed=None)


def composed(folder: Path, store: Store, feed: Feed, today: datetime = TODAY) -> bytes:
    """The newest version of a feed, whole."""
    _, file = versions_in(folder, store, today).open(feed)
    with file:
        return file.read()


def feed_with(rules: Rules) -> Feed:
    """A feed of all calendars."""
    text = '[feed.all]\ncalendars = ["*/*"]\naccess = "login"\n'
    return replace(parse.parse(text, "feeds.toml").named["all"], rules=rules)
