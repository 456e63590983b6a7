"""A lock that keeps ``restore`` away from a database file that a server has open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kalends.common import private
from kalends.errors import KalendsError


class StoreInUseError(KalendsError):
    """A server runs on the store, or it is being restored."""


class ServingLock:
    """A file lock that lasts until it is released or the process ends in any way.

    Args:
        database: the file of the store; the lock is on an empty file beside it.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._path = Path(f"{database}-serving")
        self._descriptor: int | None = None

    def acquire_shared(self) -> None:
        """Take the lock as one of several servers.

        Raises:
            StoreInUseError: the store is being restored.
        """
        self._lock(fcntl.LOCK_SH, "is being restored; start again when that is done")

    def acquire_exclusive(self) -> None:
        """Take the lock as the only process, to keep servers away.

        Raises:
            StoreInUseError: a server runs.
        """
        self._lock(fcntl.LOCK_EX, "a server runs on it; stop that first")

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, how: int, why: str) -> None:
        try:
            descriptor = private.open_lock(self._path, Path(self._database))
        except OSError:
            return  # a folder without write access: the first write will report it
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreInUseError(f"{self._database}: {why}") from None
        self._descriptor = descriptor
