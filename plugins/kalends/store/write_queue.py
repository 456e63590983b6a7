"""A fair queue for writers, since SQLite's own busy handler can starve them.

That handler sleeps for longer and longer, so that some of many writers starve. Here the threads of
a process wait in a queue, and the first thread of each process waits for a file lock, which the
kernel grants in order. This is for fairness alone: SQLite's own lock keeps writers apart, so it
does no harm if the file lock cannot be taken.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kalends.common import private, progress
from kalends.errors import StoreBusyError


class WriteQueue:
    """The queue of the writers of one database.

    Args:
        path: the file that is locked; it is created if it is missing, and stays empty.
        database: the file of the database, whose permissions the locked one gets.
        seconds: the longest time for which a thread waits.
    """

    def __init__(self, path: Path, database: Path, seconds: float) -> None:
        self._path = path
        self._database = database
        self._seconds = seconds
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @property
    def waiting(self) -> int:
        """The number of threads of this process that wait in the queue."""
        return len(self._waiting)

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Wait in the queue, and be the writer for as long as the block.

        Raises:
            StoreBusyError: earlier writers took too long.
        """
        progress.report(self._seconds)
        self._wait()
        try:
            with _locked(self._path, self._database):
                progress.report(self._seconds)  # SQLite waits for writers of other programs
                yield
        finally:
            self._next()

    def _wait(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(self._seconds):
            return
        with self._guard:
            if mine.is_set():  # since the timeout
                return
            self._waiting.remove(mine)
        raise StoreBusyError

    def _next(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


@contextmanager
def _locked(path: Path, database: Path) -> Iterator[None]:
    try:
        descriptor = private.open_lock(path, database)
    except OSError:
        # A folder without write access, or a full disk: the write itself will report it.
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
