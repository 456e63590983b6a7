"""Feeds as files for a web server to serve: they follow every write by themselves."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

from kalends.errors import KalendsError
from kalends.icsfeed.background import Background, growing_pause
from kalends.icsfeed.catalog import Catalog
from kalends.icsfeed.definitions import Feed
from kalends.icsfeed.files import PublishedFiles
from kalends.icsfeed.moment import State
from kalends.icsfeed.source import PublicationLog, SecretBook
from kalends.icsfeed.versions import Versions

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
        return f"PublishedFile({self.shown!r})"

    @property
    def shown(self) -> str:
        """The path as it may stand in a log or a list: without the secret."""
        return (
            f"s/…/{self.target.rpartition('/')[2]} of {self.person}" if self.person else self.target
        )


class Publisher:
    """Brings published files to where their feeds are; the database tells what is still to do.

    Args:
        files: where they lie: in ``public/``, ``login/``, ``owner/USER/`` and ``s/SECRET/``.
        catalog: which feeds there are.
        versions: their bytes.
        secrets: who has which secret.
        log: which version stands where.
    """

    def __init__(
        self,
        files: PublishedFiles,
        catalog: Catalog,
        versions: Versions,
        secrets: SecretBook,
        log: PublicationLog,
    ) -> None:
        self._files = files
        self._catalog = catalog
        self._versions = versions
        self._secrets = secrets
        self._published = log
        # By target: how often it failed in a row, and from when on it is tried again.
        self._failing: dict[str, tuple[int, float]] = {}
        self._background = Background("publishing feeds", self._work)
        self.start = self._background.start
        self.wake = self._background.wake
        self.stop = self._background.stop

    @property
    def has_begun(self) -> bool:
        """Whether it has ever published anything."""
        return self._files.have_begun

    def catch_up(self) -> None:
        """Do all that is due; one process of a host at a time.

        Raises:
            KalendsError: who there is cannot be told, or the store cannot be used.
            OSError: a file cannot be written; the others were.
        """
        failed = self._catch_up()
        if failed:
            raise failed[0]

    def standing(self) -> list[PublishedFile]:
        """The files that should stand, and whether they are up to date.

        Raises:
            KalendsError: who there is cannot be told, or the store cannot be used.
        """
        known = self._published.published()
        wanted = list(self._wanted().values())
        mine = f"{self._files.owner()}:" if known or wanted else ""
        return [
            PublishedFile(
                file.target, file.feed, file.person, known.get(mine + file.target) == state.key
            )
            for file, state in zip(wanted, self._states(wanted), strict=True)
        ]

    def _work(self) -> None:
        try:
            self._catch_up()
        except (KalendsError, OSError) as error:
            _log.error("publishing feeds: %s; tried again soon", error)

    def _catch_up(self) -> list[Exception]:
        wanted = self._wanted()
        known = self._published.published()
        if not wanted and not known:
            return []
        failed: list[Exception] = []
        with self._files.alone():
            mine = f"{self._files.owner()}:"
            known = self._published.published()
            todo = list(wanted.values())
            for file, state in zip(todo, self._states(todo), strict=True):
                if known.get(mine + file.target) == state.key and self._files.stands(file.target):
                    continue
                error = self._published_one(file, mine)
                failed += [error] if error else []
            for name in known:
                target = name.removeprefix(mine)
                if name.startswith(mine) and target not in wanted:
                    self._files.remove(target)
                    self._published.forget(name)
        return failed

    def _published_one(self, file: PublishedFile, mine: str) -> Exception | None:
        """Write one file; one that fails holds up no other, and is tried again by and by."""
        failures, due = self._failing.get(file.target, (0, 0.0))
        if time.monotonic() < due:
            return None
        try:
            state, content = self._versions.open(file.feed)
            with content:
                self._files.put(file.target, content)
            self._published.record(mine + file.target, state.key)
        except Exception as error:  # noqa: BLE001 - our bug in one feed must not stop the others
            pause = growing_pause(failures + 1, _LONGEST_PAUSE)
            self._failing[file.target] = failures + 1, time.monotonic() + pause
            known = isinstance(error, (KalendsError, OSError))
            text = "%s cannot be published: %s; tried again in %d s"
            _log.error(text, file.shown, error, pause, exc_info=None if known else error)
            return error
        self._failing.pop(file.target, None)
        return None

    def _states(self, files: list[PublishedFile]) -> list[State]:
        return self._versions.states([file.feed for file in files])

    def _wanted(self) -> dict[str, PublishedFile]:
        """The files that should stand, by target; of two feeds at one place the first has it."""
        wanted: dict[str, PublishedFile] = {}
        for feed in self._catalog.feeds():
            for name in feed.publish:
                for target, person in self._places(feed, name):
                    wanted.setdefault(target, PublishedFile(target, feed, person))
        return wanted

    def _places(self, feed: Feed, name: str) -> Iterator[tuple[str, str]]:
        if feed.access.kind == "secret":
            for person, secret in sorted(self._secrets.held(feed.name).items()):
                if self._catalog.may_see(feed, person):
                    yield f"s/{secret}/{name}", person
        elif feed.access.kind == "owner":
            yield f"owner/{feed.owner}/{name}", ""
        else:
            yield f"{feed.access.kind}/{name}", ""
