"""Cache of composed versions on disk: one file for each, shared by the workers of a host."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import logging
import shutil
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import astuple
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from kalends.common import atomicfile, private
from kalends.common.budget import Steps
from kalends.feeds.compose.incremental import PARTS, compose_feed, version_name
from kalends.feeds.compose.part_index import COMPOSER, read_unreadable
from kalends.feeds.compose.select import UnreadableObject
from kalends.feeds.definitions.model import Feed
from kalends.feeds.state import FeedState
from kalends.feeds.version import FeedVersion
from kalends.store.feed_queries import FeedSnapshot, FeedSource

_log = logging.getLogger("kalends.feeds")

LOCK = ".lock"
"""The name of the file whose lock a composition holds, in the folder of the versions."""

GOOD = "good.json"
"""The name of the record of the version that was composed last."""

_VERSIONS_KEPT = 10_000


class VersionCache(ABC):
    """Versions of feeds, each composed on demand and once per host.

    Args:
        folder: the folder of the cache.
        make_folder: creates the folder if it is missing.
        source: the store.
        now: returns the current time.
        on_composed: called with the duration of each composition in seconds, or None.
        steps: what reading an object may cost.
    """

    def __init__(
        self,
        folder: Path,
        make_folder: Callable[[], None],
        source: FeedSource,
        now: Callable[[], datetime],
        *,
        on_composed: Callable[[float], None] | None,
        steps: Steps,
    ) -> None:
        self._folder = folder
        self._make_folder = make_folder
        self._source = source
        self._now = now
        self._versions: dict[str, FeedVersion] = {}
        self._on_composed = on_composed
        self._steps = steps

    @abstractmethod
    def state_in(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """Return the state of a feed in a snapshot.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """

    def state(self, feed: Feed) -> FeedState:
        """Return the current state of a feed.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        with self._source.snapshot() as snapshot:
            return self.state_in(feed, snapshot)

    def version(self, feed: Feed, state: FeedState) -> FeedVersion | None:
        """Return the version of a state; None if it has not been composed yet."""
        known = self._versions.get(feed.name)
        if known is None or known.state != state.key:
            known = version_in(self.record(feed))
            if known is None or known.state != state.key:
                return None
            self._remember(feed, known)
        return known

    def open(self, feed: Feed, coding: str = "") -> tuple[FeedVersion, BinaryIO]:
        """Open the newest version of a feed; compose it first if necessary.

        Args:
            feed: the feed.
            coding: the content coding: ``gzip``, or empty for the text itself.

        Returns:
            The version, and the open file.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        version = self.version(feed, self.state(feed))
        found = open_if_there(self.path(feed, version, coding)) if version else None
        if version and found:
            return version, found
        try:
            with self._locked(feed):
                return self._open_new(feed, coding)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
        _log.error(
            "feed %s: no space left in %s; composing it in the temporary folder",
            feed.name,
            self._folder,
        )
        return self.open_temporary(feed, coding)

    def unreadable(self, feed: Feed) -> list[UnreadableObject]:
        """Return the objects that the newest version omits because they cannot be read."""
        return read_unreadable(self.feed_folder(feed) / PARTS)

    def discard(self, feed: Feed) -> None:
        """Delete all versions of a feed, so that the next one is composed from scratch."""
        with self._locked(feed):
            for path in self.feed_folder(feed).iterdir():
                if path.name not in (LOCK, GOOD):  # the next version has a later date
                    path.unlink()

    def _open_new(self, feed: Feed, coding: str) -> tuple[FeedVersion, BinaryIO]:
        # Check again after the wait for the lock: many writes at once cost one composition.
        with self._source.snapshot() as snapshot:
            state = self.state_in(feed, snapshot)
            version = self.version(feed, state)
            if version is None or not self.path(feed, version).exists():
                version = self._compose(feed, snapshot, state)
        path = self.path(feed, version)
        if coding:
            coded = self.path(feed, version, coding)
            if not coded.exists():
                _compress(path, coded)
            path = coded
        return version, path.open("rb")

    def _compose(self, feed: Feed, snapshot: FeedSnapshot, state: FeedState) -> FeedVersion:
        folder = self.feed_folder(feed)
        content = self._compose_in(folder, feed, snapshot, state)
        version = self._following(feed, state, content)
        _write_record(folder / GOOD, feed, state, version)
        self._remember(feed, version)
        current = self.path(feed, version)
        for old in folder.glob("*.ics"):  # a reader of one of them holds it open
            if old != current:
                old.unlink(missing_ok=True)
                old.with_suffix(".gz").unlink(missing_ok=True)
        return version

    def _remember(self, feed: Feed, version: FeedVersion) -> None:
        if len(self._versions) >= _VERSIONS_KEPT:
            self._versions.clear()  # the records on disk have them too
        self._versions[feed.name] = version

    def _following(self, feed: Feed, state: FeedState, content: str) -> FeedVersion:
        """Return the version with these octets, as it follows the last one."""
        previous = version_in(self.record(feed))
        return FeedVersion.after(previous, state.key, content, self._now().timestamp())

    def _compose_in(
        self, folder: Path, feed: Feed, snapshot: FeedSnapshot, state: FeedState
    ) -> str:
        """Compose a version into a folder, and return its digest."""
        began = time.perf_counter()
        result = compose_feed(snapshot, state.calendars, feed, state.day, folder, self._steps)
        if self._on_composed:
            self._on_composed(time.perf_counter() - began)
        for one in result.unreadable:
            what = "a whole collection" if feed.rules.whole else f"feed {feed.name}"
            _log.warning("%s: left out because it cannot be read: %s", what, one)
        return result.content

    def open_temporary(self, feed: Feed, coding: str) -> tuple[FeedVersion, BinaryIO]:
        """Compose the newest version where it is deleted once it has been read, and open it."""
        with tempfile.TemporaryDirectory() as name, self._source.snapshot() as snapshot:
            folder = Path(name)
            state = self.state_in(feed, snapshot)
            content = self._compose_in(folder, feed, snapshot, state)
            # Its date cannot be recorded, so that the next version could have the same one.
            version = FeedVersion(state.key, content, None, 0)
            path = folder / version_name(content)
            if coding:
                _compress(path, path.with_suffix(".gz"))
                path = path.with_suffix(".gz")
            return version, path.open("rb")

    @contextmanager
    def _locked(self, feed: Feed) -> Iterator[None]:
        folder = self.feed_folder(feed)
        if not self._folder.is_dir():  # before the first `serve`
            self._make_folder()
        private.make_folder(folder)
        with private.open_for_writing(folder / LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def path(self, feed: Feed, version: FeedVersion, coding: str = "") -> Path:
        """Return the path of a version's file, which may not exist."""
        return self.feed_folder(feed) / version_name(version.content, coding)

    def record(self, feed: Feed) -> dict[str, Any]:
        """Return the record of the version that was composed last; empty if there is none."""
        try:
            found: dict[str, Any] = json.loads((self.feed_folder(feed) / GOOD).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def feed_folder(self, feed: Feed) -> Path:
        """Return the folder with the versions of a feed, which may not exist."""
        # A name may contain characters that a file system does not accept.
        return self._folder / sha256(feed.name.encode()).hexdigest()[:32]


def definition_key(feed: Feed) -> str:
    """Return the part of a definition that decides which data a reader may see."""
    return repr((COMPOSER, feed.rules, feed.calendars))


def _write_record(path: Path, feed: Feed, state: FeedState, version: FeedVersion) -> None:
    record = {
        "version": astuple(version),
        "definition": definition_key(feed),
        "calendars": [calendar.id for calendar in state.calendars],
    }
    temporary = path.with_suffix(".tmp")
    with private.open_for_writing(temporary) as file:
        file.write(json.dumps(record).encode())
    atomicfile.move_into_place(temporary, path, durable=False)


def version_in(record: Mapping[str, Any]) -> FeedVersion | None:
    """Return the version in a record; None if it is empty or of an earlier version of Kalends."""
    return FeedVersion(*record["version"]) if "version" in record else None


def open_if_there(path: Path) -> BinaryIO | None:
    """Open a file for reading; None if it does not exist."""
    with suppress(FileNotFoundError):
        return path.open("rb")
    return None


def _compress(source: Path, target: Path) -> None:
    temporary = target.with_suffix(".tmp")
    # The header gets neither a time nor a name, so that equal text gives equal octets.
    with (
        source.open("rb") as text,
        private.open_for_writing(temporary) as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(text, packed, 1 << 18)
    atomicfile.move_into_place(temporary, target, durable=False)
