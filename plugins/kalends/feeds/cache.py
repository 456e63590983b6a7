"""Composed versions of feeds on disk: one file for each, shared by the workers of a host."""

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
    """Makes versions when they are asked for, each once on a host.

    Args:
        folder: where they lie; made if it is missing.
        source: the store.
        accounts: who there is.
        now: tells the time, for feeds with a window.
        on_composed: called with the seconds of each composition; None: no one counts.
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
        """What ``feed`` is now.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        return self.states([feed])[0]

    def states(self, feeds: Sequence[Feed]) -> list[FeedState]:
        """What each of these feeds is, all at one moment.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        with self._source.snapshot() as snapshot:
            view, today = self._views.for_snapshot(snapshot), self._views.today()
            return [view.state(feed, today) for feed in feeds]

    def open(self, feed: Feed, coding: str = "") -> tuple[FeedState, BinaryIO]:
        """The newest version of ``feed``, composed if need be, and its octets.

        Args:
            coding: ``gzip``, or empty for the text itself.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
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
        _log.error("feed %s: no room in %s; composed elsewhere", feed.name, self._folder)
        return self._open_temporary(feed, coding)

    def last_good(self, feed: Feed) -> tuple[FeedState, BinaryIO] | None:
        """The version that was composed last, for a moment when the newest cannot be.

        None if the definition has changed since, or a calendar in it is not in the feed any more,
        as far as that can be told.
        """
        try:
            noted = json.loads((self._feed_folder(feed) / _GOOD).read_text())
        except (OSError, ValueError):
            return None
        if noted["definition"] != _definition_key(feed):
            return None
        if not self._is_still_shown(feed, frozenset(noted["calendars"])):
            return None
        day = date.fromisoformat(noted["day"])
        state = FeedState(noted["key"], noted["changed"], (), day)
        file = _open(self._path(feed, state))
        return (state, file) if file else None

    def _is_still_shown(self, feed: Feed, numbers: frozenset[int]) -> bool:
        try:
            with self._source.snapshot() as snapshot:
                shown = {c.id for c in snapshot.calendars() if may_include(c, feed)}
                with suppress(UserFileUnavailableError):  # nobody is known to have left, then
                    shown &= {
                        c.id for c in self._views.for_snapshot(snapshot).merged_calendars(feed)
                    }
        except StoreUnavailableError:
            return True
        return numbers <= shown

    def unreadable(self, feed: Feed) -> list[UnreadableObject]:
        """The objects that the newest version leaves out because they cannot be read."""
        return read_unreadable(self._feed_folder(feed) / PARTS)

    def discard(self, feed: Feed) -> None:
        """Forget what is composed of ``feed``, so that it is composed from scratch."""
        with self._locked(feed):
            for path in self._feed_folder(feed).iterdir():
                if path.name != _LOCK:
                    path.unlink()

    def state_in(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """What ``feed`` is at the moment of a snapshot.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        return self._views.state(feed, snapshot)

    def _open_new(self, feed: Feed, coding: str) -> tuple[FeedState, BinaryIO]:
        # Whoever waited for the lock looks again: many writes at once cost one composition.
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
        for old in older:  # whoever reads one of them now holds it open
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
            _log.warning("feed %s: left out, cannot be read: %s", feed.name, one)

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
        # A name may hold what a file system does not take.
        return self._folder / sha256(feed.name.encode()).hexdigest()[:32]


def _definition_key(feed: Feed) -> str:
    """What of a definition says what a reader may see."""
    return repr((COMPOSER, feed.rules, feed.calendars))


def _record_good(path: Path, feed: Feed, state: FeedState) -> None:
    noted = {
        "key": state.key,
        "changed": state.changed,
        "day": state.day.isoformat(),
        "definition": _definition_key(feed),
        "calendars": [calendar.id for calendar in state.calendars],
    }
    made = path.with_suffix(".tmp")
    made.write_text(json.dumps(noted))
    atomicfile.move_into_place(made, path, durable=False)


def _open(path: Path) -> BinaryIO | None:
    with suppress(FileNotFoundError):
        return path.open("rb")
    return None


def _compress(source: Path, target: Path) -> None:
    made = target.with_suffix(".tmp")
    # Neither time nor name goes in, so that equal text gives equal octets.
    with (
        source.open("rb") as text,
        made.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
    ):
        shutil.copyfileobj(text, packed, 1 << 18)
    atomicfile.move_into_place(made, target, durable=False)
