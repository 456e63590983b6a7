"""Feeds as files for a web server to serve: they follow every write by themselves."""

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
    """A file that should stand.

    Attributes:
        target: its path below the folder.
        feed: what it shows.
        person: whose secret is in the path; empty where none is.
        is_current: whether it holds the newest version.
    """

    target: str
    feed: Feed
    person: str
    is_current: bool = False

    def __repr__(self) -> str:
        return f"PublishedFile({self.display_name!r})"

    @property
    def display_name(self) -> str:
        """The path as it may stand in a log or a list: without the secret."""
        return _without_secret(self.target) + (f" of {self.person}" if self.person else "")


class Publisher:
    """Brings published files to where their feeds are; the database tells what is still to do.

    Args:
        files: where they lie: in ``public/``, ``login/``, ``owner/USER/`` and ``s/SECRET/``.
        registry: which feeds there are.
        cache: their bytes.
        secrets: who has which secret.
        log: which version stands where.
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
        # By target: how often it failed in a row, and from when on it is tried again.
        self._failing: dict[str, tuple[int, float]] = {}
        self._background = BackgroundLoop("publishing feeds", self._work)
        self.start = self._background.start
        self.wake = self._background.wake
        self.stop = self._background.stop

    @property
    def has_published(self) -> bool:
        """Whether it has ever published anything."""
        return self._files.has_published

    def catch_up(self) -> None:
        """Do all that is due; one process of a host at a time.

        Raises:
            UnpublishedError: a file cannot be written or taken away; the others were.
            KalendsError: who there is cannot be told, or the store cannot be used.
            OSError: the folder cannot be written.
        """
        failed = self._catch_up()
        if failed:
            raise failed[0]

    def expected_files(self) -> list[PublishedFile]:
        """The files that should stand, and whether they are up to date.

        Raises:
            KalendsError: who there is cannot be told, or the store cannot be used.
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
        """The files that should stand no more and are not taken away yet, without secrets.

        Raises:
            KalendsError: who there is cannot be told, or the store cannot be used.
        """
        wanted = self._find_wanted()
        return [
            _without_secret(target) for target in self._published_keys() if target not in wanted
        ]

    def _work(self) -> None:
        try:
            self._catch_up()
        except (KalendsError, OSError) as error:
            _log.error("publishing feeds: %s; tried again soon", error)

    def _catch_up(self) -> list[Exception]:
        wanted = self._find_wanted()
        if not wanted and not self._published.published_keys():
            return []
        with self._files.lock():
            self._files.identity()  # named now, if nothing was ever published
            known = self._published_keys()
            # What nobody may see any more goes first.
            gone = [target for target in known if target not in wanted]
            failed = [self._attempt(t, _without_secret(t), partial(self._remove, t)) for t in gone]
            todo = list(wanted.values())
            for file, state in zip(todo, self._states(todo), strict=True):
                is_there = known.get(file.target) == state.key
                publish = partial(self._publish, file, is_there=is_there)
                failed.append(self._attempt(file.target, file.display_name, publish))
        return [error for error in failed if error]

    def _attempt(self, target: str, shown: str, do: Callable[[], None]) -> Exception | None:
        """Do something to one file; one that fails holds up no other, and is tried again later."""
        failures, due = self._failing.get(target, (0, 0.0))
        if time.monotonic() < due:
            return None
        try:
            do()
        except Exception as error:  # noqa: BLE001 - our bug in one feed must not stop the others
            pause = backoff_seconds(failures + 1, _LONGEST_PAUSE)
            self._failing[target] = failures + 1, time.monotonic() + pause
            why = _why(error)
            text = "%s cannot be published or taken away: %s; tried again in %d s"
            _log.error(text, shown, why or error, pause, exc_info=None if why else error)
            return UnpublishedError(shown, why) if why else error
        self._failing.pop(target, None)
        return None

    def _publish(self, file: PublishedFile, *, is_there: bool) -> None:
        if is_there and self._files.repair(file.target):
            return
        state, content = self._cache.open(file.feed)
        with content:
            self._files.put(file.target, content)
        self._published.record(f"{self._files.identity()}:{file.target}", state.key)

    def _remove(self, target: str) -> None:
        self._files.remove(target)
        self._published.remove(f"{self._files.identity()}:{target}")

    def _published_keys(self) -> dict[str, str]:
        """By target, the key of the version that was written in this folder."""
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
        """The files that should stand, by target; of two feeds at one place the first has it."""
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
    """A path without the secret in it."""
    return f"s/…/{target.rpartition('/')[2]}" if target.startswith("s/") else target


def _why(error: Exception) -> str:
    """What is told of a failure: of the system's without the path, which may hold a secret."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error) if isinstance(error, KalendsError) else ""
