"""Whether somebody serves from a store in a file: a restore must not come between."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from kalends.errors import KalendsError


class StoreInUseError(KalendsError):
    """A server runs on the store, or it is being restored."""


class ServingLock:
    """A mark that holds for as long as this process lives, however it ends.

    Args:
        database: the file of the store; the mark is an empty file beside it.
    """

    def __init__(self, database: str) -> None:
        self._database = database
        self._path = Path(f"{database}-serving")
        self._descriptor: int | None = None

    def acquire_shared(self) -> None:
        """Be one of those who serve.

        Raises:
            StoreInUseError: it is being restored.
        """
        self._lock(fcntl.LOCK_SH, "is being restored; start again when that is done")

    def acquire_exclusive(self) -> None:
        """Keep servers out.

        Raises:
            StoreInUseError: one runs.
        """
        self._lock(fcntl.LOCK_EX, "a server runs on it; stop that first")

    def release(self) -> None:
        """Take the mark away."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, how: int, why: str) -> None:
        try:
            # To read is enough for a lock, where another user made the file.
            flags = os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self._path, flags, 0o644)
        except OSError:
            return  # a folder that cannot be written: the first write will say so
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise StoreInUseError(f"{self._database}: {why}") from None
        self._descriptor = descriptor
