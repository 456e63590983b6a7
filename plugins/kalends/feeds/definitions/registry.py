"""Which feeds there are at this moment: the definitions, for the accounts that there are."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from kalends.common import atomicfile
from kalends.common.names import refusal_of_name
from kalends.errors import ConfigurationError
from kalends.feeds.accounts import Accounts
from kalends.feeds.definitions.model import Definitions, Feed
from kalends.feeds.definitions.parse import load_definitions, parse_definitions, read_definitions

_log = logging.getLogger("kalends.feeds")

_QUIET_SECONDS = 0.05
"""How long a changed file must lie still before it is read."""

_MOST_PAUSES = 40


class FeedRegistry:
    """The feeds of one installation; an edit of the definitions counts at the next call.

    Args:
        path: the file of definitions.
        accounts: who there is.
        pause: waits for so many seconds.
        backup: the file for a copy of the last good definitions, for a process that starts while
            the definitions cannot be used; None for no copy.

    Raises:
        ConfigurationError: the definitions cannot be used, and none are backup. Later on, the last
            good ones stand until the file is mended, and the log tells.
    """

    def __init__(
        self,
        path: Path,
        accounts: Accounts,
        pause: Callable[[float], None] = time.sleep,
        backup: Path | None = None,
    ) -> None:
        self._pause = pause
        self._path = path
        self._accounts = accounts
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._backup = backup
        try:
            self._definitions = self._load()
        except ConfigurationError as error:
            self._definitions = self._last_good(error)

    @property
    def accounts(self) -> Accounts:
        """Who there is."""
        return self._accounts

    def defined_names(self) -> frozenset[str]:
        """The names of the feeds that are defined by name."""
        return frozenset(self._current().named)

    def feed(self, name: str) -> Feed | None:
        """The feed called ``name``, or None.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        definitions = self._current()
        if name in definitions.named:
            return definitions.named[name]
        if definitions.each is None or refusal_of_name(name, definitions.named):
            return None
        return definitions.each.for_account(name) if self._accounts.has(name) else None

    def feeds(self) -> Iterator[Feed]:
        """All feeds, those by name first.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        definitions = self._current()
        yield from definitions.named.values()
        if definitions.each is None:
            return
        for name in sorted(self._accounts.names()):
            if refusal_of_name(name, definitions.named) is None:
                yield definitions.each.for_account(name)

    def visible_to(self, person: str, held: Collection[str]) -> Iterator[Feed]:
        """All feeds that a person is shown as theirs to see.

        Args:
            held: the names of the feeds that the person holds a secret for. Of secret feeds that
                have no owner, the others are not even named to them.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        if self._accounts.has(person):
            for feed in self.feeds():
                if self._is_visible_to(feed, person, held):
                    yield feed

    def is_visible_to(self, feed: Feed, person: str, held: Collection[str]) -> bool:
        """Whether `visible_to` tells of a feed.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        return self._accounts.has(person) and self._is_visible_to(feed, person, held)

    def may_see(self, feed: Feed, person: str) -> bool:
        """Whether a person may see a feed when logged in, or may be given a secret for it.

        A secret feed with an owner is for that account alone; one without is for whomever the
        administrator gives a secret.

        Raises:
            UserFileUnavailableError: who there is cannot be told now.
        """
        return self._accounts.has(person) and self._may_see(feed, person)

    def _is_visible_to(self, feed: Feed, person: str, held: Collection[str]) -> bool:
        is_anybodys = feed.access.kind == "secret" and feed.owner is None
        return feed.name in held if is_anybodys else self._may_see(feed, person)

    def _may_see(self, feed: Feed, person: str) -> bool:
        if feed.access.kind == "secret":
            return feed.owner is None or feed.owner == person
        return feed.allows(person, self._accounts.members)

    def _current(self) -> Definitions:
        stamp = self._stamp()
        if stamp != self._seen:
            with self._lock:
                if stamp != self._seen:
                    # Noted before it is read: what is written meanwhile is another edit.
                    self._seen = self._when_quiet()
                    self._reload()
        return self._definitions

    def _reload(self) -> None:
        try:
            self._definitions = self._load()
        except ConfigurationError as error:
            _log.error("%s; the feeds stay as they were", error)

    def _load(self) -> Definitions:
        text = read_definitions(self._path)
        definitions = parse_definitions(text, str(self._path))
        if self._backup:
            with suppress(OSError):  # the folder is not there yet, or full: it helps, and no more
                atomicfile.replace(self._backup, text.encode(), mode=0o600)
        return definitions

    def _last_good(self, error: ConfigurationError) -> Definitions:
        """The definitions that a process of before has read last, since those now are in error."""
        if self._backup is None:
            raise error
        try:
            definitions = load_definitions(self._backup)
        except ConfigurationError:
            raise error from None
        _log.error("%s; the feeds stay as they were", error)
        return definitions

    def _when_quiet(self) -> tuple[int, int, int] | None:
        """The file's stamp once nobody writes it.

        An editor that writes in place leaves it empty for a moment, and no definition at all would
        be good TOML: every feed would be gone, and published files with it.
        """
        stamp = self._stamp()
        for _ in range(_MOST_PAUSES):
            self._pause(_QUIET_SECONDS)
            before, stamp = stamp, self._stamp()
            if stamp == before:
                break
        return stamp

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            stat = self._path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino
