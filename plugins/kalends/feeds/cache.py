"""Cache of composed feeds on disk: one file per version, shared by the workers of a host."""

from __future__ import annotations

import errno
import fcntl
import gzip
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from kalends.common import atomicfile, private
from kalends.common.budget import USUAL_STEPS, Steps
from kalends.errors import StoreUnavailableError, UserFileUnavailableError
from kalends.feeds.accounts import Accounts
from kalends.feeds.compose.incremental import PARTS, compose_feed, version_name
from kalends.feeds.compose.part_index import COMPOSER, read_unreadable
from kalends.feeds.compose.select import UnreadableObject
from kalends.feeds.definitions.model import Feed
from kalends.feeds.publish.folder import make_feeds_folder
from kalends.feeds.state import FeedState, StoreViews, may_include
from kalends.feeds.version import FeedVersion
from kalends.store.feed_queries import FeedSnapshot, FeedSource

_log = logging.getLogger("kalends.feeds")

_LOCK = ".lock"
_GOOD = "good.json"


class FeedCache:
    """The versions of feeds, each composed on demand and once per host.

    Args:
        folder: the folder of the cache, in that of published files; created if it is missing.
        source: the store.
        accounts: the accounts and groups.
        now: returns the current time, for feeds with a window.
        on_composed: called with the duration of each composition in seconds, or None.
        steps: what reading an object may cost.
    """

    def __init__(
        self,
        folder: Path,
        source: FeedSource,
        accounts: Accounts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_composed: Callable[[float], None] | None,
        steps: Steps = USUAL_STEPS,
    ) -> None:
        self._folder = folder
        self._source = source
        self._views = StoreViews(accounts, now, steps)
        self._now = now
        self._versions: dict[str, FeedVersion] = {}
        self._on_composed = on_composed
        self._steps = steps

    def state(self, feed: Feed) -> FeedState:
        """Return the current state of a feed.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self.states([feed])[0]

    def states(self, feeds: Sequence[Feed]) -> list[FeedState]:
        """Return the state of each of these feeds, all at the same moment.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        with self._source.snapshot() as snapshot:
            view, today = self._views.for_snapshot(snapshot), self._views.today()
            return [view.state(feed, today) for feed in feeds]

    def version(self, feed: Feed, state: FeedState) -> FeedVersion | None:
        """Return the version of a state; None if it has not been composed yet."""
        known = self._versions.get(feed.name)
        if known is None or known.state != state.key:
            known = _version_in(self._read_record(feed))
            if known is None or known.state != state.key:
                return None
            self._versions[feed.name] = known
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
        found = _open(self._path(feed, version, coding)) if version else None
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
        return self._open_temporary(feed, coding)

    def last_good(self, feed: Feed) -> tuple[FeedVersion, BinaryIO] | None:
        """Open the version that was composed last, for use when a new one cannot be composed.

        Returns:
            The version, and the open file; None if the definition has changed since, or if a
            calendar in it is known to have left the feed.
        """
        record = self._read_record(feed)
        version = _version_in(record)
        if version is None or record["definition"] != _definition_key(feed):
            return None
        if not self._is_still_shown(feed, frozenset(record["calendars"])):
            return None
        file = _open(self._path(feed, version))
        return (version, file) if file else None

    def _is_still_shown(self, feed: Feed, numbers: frozenset[int]) -> bool:
        try:
            with self._source.snapshot() as snapshot:
                shown = {c.id for c in snapshot.calendars() if may_include(c, feed)}
                with suppress(UserFileUnavailableError):  # then no calendar is known to have left
                    shown &= {
                        c.id for c in self._views.for_snapshot(snapshot).merged_calendars(feed)
                    }
        except StoreUnavailableError:
            return True
        return numbers <= shown

    def unreadable(self, feed: Feed) -> list[UnreadableObject]:
        """Return the objects that the newest version omits because they cannot be read."""
        return read_unreadable(self._feed_folder(feed) / PARTS)

    def discard(self, feed: Feed) -> None:
        """Delete all versions of a feed, so that the next one is composed from scratch."""
        with self._locked(feed):
            for path in self._feed_folder(feed).iterdir():
                if path.name not in (_LOCK, _GOOD):  # the next version has a later date
                    path.unlink()

    def state_in(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """Return the state of a feed in a snapshot.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self._views.state(feed, snapshot)

    def _open_new(self, feed: Feed, coding: str) -> tuple[FeedVersion, BinaryIO]:
        # Check again after the wait for the lock: many writes at once cost one composition.
        with self._source.snapshot() as snapshot:
            state = self.state_in(feed, snapshot)
            version = self.version(feed, state)
            if version is None or not self._path(feed, version).exists():
                version = self._compose(feed, snapshot, state)
        path = self._path(feed, version)
        if coding:
            coded = self._path(feed, version, coding)
            if not coded.exists():
                _compress(path, coded)
            path = coded
        return version, path.open("rb")

    def _compose(self, feed: Feed, snapshot: FeedSnapshot, state: FeedState) -> FeedVersion:
        folder = self._feed_folder(feed)
        content = self._compose_in(folder, feed, snapshot, state)
        version = self._following(feed, state, content)
        _write_record(folder / _GOOD, feed, state, version)
        self._versions[feed.name] = version
        current = self._path(feed, version)
        for old in folder.glob("*.ics"):  # a reader of one of them holds it open
            if old != current:
                old.unlink(missing_ok=True)
                old.with_suffix(".gz").unlink(missing_ok=True)
        return version

    def _following(self, feed: Feed, state: FeedState, content: str) -> FeedVersion:
        """Return the version with these octets, as it follows the last one."""
        previous = _version_in(self._read_record(feed))
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
            _log.warning("feed %s: left out because it cannot be read: %s", feed.name, one)
        return result.content

    def _open_temporary(self, feed: Feed, coding: str) -> tuple[FeedVersion, BinaryIO]:
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
        folder = self._feed_folder(feed)
        if not self._folder.is_dir():  # before the first `serve`
            make_feeds_folder(self._folder.parent)
        private.make_folder(folder)
        with private.open_for_writing(folder / _LOCK) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, feed: Feed, version: FeedVersion, coding: str = "") -> Path:
        return self._feed_folder(feed) / version_name(version.content, coding)

    def _read_record(self, feed: Feed) -> dict[str, Any]:
        """Return the record of the version that was composed last; empty if there is none."""
        try:
            found: dict[str, Any] = json.loads((self._feed_folder(feed) / _GOOD).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def _feed_folder(self, feed: Feed) -> Path:
        # A name may contain characters that a file system does not accept.
        return self._folder / sha256(feed.name.encode()).hexdigest()[:32]


def _definition_key(feed: Feed) -> str:
    """Return the part of a definition that decides which data a reader may see."""
    return repr((COMPOSER, feed.rules, feed.calendars))


def _write_record(path: Path, feed: Feed, state: FeedState, version: FeedVersion) -> None:
    record = {
        "version": astuple(version),
        "definition": _definition_key(feed),
        "calendars": [calendar.id for calendar in state.calendars],
    }
    temporary = path.with_suffix(".tmp")
    with private.open_for_writing(temporary) as file:
        file.write(json.dumps(record).encode())
    atomicfile.move_into_place(temporary, path, durable=False)


def _version_in(record: Mapping[str, Any]) -> FeedVersion | None:
    """Return the version in a record; None if it is empty or of an earlier version of Kalends."""
    return FeedVersion(*record["version"]) if "version" in record else None


def _open(path: Path) -> BinaryIO | None:
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
