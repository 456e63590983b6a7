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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from kalends.common import atomicfile
from kalends.errors import StoreUnavailableError, UserFileUnavailableError
from kalends.feeds.accounts import Accounts
from kalends.feeds.compose.incremental import PARTS, compose_feed
from kalends.feeds.compose.part_index import COMPOSER, read_unreadable
from kalends.feeds.compose.select import UnreadableObject
from kalends.feeds.definitions.model import Feed
from kalends.feeds.state import FeedState, StoreViews, may_include
from kalends.store.feed_queries import FeedSnapshot, FeedSource

_log = logging.getLogger("kalends.feeds")

_LOCK = ".lock"
_GOOD = "good.json"


class FeedCache:
    """The versions of feeds, each composed on demand and once per host.

    Args:
        folder: the folder of the cache; created if it is missing.
        source: the store.
        accounts: the accounts and groups.
        now: returns the current time, for feeds with a window.
        on_composed: called with the duration of each composition in seconds, or None.
    """

    def __init__(
        self,
        folder: Path,
        source: FeedSource,
        accounts: Accounts,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        on_composed: Callable[[float], None] | None,
    ) -> None:
        self._folder = folder
        self._source = source
        self._views = StoreViews(accounts, now)
        self._on_composed = on_composed

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

    def open(self, feed: Feed, coding: str = "") -> tuple[FeedState, BinaryIO]:
        """Open the newest version of a feed; compose it first if necessary.

        Args:
            feed: the feed.
            coding: the content coding: ``gzip``, or empty for the text itself.

        Returns:
            The state of the feed at that version, and the open file.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        state = self.state(feed)
        found = _open(self._path(feed, state, coding))
        if found:
            return state, found
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

    def last_good(self, feed: Feed) -> tuple[FeedState, BinaryIO] | None:
        """Open the version that was composed last, for use when a new one cannot be composed.

        Returns:
            The state of the feed at that version, and the open file; None if the definition has
            changed since, or if a calendar in it is known to have left the feed.
        """
        try:
            record = json.loads((self._feed_folder(feed) / _GOOD).read_text())
        except (OSError, ValueError):
            return None
        if record["definition"] != _definition_key(feed):
            return None
        if not self._is_still_shown(feed, frozenset(record["calendars"])):
            return None
        day = date.fromisoformat(record["day"])
        state = FeedState(record["key"], record["changed"], (), day)
        file = _open(self._path(feed, state))
        return (state, file) if file else None

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
                if path.name != _LOCK:
                    path.unlink()

    def state_in(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """Return the state of a feed in a snapshot.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self._views.state(feed, snapshot)

    def _open_new(self, feed: Feed, coding: str) -> tuple[FeedState, BinaryIO]:
        # Check again after the wait for the lock: many writes at once cost one composition.
        with self._source.snapshot() as snapshot:
            state = self.state_in(feed, snapshot)
            path = self._path(feed, state)
            if not path.exists():
                self._compose(feed, snapshot, state, path)
        if coding:
            coded = self._path(feed, state, coding)
            if not coded.exists():
                _compress(path, coded)
            path = coded
        return state, path.open("rb")

    def _compose(self, feed: Feed, snapshot: FeedSnapshot, state: FeedState, path: Path) -> None:
        older = [old for old in path.parent.glob("*.ics") if old != path]
        self._compose_into(path, feed, snapshot, state)
        _record_good(path.with_name(_GOOD), feed, state)
        for old in older:  # a reader of one of them holds it open
            old.unlink(missing_ok=True)
            old.with_suffix(".gz").unlink(missing_ok=True)

    def _compose_into(
        self, path: Path, feed: Feed, snapshot: FeedSnapshot, state: FeedState
    ) -> None:
        began = time.perf_counter()
        result = compose_feed(snapshot, state.calendars, feed, state.day, path)
        if self._on_composed:
            self._on_composed(time.perf_counter() - began)
        for one in result.unreadable:
            _log.warning("feed %s: left out because it cannot be read: %s", feed.name, one)

    def _open_temporary(self, feed: Feed, coding: str) -> tuple[FeedState, BinaryIO]:
        with tempfile.TemporaryDirectory() as folder, self._source.snapshot() as snapshot:
            state = self.state_in(feed, snapshot)
            path = Path(folder) / "feed.ics"
            self._compose_into(path, feed, snapshot, state)
            if coding:
                _compress(path, path.with_suffix(".gz"))
                path = path.with_suffix(".gz")
            return state, path.open("rb")

    @contextmanager
    def _locked(self, feed: Feed) -> Iterator[None]:
        folder = self._feed_folder(feed)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _path(self, feed: Feed, state: FeedState, coding: str = "") -> Path:
        return self._feed_folder(feed) / f"{state.key}.{'gz' if coding else 'ics'}"

    def _feed_folder(self, feed: Feed) -> Path:
        # A name may contain characters that a file system does not accept.
        return self._folder / sha256(feed.name.encode()).hexdigest()[:32]


def _definition_key(feed: Feed) -> str:
    """Return the part of a definition that decides which data a reader may see."""
    return repr((COMPOSER, feed.rules, feed.calendars))


def _record_good(path: Path, feed: Feed, state: FeedState) -> None:
    record = {
        "key": state.key,
        "changed": state.changed,
        "day": state.day.isoformat(),
        "definition": _definition_key(feed),
        "calendars": [calendar.id for calendar in state.calendars],
    }
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(record))
    atomicfile.move_into_place(temporary, path, durable=False)


def _open(path: Path) -> BinaryIO | None:
    with suppress(FileNotFoundError):
        return path.open("rb")
    return None


def _compress(source: Path, target: Path) -> None:
    temporary = target.with_suffix(".tmp")
    # The header gets neither a time nor a name, so that equal text gives equal octets.
    with (
        source.open("rb") as text,
        temporary.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(text, packed, 1 << 18)
    atomicfile.move_into_place(temporary, target, durable=False)
