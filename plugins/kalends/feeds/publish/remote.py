"""Publication of feeds on other servers, updated after every write.

Each server has its own thread, so that a server which does not respond delays no other one. Only
one worker of all hosts publishes to a URL at a time: within a host a file lock ensures that, which
ends with its process, and between hosts a claim in the database, which expires after two minutes
unless it is renewed.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from kalends.common import private
from kalends.errors import KalendsError
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.model import Feed
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.feeds.definitions.remote_credentials import (
    RemoteServer,
    find_server,
    load_remote_servers,
    origin_of,
)
from kalends.feeds.publish.background import BackgroundLoop, backoff_seconds
from kalends.feeds.publish.errors import RemoteError
from kalends.feeds.publish.folder import PublicationFolder, make_feeds_folder
from kalends.feeds.state import FeedState
from kalends.store.feed_deliveries import Delivery, DeliveryLog

_log = logging.getLogger("kalends.feeds")

_CLAIM_SECONDS = 120
_RENEW_SECONDS = 30
_MIN_INTERVAL_SECONDS = 2
"""The shortest time between two versions at one URL."""


class RemotePublisher:
    """Publisher that keeps feeds on other servers up to date, with its state in the database.

    Args:
        folder: the folder for the locks of this host.
        logins: the file of credentials for other servers; None for no logins.
        registry: the feeds.
        cache: the composed versions of the feeds.
        log: the record of the version at each URL.
    """

    def __init__(
        self,
        folder: Path,
        logins: Path | None,
        registry: FeedRegistry,
        cache: FeedCache,
        log: DeliveryLog,
    ) -> None:
        self._folder = folder
        self._logins = logins
        self._registry = registry
        self._cache = cache
        self._deliveries = log
        self._threads: dict[str, threading.Thread] = {}
        self._background = BackgroundLoop("publishing on other servers", self._work)
        self.start = self._background.start
        self.wake = self._background.wake
        self.stop = self._background.stop

    def feeds_by_url(self) -> dict[str, Feed]:
        """Return the feed that should be published at each URL.

        Raises:
            KalendsError: the user files cannot be read.
        """
        wanted: dict[str, Feed] = {}
        for feed in self._registry.feeds():
            for url in feed.remotes:
                wanted.setdefault(url, feed)
        return wanted

    def deliveries(self) -> Mapping[str, Delivery]:
        """Return the delivery record of each URL, by URL."""
        return self._deliveries.deliveries()

    def is_current(self, feed: Feed, state: FeedState, delivery: Delivery | None) -> bool:
        """Return True if the octets of the feed in this state have been delivered."""
        version = self._cache.version(feed, state)
        return bool(version and delivery and delivery.key == version.content)

    def publish_now(self, urls: Collection[str]) -> None:
        """Publish to these URLs now, even during the pause after a failure.

        Args:
            urls: the URLs.

        Raises:
            KalendsError: the user files or the store cannot be read.
            OSError: the locks of this host cannot be created.
        """
        wanted = self.feeds_by_url()
        for url in urls:
            self._publish(url, wanted.get(url), at_once=True)

    def _work(self) -> None:
        try:
            due = self._find_due()
        except (KalendsError, OSError) as error:
            _log.error("publishing on other servers: %s; will be retried soon", error)
            return
        for origin, jobs in due.items():
            running = self._threads.get(origin)
            if running is None or not running.is_alive():
                thread = threading.Thread(
                    target=self._publish_all, args=(jobs,), name=f"to {origin}", daemon=True
                )
                self._threads[origin] = thread
                thread.start()

    def _find_due(self) -> dict[str, list[tuple[str, Feed | None]]]:
        """Return the due URLs of each server with their feeds; None for a file to be removed."""
        wanted, known = self.feeds_by_url(), self._deliveries.deliveries()
        due: dict[str, list[tuple[str, Feed | None]]] = defaultdict(list)
        now = time.time()
        waiting = {url for url, delivery in known.items() if now < delivery.due}
        now_wanted = [(url, feed) for url, feed in wanted.items() if url not in waiting]
        states = self._cache.states([feed for _, feed in now_wanted])
        for (url, feed), state in zip(now_wanted, states, strict=True):
            if not self.is_current(feed, state, known.get(url)):
                due[origin_of(url)].append((url, feed))
        for url in known:
            if url not in wanted and url not in waiting:
                due[origin_of(url)].append((url, None))
        return due

    def _publish_all(self, jobs: list[tuple[str, Feed | None]]) -> None:
        for url, feed in jobs:
            try:
                self._publish(url, feed)
            except Exception:  # noqa: BLE001 - a bug must not stop the next; it is logged with its traceback
                _log.exception("publishing to %s", url)

    def _publish(self, url: str, feed: Feed | None, *, at_once: bool = False) -> None:
        """Publish a feed at a URL; without a feed, remove the file that was published there."""
        with self._lock(url) as (is_locked, claimant):
            if not is_locked:
                return
            delivery = self._deliveries.claim(url, claimant, _CLAIM_SECONDS)
            if delivery is None or (time.time() < delivery.due and not at_once):
                return
            try:
                remote = self._server_for(url)
                if feed is None:
                    self._remove(remote, delivery)
                else:
                    self._put(remote, delivery, feed, self._claim_keeper(url, claimant), at_once)
            except (RemoteError, KalendsError, OSError) as error:
                self._record_failure(delivery, error)
            except Exception as error:
                self._record_failure(delivery, error, "a bug in Kalends; see the log")
                raise

    def _put(
        self,
        remote: RemoteServer,
        delivery: Delivery,
        feed: Feed,
        on_block: Callable[[], None],
        always: bool,
    ) -> None:
        # Imported here because it is slow to load and most commands do not need it.
        from kalends.feeds.publish import webdav_client

        due = int(time.time()) + _MIN_INTERVAL_SECONDS
        version, content = self._cache.open(feed)
        with content:
            if version.content == delivery.key and not always:
                # Readers there must not see when something changed that the feed does not show.
                self._deliveries.record_success(
                    delivery.target, version.content, delivery.etag, due
                )
                return
            etag, was_changed = webdav_client.put(
                remote, delivery.target, content, delivery.etag, on_block
            )
        if was_changed:
            _log.warning(
                "%s was changed by another client; its content has been replaced", delivery.target
            )
        due = int(time.time()) + _MIN_INTERVAL_SECONDS
        self._deliveries.record_success(delivery.target, version.content, etag, due)

    def _remove(self, remote: RemoteServer, delivery: Delivery) -> None:
        from kalends.feeds.publish import webdav_client  # as above

        try:
            if delivery.key and not webdav_client.remove(remote, delivery.target, delivery.etag):
                why = "another client has changed it"
                _log.warning("%s is not removed: %s", delivery.target, why)
        except RemoteError as error:
            if not error.is_final:
                raise
            _log.warning("%s is not removed: %s", delivery.target, error)
        self._deliveries.remove(delivery.target)

    def _record_failure(self, delivery: Delivery, error: Exception, why: str = "") -> None:
        retry_after = error.retry_after if isinstance(error, RemoteError) else 0
        pause = max(backoff_seconds(delivery.failures + 1), retry_after)
        why = why or str(error)
        self._deliveries.record_failure(delivery.target, why, int(time.time()) + pause)
        _log.warning("%s: %s; will be retried in %d s", delivery.target, why, pause)

    def _server_for(self, url: str) -> RemoteServer:
        return find_server(url, load_remote_servers(self._logins) if self._logins else ())

    def _claim_keeper(self, url: str, claimant: str) -> Callable[[], None]:
        """Return a function that renews the claim during an upload, and aborts it if that fails."""
        renewed = time.monotonic()

        def renew() -> None:
            nonlocal renewed
            if time.monotonic() - renewed > _RENEW_SECONDS:
                renewed = time.monotonic()
                if self._deliveries.claim(url, claimant, _CLAIM_SECONDS) is None:
                    raise RemoteError("another host has taken over")

        return renew

    @contextmanager
    def _lock(self, url: str) -> Iterator[tuple[bool, str]]:
        """Lock a URL on this host; yield True and the claimant's name, or False if it is locked."""
        make_feeds_folder(self._folder)
        locks = self._folder / ".remotes"
        private.make_folder(locks)
        name = sha256(url.encode()).hexdigest()[:32]
        with private.open_for_writing(locks / name) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False, ""
            else:
                yield True, PublicationFolder(self._folder).identity()
