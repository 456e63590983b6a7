"""What all workers and hosts of one installation agree on for logins, and where it lies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kalends.authn.nonces.replay_cache import NonceCounts, NonceUse, SharedNonceCounts, load_key
from kalends.authn.nonces.signing import Nonce
from kalends.authn.throttle import (
    SECONDS_PER_TRY,
    LoginAttempts,
    PendingFailures,
    ProcessLoginAttempts,
)
from kalends.errors import StoreUnavailableError
from kalends.store import cluster_state
from kalends.store.cluster_state import Statements

_log = logging.getLogger("kalends.htauth")

_KEY = "nonce.key"
_COUNTS = "nonce.counts"


class SharedAuthState(Protocol):
    """What those agree on who answer for one installation, be they workers or hosts."""

    def key(self) -> bytes:
        """The key that nonces and tokens are signed with; made where there is none.

        Raises:
            ConfigurationError: it cannot be made or read.
        """

    def counts(self) -> NonceCounts:
        """The counts of nonces.

        Raises:
            ConfigurationError: they cannot be made or read.
        """

    def tries(self) -> LoginAttempts | None:
        """Failed and right tries; None where each worker remembers its own."""

    def close(self) -> None:
        """Let go of it."""


class FolderAuthState:
    """What the workers of one host agree on: files in a folder.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: SharedNonceCounts | None = None

    def key(self) -> bytes:
        """See `SharedAuthState`."""
        return load_key(self._folder / _KEY)

    def counts(self) -> NonceCounts:
        """See `SharedAuthState`."""
        self._counts = SharedNonceCounts(self._folder / _COUNTS, time.time())
        return self._counts

    def tries(self) -> None:
        """See `SharedAuthState`."""

    def close(self) -> None:
        """Close the files."""
        if self._counts:
            self._counts.close()


class DatabaseAuthState:
    """What several hosts agree on: tables of the server that holds the store.

    While that server is away, a host goes by what its own workers have seen: feeds are served then
    to those who may see them, and nothing else is.

    Args:
        statements: that server.
        folder: of this host alone; without one, nobody can log in with Digest meanwhile.
    """

    def __init__(self, statements: Statements, folder: Path | None) -> None:
        self._statements = statements
        self._folder = folder
        self._of_host: SharedNonceCounts | None = None

    def key(self) -> bytes:
        """See `SharedAuthState`."""
        return cluster_state.shared_key(self._statements)

    def counts(self) -> NonceCounts:
        """See `SharedAuthState`."""
        shared = cluster_state.SharedNonceUses(self._statements)
        if self._folder is not None:
            self._of_host = SharedNonceCounts(self._folder / _COUNTS, time.time())
        return _DatabaseNonceCounts(shared, self._of_host)

    def tries(self) -> LoginAttempts:
        """See `SharedAuthState`."""
        return _DatabaseLoginAttempts(
            cluster_state.SharedLoginAttempts(self._statements, SECONDS_PER_TRY)
        )

    def close(self) -> None:
        """Close the file; the store closes its connections."""
        if self._of_host:
            self._of_host.close()


class _DatabaseNonceCounts:
    """See `NonceCounts`.

    Every use is noted on this host first, so that what was used while the server was away is used
    when it is back.
    """

    def __init__(
        self, shared: cluster_state.SharedNonceUses, of_host: SharedNonceCounts | None
    ) -> None:
        self._shared = shared
        self._of_host = of_host
        self._absence = _OutageLog("each host looks after its own nonces meanwhile")

    def floor(self) -> int:
        here = self._of_host.floor() if self._of_host else 0
        try:
            shared = self._shared.floor()
        except StoreUnavailableError as error:
            self._absence.note(error)
            return here
        self._absence.end()
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
            self._absence.note(error)
            return here
        self._absence.end()
        return use


class _DatabaseLoginAttempts:
    """See `LoginAttempts`; this worker's own are what is left while the server is away."""

    def __init__(self, shared: cluster_state.SharedLoginAttempts) -> None:
        self._shared = shared
        self._of_process = ProcessLoginAttempts()
        self._absence = _OutageLog("each worker counts failed logins by itself meanwhile")

    def known(self, account: str, network: str) -> PendingFailures:
        try:
            known = PendingFailures(*self._shared.known(account, network))
        except StoreUnavailableError as error:
            self._absence.note(error)
            return self._of_process.known(account, network)
        self._absence.end()
        return known

    def failed(self, account: str, network: str) -> None:
        self._of_process.failed(account, network)
        with self._absence.noted():
            self._shared.failed(account, network)

    def succeeded(self, account: str, network: str) -> None:
        self._of_process.succeeded(account, network)
        with self._absence.noted():
            self._shared.succeeded(account, network)


class _OutageLog:
    """Tells once, in the log, that the server is away.

    Args:
        meanwhile: what that means.
    """

    def __init__(self, meanwhile: str) -> None:
        self._meanwhile = meanwhile
        self._lock = threading.Lock()
        self._is_away = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Go on where the block finds that the server is away."""
        try:
            yield
        except StoreUnavailableError as error:
            self.note(error)

    def note(self, error: StoreUnavailableError) -> None:
        """The server is away."""
        with self._lock:
            was_away, self._is_away = self._is_away, True
        if not was_away:
            _log.warning("%s; %s", error, self._meanwhile)

    def end(self) -> None:
        """It is there."""
        self._is_away = False
