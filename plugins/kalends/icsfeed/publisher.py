"""Feeds as files for a web server to serve: they follow every write by themselves."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kalends import atomicfile
from kalends.errors import KalendsError
from kalends.icsfeed.catalog import Catalog
from kalends.icsfeed.definitions import Feed
from kalends.icsfeed.source import PublicationLog, SecretBook
from kalends.icsfeed.versions import Versions

_log = logging.getLogger("kalends.feeds")

POLL_SECONDS = 3.0
"""How long it takes at most until another process's write, or an edit of a file, is noticed."""


class Publisher:
    """Brings published files to where their feeds are; the database tells what is still to do.

    Args:
        folder: where the files lie, in ``public/``, ``login/``, ``owner/USER/`` and ``s/SECRET/``.
        catalog: which feeds there are.
        versions: their bytes.
        secrets: who has which secret.
        log: which version stands where.
    """

    def __init__(
        self,
        folder: Path,
        catalog: Catalog,
        versions: Versions,
        secrets: SecretBook,
        log: PublicationLog,
    ) -> None:
        self._folder = folder
        self._catalog = catalog
        self._versions = versions
        self._secrets = secrets
        self._published = log
        self._host = socket.gethostname()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._process = 0

    def start(self) -> None:
        """Publish in the background, in this process; call after the server has forked."""
        if self._process == os.getpid():
            return
        self._process = os.getpid()
        self._wake = threading.Event()
        self._wake.set()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Something was written: look at once."""
        self._wake.set()

    def stop(self) -> None:
        """End the background work, after what it is doing now."""
        self._stopping = True
        self._wake.set()
        if self._thread and self._process == os.getpid():
            self._thread.join()

    def catch_up(self) -> None:
        """Do all that is due; one process of a host at a time.

        Raises:
            KalendsError: who there is cannot be told, or the store cannot be used.
            OSError: a file cannot be written.
        """
        wanted = dict(self._targets())
        mine = f"{self._host}:"
        if not wanted and not any(t.startswith(mine) for t in self._published.published()):
            return
        with self._alone():
            standing = self._published.published()
            for target, feed in wanted.items():
                self._publish(target, feed, standing.get(mine + target))
            for known in standing:
                if known.startswith(mine) and known.removeprefix(mine) not in wanted:
                    self._withdraw(known.removeprefix(mine))
                    self._published.forget(known)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()
            try:
                self.catch_up()
            except (KalendsError, OSError) as error:
                _log.error("publishing feeds: %s; tried again soon", error)
            except Exception:  # noqa: BLE001 - our bug must not end the thread; it is logged whole
                _log.exception("publishing feeds")

    def _targets(self) -> Iterator[tuple[str, Feed]]:
        """The files that should stand, each with its feed."""
        for feed in self._catalog.feeds():
            for name in feed.publish:
                if feed.access.kind == "secret":
                    for person, secret in sorted(self._secrets.held(feed.name).items()):
                        if self._catalog.may_see(feed, person):
                            yield f"s/{secret}/{name}", feed
                elif feed.access.kind == "owner":
                    yield f"owner/{feed.owner}/{name}", feed
                else:
                    yield f"{feed.access.kind}/{name}", feed

    def _publish(self, target: str, feed: Feed, standing: str | None) -> None:
        path = self._folder / target
        if standing == self._versions.state(feed).key and path.exists():
            return
        state, file = self._versions.open(feed)
        with file:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomicfile.replace(path, file)
        self._published.record(f"{self._host}:{target}", state.key)

    def _withdraw(self, target: str) -> None:
        path = self._folder / target
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others lie there still
            path.parent.rmdir()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / ".publishing").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
