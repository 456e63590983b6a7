"""Publication of feeds as files for a web server, updated after every write."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

from kalends.errors import KalendsError, UnpublishedError
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.model import Feed
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.feeds.publish.background import BackgroundLoop, backoff_seconds
from kalends.feeds.publish.folder import PublicationFolder
from kalends.feeds.state import FeedState
from kalends.store.feed_secrets import PublicationLog, SecretBook

_log = logging.getLogger("kalends.feeds")

_LONGEST_PAUSE = 60


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """A file that should be published.

    Attributes:
        target: its path below the folder.
        feed: the feed that it contains.
        person: the person whose secret is in the path; empty if there is no secret in it.
        is_current: whether it contains the newest version.
    """

    target: str
    feed: Feed
    person: str
    is_current: bool = False

    def __repr__(self) -> str:
        return f"PublishedFile({self.display_name!r})"

    @property
    def display_name(self) -> str:
        """The path without its secret, for logs and lists."""
        return _without_secret(self.target) + (f" of {self.person}" if self.person else "")


class Publisher:
    """Publisher that keeps files up to date; the database records which versions are published.

    Args:
        files: the folder, with ``public/``, ``login/``, ``owner/USER/`` and ``s/SECRET/`` in it.
        registry: the feeds.
        cache: the composed versions of the feeds.
        secrets: the secrets of all people.
        log: the record of the version at each target.
    """

    def __init__(
        self,
        files: PublicationFolder,
        registry: FeedRegistry,
        cache: FeedCache,
        secrets: SecretBook,
        log: PublicationLog,
    ) -> None:
        self._files = files
        self._registry = registry
        self._cache = cache
        self._secrets = secrets
        self._published = log
        # By target: the number of failures in a row, and the time of the next attempt.
        self._failing: dict[str, tuple[int, float]] = {}
        self._background = BackgroundLoop("publishing feeds", self._work)
        self.start = self._background.start
        self.wake = self._background.wake
        self.stop = self._background.stop

    @property
    def has_published(self) -> bool:
        """True if anything has ever been published."""
        return self._files.has_published

    def catch_up(self) -> None:
        """Write and remove all files that are due; one process of a host does so at a time.

        Raises:
            UnpublishedError: a file cannot be written or removed; all others are done.
            KalendsError: the user files or the store cannot be read.
            OSError: the folder cannot be written.
        """
        failed = self._catch_up()
        if failed:
            raise failed[0]

    def expected_files(self) -> list[PublishedFile]:
        """Return the files that should be published, and whether each is up to date.

        Raises:
            KalendsError: the user files or the store cannot be read.
        """
        known = self._published_keys()
        wanted = list(self._find_wanted().values())
        return [
            replace(
                file,
                is_current=known.get(file.target) == state.key
                and self._files.is_valid(file.target),
            )
            for file, state in zip(wanted, self._states(wanted), strict=True)
        ]

    def obsolete_files(self) -> list[str]:
        """Return the files that are still to be removed, without secrets.

        Raises:
            KalendsError: the user files or the store cannot be read.
        """
        wanted = self._find_wanted()
        return [
            _without_secret(target) for target in self._published_keys() if target not in wanted
        ]

    def _work(self) -> None:
        try:
            self._catch_up()
        except (KalendsError, OSError) as error:
            _log.error("publishing feeds: %s; will be retried soon", error)

    def _catch_up(self) -> list[Exception]:
        wanted = self._find_wanted()
        if not wanted and not self._published.published_keys():
            return []
        with self._files.lock():
            self._files.identity()  # creates the identity before the first publication
            known = self._published_keys()
            # Files that nobody may see any more are removed first.
            gone = [target for target in known if target not in wanted]
            failed = [self._attempt(t, _without_secret(t), partial(self._remove, t)) for t in gone]
            todo = list(wanted.values())
            for file, state in zip(todo, self._states(todo), strict=True):
                is_there = known.get(file.target) == state.key
                publish = partial(self._publish, file, is_there=is_there)
                failed.append(self._attempt(file.target, file.display_name, publish))
        return [error for error in failed if error]

    def _attempt(self, target: str, shown: str, action: Callable[[], None]) -> Exception | None:
        """Perform an action on one file; return its error, so that the other files are done too."""
        failures, due = self._failing.get(target, (0, 0.0))
        if time.monotonic() < due:
            return None
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a bug in one feed must not stop the others
            pause = backoff_seconds(failures + 1, _LONGEST_PAUSE)
            self._failing[target] = failures + 1, time.monotonic() + pause
            why = _why(error)
            text = "%s cannot be published or removed: %s; will be retried in %d s"
            _log.error(text, shown, why or error, pause, exc_info=None if why else error)
            return UnpublishedError(shown, why) if why else error
        self._failing.pop(target, None)
        return None

    def _publish(self, file: PublishedFile, *, is_there: bool) -> None:
        if is_there and self._files.repair(file.target):
            return
        version, content = self._cache.open(file.feed)
        with content:
            self._files.put(file.target, content)
        self._published.record(f"{self._files.identity()}:{file.target}", version.state)

    def _remove(self, target: str) -> None:
        self._files.remove(target)
        self._published.remove(f"{self._files.identity()}:{target}")

    def _published_keys(self) -> dict[str, str]:
        """Return the keys of the versions that were written to this folder, by target."""
        if not self._files.has_published:
            return {}
        mine = f"{self._files.identity()}:"
        known = self._published.published_keys()
        return {
            name.removeprefix(mine): key for name, key in known.items() if name.startswith(mine)
        }

    def _states(self, files: list[PublishedFile]) -> list[FeedState]:
        return self._cache.states([file.feed for file in files])

    def _find_wanted(self) -> dict[str, PublishedFile]:
        """Return the files that should be published, by target; the first feed wins a target."""
        wanted: dict[str, PublishedFile] = {}
        for feed in self._registry.feeds():
            for name in feed.publish:
                for target, person in self._targets(feed, name):
                    wanted.setdefault(target, PublishedFile(target, feed, person))
        return wanted

    def _targets(self, feed: Feed, name: str) -> Iterator[tuple[str, str]]:
        if feed.access.kind == "secret":
            for person, secret in sorted(self._secrets.secrets_of_feed(feed.name).items()):
                if self._registry.may_see(feed, person):
                    yield f"s/{secret}/{name}", person
        elif feed.access.kind == "owner":
            yield f"owner/{feed.owner}/{name}", ""
        else:
            yield f"{feed.access.kind}/{name}", ""


def _without_secret(target: str) -> str:
    """Return a path with its secret replaced by an ellipsis."""
    return f"s/…/{target.rpartition('/')[2]}" if target.startswith("s/") else target


def _why(error: Exception) -> str:
    """Return the message of an expected error, without the path of an OSError: it may be secret."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, KalendsError) else ""
