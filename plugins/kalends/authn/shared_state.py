"""Authentication state shared by workers and hosts: nonce key, nonce counts, login attempts."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kalends.authn.login_attempts import (
    SECONDS_PER_FAILURE,
    HostLoginAttempts,
    LoginAttempts,
    PendingFailures,
)
from kalends.authn.nonces.replay_cache import NonceCounts, NonceUse, SharedNonceCounts, load_key
from kalends.authn.nonces.signing import Nonce
from kalends.errors import StoreUnavailableError
from kalends.store import cluster_state
from kalends.store.cluster_state import Statements

_log = logging.getLogger("kalends.htauth")

_KEY = "nonce.key"
_COUNTS = "nonce.counts"
_ATTEMPTS = "login.attempts"


class SharedAuthState(Protocol):
    """The state that all workers and hosts of one installation share for logins."""

    def key(self) -> bytes:
        """Return the key that nonces and tokens are signed with; create it if there is none.

        Raises:
            ConfigurationError: it cannot be created or read.
        """

    def counts(self) -> NonceCounts:
        """Open the counts of nonces.

        Raises:
            ConfigurationError: they cannot be created or read.
        """

    def attempts(self) -> LoginAttempts:
        """Open the record of login attempts.

        Raises:
            ConfigurationError: it cannot be created or read.
        """

    def close(self) -> None:
        """Close the files."""


class FolderAuthState:
    """State shared by the workers of one host, in files.

    Args:
        folder: the folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: SharedNonceCounts | None = None
        self._attempts: HostLoginAttempts | None = None

    def key(self) -> bytes:
        """See `SharedAuthState`."""
        return load_key(self._folder / _KEY)

    def counts(self) -> NonceCounts:
        """See `SharedAuthState`."""
        self._counts = SharedNonceCounts(self._folder / _COUNTS, time.time())
        return self._counts

    def attempts(self) -> LoginAttempts:
        """See `SharedAuthState`."""
        self._attempts = HostLoginAttempts(self._folder / _ATTEMPTS)
        return self._attempts

    def close(self) -> None:
        """Close the files."""
        for opened in (self._counts, self._attempts):
            if opened:
                opened.close()


class DatabaseAuthState:
    """State shared by several hosts, in tables of the database server that holds the store.

    While that server is away, a host relies on the state of its own workers: only feeds are served
    then, to those who may see them.

    Args:
        statements: runs statements on that server.
        folder: of this host alone; without one, Digest logins fail while the server is away, and
            each worker counts failed logins by itself.
    """

    def __init__(self, statements: Statements, folder: Path | None) -> None:
        self._statements = statements
        self._folder = folder
        self._of_host: SharedNonceCounts | None = None
        self._attempts: HostLoginAttempts | None = None

    def key(self) -> bytes:
        """See `SharedAuthState`."""
        return cluster_state.shared_key(self._statements)

    def counts(self) -> NonceCounts:
        """See `SharedAuthState`."""
        shared = cluster_state.SharedNonceUses(self._statements)
        if self._folder is not None:
            self._of_host = SharedNonceCounts(self._folder / _COUNTS, time.time())
        return _DatabaseNonceCounts(shared, self._of_host)

    def attempts(self) -> LoginAttempts:
        """See `SharedAuthState`."""
        folder = self._folder
        if folder is not None and not folder.is_dir():  # it is made with the first feed
            folder = None
        self._attempts = HostLoginAttempts(folder / _ATTEMPTS if folder else None)
        return _DatabaseLoginAttempts(
            cluster_state.SharedLoginAttempts(self._statements, SECONDS_PER_FAILURE),
            self._attempts,
        )

    def close(self) -> None:
        """Close the files; the store closes its connections."""
        for opened in (self._of_host, self._attempts):
            if opened:
                opened.close()


class _DatabaseNonceCounts:
    """Nonce counts in the database, with a copy on this host.

    Every use is recorded on this host first, so that a count used while the server was away is
    still used when it is back.
    """

    def __init__(
        self, shared: cluster_state.SharedNonceUses, of_host: SharedNonceCounts | None
    ) -> None:
        self._shared = shared
        self._of_host = of_host
        self._outage = _OutageLog("until it is back, each host keeps its own nonce counts")

    def floor(self) -> int:
        here = self._of_host.floor() if self._of_host else 0
        try:
            shared = self._shared.floor()
        except StoreUnavailableError as error:
            self._outage.begin(error)
            return here
        self._outage.end()
        return max(here, shared)

    def use(self, nonce: Nonce, count: int) -> NonceUse:
        here = self._of_host.use(nonce, count) if self._of_host else None
        if here is NonceUse.AGAIN:
            return here
        try:
            use = NonceUse[self._shared.use(nonce.mac, round(nonce.issued * 1000), count)]
        except StoreUnavailableError as error:
            if here is None:
                raise
            self._outage.begin(error)
            return here
        self._outage.end()
        return use


class _DatabaseLoginAttempts:
    """Login attempts in the database; the record of this host replaces it during an outage."""

    def __init__(
        self, shared: cluster_state.SharedLoginAttempts, of_host: HostLoginAttempts
    ) -> None:
        self._shared = shared
        self._of_host = of_host
        self._outage = _OutageLog("until it is back, each host counts failed logins by itself")

    def pending(self, account: str, network: str) -> PendingFailures:
        try:
            pending = PendingFailures(*self._shared.pending(account, network))
        except StoreUnavailableError as error:
            self._outage.begin(error)
            return self._of_host.pending(account, network)
        self._outage.end()
        return pending

    def record_failure(self, account: str, network: str) -> None:
        self._of_host.record_failure(account, network)
        with self._outage.tolerated():
            self._shared.record_failure(account, network)

    def record_success(self, account: str, network: str) -> None:
        self._of_host.record_success(account, network)
        with self._outage.tolerated():
            self._shared.record_success(account, network)


class _OutageLog:
    """A log of outages of the database server: one line for each.

    Args:
        meanwhile: the consequence, for the log.
    """

    def __init__(self, meanwhile: str) -> None:
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._is_away = False

    @contextmanager
    def tolerated(self) -> Iterator[None]:
        """Continue if the block finds the server away."""
        try:
            yield
        except StoreUnavailableError as error:
            self.begin(error)

    def begin(self, error: StoreUnavailableError) -> None:
        """Log that the server is away, unless that was logged before."""
        with self._lock:
            was_away, self._is_away = self._is_away, True
        if not was_away:
            _log.warning("%s; %s", error, self._meanwhile)

    def end(self) -> None:
        """Record that the server is back."""
        self._is_away = False
