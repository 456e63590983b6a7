"""Cache of whole calendars and address books, each a feed of one collection for its readers."""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kalends.common import private
from kalends.common.budget import Steps
from kalends.errors import StoreUnavailableError
from kalends.events import Committed
from kalends.feeds.compose.part_index import COMPOSER
from kalends.feeds.compose.whole import RULES
from kalends.feeds.definitions.model import Access, Feed
from kalends.feeds.publish.background import BackgroundLoop
from kalends.feeds.publish.folder import VERSIONS, make_feeds_folder
from kalends.feeds.state import FeedState
from kalends.feeds.version import FeedVersion
from kalends.feeds.version_cache import GOOD, LOCK, VersionCache
from kalends.store.collections import CollectionRow
from kalends.store.feed_queries import CalendarState, FeedSnapshot, FeedSource, state_of
from kalends.store.sync_tokens import ctag_of

_log = logging.getLogger("kalends.feeds")

_COLLECTIONS = ".collections"
_UNUSED_SECONDS = 30 * 86_400
"""The time after which the file of a collection that nobody has asked for is deleted."""
_MOST_OCTETS = 2 << 30
"""The octets of all files; beyond them, those that were asked for least recently are deleted."""
_PRUNE_SECONDS = 600


class CollectionGoneError(Exception):
    """The collection was deleted after it was found."""


class CollectionCache(VersionCache):
    """The whole collections that have been asked for, each in one file for all of its readers.

    Args:
        folder: the folder of the cache; None to compose each answer anew.
        make_folder: creates the folder if it is missing.
        source: the store.
        now: returns the current time.
        on_composed: called with the duration of each composition in seconds, or None.
        steps: what reading an object may cost.
    """

    def __init__(
        self,
        folder: Path | None,
        make_folder: Callable[[], None],
        source: FeedSource,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_composed: Callable[[float], None] | None,
        steps: Steps,
    ) -> None:
        super().__init__(
            folder or Path(), make_folder, source, now, on_composed=on_composed, steps=steps
        )
        self._has_folder = folder is not None
        self._pruned = 0.0
        self._background = BackgroundLoop("pruning whole collections", self._prune_if_due)
        self.start = self._background.start
        self.stop = self._background.stop

    def state_in(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """Return the state of the collection of a feed of `feed_of`.

        Raises:
            CollectionGoneError: it was deleted.
        """
        found = snapshot.collection(_number(feed))
        if found is None:
            raise CollectionGoneError
        return _state(found, self._now())

    def open_whole(self, row: CollectionRow, coding: str) -> tuple[FeedVersion, BinaryIO]:
        """Open the newest version of a collection; compose it first if necessary.

        Args:
            row: a calendar or an address book.
            coding: the content coding: ``gzip``, or empty for the text itself.

        Raises:
            CollectionGoneError: it was deleted.
        """
        feed = feed_of(row)
        if not self._has_folder:
            return self.open_temporary(feed, coding)
        try:
            found = self.open(feed, coding)
        except OSError as error:
            _log.error("/%s/ cannot be kept in %s: %s", row.path, self._folder, error.strerror)
            return self.open_temporary(feed, coding)
        self.keep(row)
        return found

    def known_version(self, row: CollectionRow) -> FeedVersion | None:
        """Return the version of a collection in this state; None if it has not been composed."""
        if not self._has_folder:
            return None
        return self.version(feed_of(row), _state(state_of(row), self._now()))

    def keep(self, row: CollectionRow) -> None:
        """Record that a collection has been asked for."""
        with suppress(OSError):
            os.utime(self.feed_folder(feed_of(row)) / GOOD)

    def feed_folder(self, feed: Feed) -> Path:
        """Return the folder with the versions of a collection, which may not exist."""
        return self._folder / feed.name

    def follow(self, committed: Committed) -> None:
        """Delete the files of collections that a commit has deleted, soon."""
        if any(change.kind == "collection" for change in committed.changes):
            self._pruned = 0.0
            self._background.wake()

    def prune(self) -> None:
        """Delete the files of collections that are gone, or that nobody has asked for of late.

        Raises:
            StoreUnavailableError: the store is unavailable now.
        """
        if not self._has_folder or not self._folder.is_dir():
            return
        with self._source.snapshot() as snapshot:
            names = {str(number) for number in snapshot.collection_ids()}
        least = self._now().timestamp() - _UNUSED_SECONDS
        octets = 0
        found = ((_asked(folder), folder) for folder in self._folder.iterdir())
        for asked, folder in sorted(found, reverse=True):
            octets += _octets(folder)
            if folder.name not in names or asked < least or octets > _MOST_OCTETS:
                _remove(folder)

    def _prune_if_due(self) -> None:
        if time.monotonic() - self._pruned < _PRUNE_SECONDS and self._pruned:
            return
        self._pruned = time.monotonic()
        try:
            self.prune()
        except StoreUnavailableError:  # then nothing can be deleted from it either
            self._pruned = 0.0
        except OSError as error:
            _log.error("pruning %s: %s; will be retried", self._folder, error)


def collection_cache(
    feeds_folder: Path | None,
    own_folder: Path | None,
    source: FeedSource,
    *,
    on_composed: Callable[[float], None] | None,
    steps: Steps,
) -> CollectionCache:
    """Return the cache of an installation.

    Args:
        feeds_folder: the folder of published feeds; None if there are no feeds.
        own_folder: a folder of this host for that case; None if there is none.
        source: the store.
        on_composed: called with the duration of each composition in seconds, or None.
        steps: what reading an object may cost.
    """
    if feeds_folder:
        folder = feeds_folder / VERSIONS / _COLLECTIONS

        def make_folder() -> None:
            make_feeds_folder(feeds_folder)
            private.make_folder(folder)

        return CollectionCache(folder, make_folder, source, on_composed=on_composed, steps=steps)
    own = own_folder / _COLLECTIONS if own_folder else None
    make_own = partial(private.make_folder, own or Path())
    return CollectionCache(own, make_own, source, on_composed=on_composed, steps=steps)


def etag_of(found: FeedVersion | CollectionRow, coding: str) -> str:
    """Return the strong entity tag of a whole collection, in its present state or in a version.

    It is made of the state that the octets follow from, as the collection's other tags are: so a
    client that has read the collection can write it under If-Match.
    """
    if isinstance(found, CollectionRow):
        state = ctag_of(found)[1:-1]
    else:
        state = found.state.partition("/")[0]
    return f'"{state}-{coding}"' if coding else f'"{state}"'


def feed_of(row: CollectionRow) -> Feed:
    """Return the feed that shows everything of a calendar or an address book."""
    # Access is what the collection's own rights say.
    return Feed(str(row.id), None, (), Access("list"), RULES[row.tag])


def _number(feed: Feed) -> int:
    return int(feed.name)


def _state(found: CalendarState, now: datetime) -> FeedState:
    # A composer of another version of Kalends makes other octets of the same state.
    key = f"{found.incarnation}-{found.modseq}/{COMPOSER}"
    return FeedState(key, found.changed // 1_000_000, (found,), now.astimezone(UTC).date())


def _asked(folder: Path) -> float:
    with suppress(OSError):
        return (folder / GOOD).stat().st_mtime
    return folder.stat().st_mtime


def _octets(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _remove(folder: Path) -> None:
    """Delete a folder of versions, unless one of them is being composed."""
    with private.open_for_writing(folder / LOCK) as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
