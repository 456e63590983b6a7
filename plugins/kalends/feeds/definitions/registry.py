"""Registry of all feeds: the current definitions, applied to the current accounts."""

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
"""The time for which a changed file must stay unchanged before it is read."""

_MAX_PAUSES = 40


class FeedRegistry:
    """The feeds of one installation; an edited definitions file takes effect at the next call.

    Args:
        path: the file of definitions.
        accounts: the accounts and groups.
        pause: waits for a number of seconds.
        backup: the file for a copy of the last good definitions, for a process that starts while
            the definitions cannot be used; None for no copy.

    Raises:
        ConfigurationError: the definitions are invalid, and there is no copy. After the start, the
            last good definitions stay in use until the file is corrected, and an error is logged.
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
        """The accounts and groups."""
        return self._accounts

    def defined_names(self) -> frozenset[str]:
        """Return the names of the feeds that are defined by name."""
        return frozenset(self._current().named)

    def feed(self, name: str) -> Feed | None:
        """Return the feed with this name, or None.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        definitions = self._current()
        if name in definitions.named:
            return definitions.named[name]
        if definitions.each is None or refusal_of_name(name, definitions.named):
            return None
        return definitions.each.for_account(name) if self._accounts.has(name) else None

    def feeds(self) -> Iterator[Feed]:
        """Yield all feeds, those defined by name first.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        definitions = self._current()
        yield from definitions.named.values()
        if definitions.each is None:
            return
        for name in sorted(self._accounts.names()):
            if refusal_of_name(name, definitions.named) is None:
                yield definitions.each.for_account(name)

    def visible_to(self, person: str, held: Collection[str]) -> Iterator[Feed]:
        """Yield the feeds to list for a person.

        Args:
            person: the account.
            held: the names of the feeds that the person holds a secret for. Other secret feeds
                without an owner are not listed: not even their names are disclosed.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        if self._accounts.has(person):
            for feed in self.feeds():
                if self._is_visible_to(feed, person, held):
                    yield feed

    def is_visible_to(self, feed: Feed, person: str, held: Collection[str]) -> bool:
        """Return True if `visible_to` yields a feed.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self._accounts.has(person) and self._is_visible_to(feed, person, held)

    def may_see(self, feed: Feed, person: str) -> bool:
        """Return True if a person may see a feed when logged in, or may get a secret for it.

        A secret feed with an owner is for that account alone; one without an owner is for every
        account that the administrator gives a secret.

        Raises:
            UserFileUnavailableError: the user files cannot be read now.
        """
        return self._accounts.has(person) and self._may_see(feed, person)

    def _is_visible_to(self, feed: Feed, person: str, held: Collection[str]) -> bool:
        is_ownerless_secret = feed.access.kind == "secret" and feed.owner is None
        return feed.name in held if is_ownerless_secret else self._may_see(feed, person)

    def _may_see(self, feed: Feed, person: str) -> bool:
        if feed.access.kind == "secret":
            return feed.owner is None or feed.owner == person
        return feed.allows(person, self._accounts.members)

    def _current(self) -> Definitions:
        stamp = self._stamp()
        if stamp != self._seen:
            with self._lock:
                if stamp != self._seen:
                    # Stamped before it is read: a write during the read is another edit.
                    self._seen = self._when_quiet()
                    self._reload()
        return self._definitions

    def _reload(self) -> None:
        try:
            self._definitions = self._load()
        except ConfigurationError as error:
            _log.error("%s; the previous definitions stay in use", error)

    def _load(self) -> Definitions:
        text = read_definitions(self._path)
        definitions = parse_definitions(text, str(self._path))
        if self._backup:
            with suppress(OSError):  # the folder is missing or full; the copy is optional
                atomicfile.replace(self._backup, text.encode(), mode=0o600)
        return definitions

    def _last_good(self, error: ConfigurationError) -> Definitions:
        """Return the last good definitions of an earlier process; the current ones are invalid."""
        if self._backup is None:
            raise error
        try:
            definitions = load_definitions(self._backup)
        except ConfigurationError:
            raise error from None
        _log.error("%s; the previous definitions stay in use", error)
        return definitions

    def _when_quiet(self) -> tuple[int, int, int] | None:
        """Return the stamp of the file once it has stopped changing.

        An editor that writes in place leaves the file empty for a moment, and an empty file is
        valid TOML: every feed would be gone, and its published files would be deleted.
        """
        stamp = self._stamp()
        for _ in range(_MAX_PAUSES):
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
