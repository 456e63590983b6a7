"""Cache of merged feeds: their versions, and what may be shown if a new one cannot be composed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from kalends.common.budget import USUAL_STEPS, Steps
from kalends.errors import StoreUnavailableError, UserFileUnavailableError
from kalends.feeds.accounts import Accounts
from kalends.feeds.definitions.model import Feed
from kalends.feeds.publish.folder import make_feeds_folder
from kalends.feeds.state import FeedState, StoreViews, may_include
from kalends.feeds.version import FeedVersion
from kalends.feeds.version_cache import VersionCache, definition_key, open_if_there, version_in
from kalends.store.feed_queries import FeedSnapshot, FeedSource


class FeedCache(VersionCache):
    """The versions of merged feeds.

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
        make_folder = partial(make_feeds_folder, folder.parent)
        super().__init__(folder, make_folder, source, now, on_composed=on_composed, steps=steps)
        self._views = StoreViews(accounts, now, steps)

    def states(self, feeds: Sequence[Feed]) -> list[FeedState]:
        """Return the state of each of these feeds, all at the same moment.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        with self._source.snapshot() as snapshot:
            view, today = self._views.for_snapshot(snapshot), self._views.today()
            return [view.state(feed, today) for feed in feeds]

    def state_in(self, feed: Feed, snapshot: FeedSnapshot) -> FeedState:
        """Return the state of a feed in a snapshot.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self._views.state(feed, snapshot)

    def last_good(self, feed: Feed) -> tuple[FeedVersion, BinaryIO] | None:
        """Open the version that was composed last, for use when a new one cannot be composed.

        Returns:
            The version, and the open file; None if the definition has changed since, or if a
            calendar in it is known to have left the feed.
        """
        record = self.record(feed)
        version = version_in(record)
        if version is None or record["definition"] != definition_key(feed):
            return None
        if not self._is_still_shown(feed, frozenset(record["calendars"])):
            return None
        file = open_if_there(self.path(feed, version))
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
