"""Writers in the order in which they came: SQLite lets whoever asks at the right moment go first.

SQLite's own waiting sleeps for longer and longer, so that of many writers some starve. Here the
threads of a process stand in a line, and the first of each process waits for a file lock, which
the kernel gives to one after the other. That is fairness alone: what keeps writers apart is
SQLite's own lock, and nothing is wrong where this one cannot be had.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kalends.errors import StoreBusyError


class WriteQueue:
    """The line before one database.

    Args:
        path: the file that is locked; it is made when it is missing, and stays empty.
        seconds: how long a thread stands in line.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._path = path
        self._seconds = seconds
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @property
    def waiting(self) -> int:
        """The number of this process's threads that stand in line."""
        return len(self._waiting)

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """For as long as the block, it is this thread's turn.

        Raises:
            StoreBusyError: the writers before took too long.
        """
        self._stand_in_line()
        try:
            with _locked(self._path):
                yield
        finally:
            self._next()

    def _stand_in_line(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(self._seconds):
            return
        with self._guard:
            if mine.is_set():  # just now
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
def _locked(path: Path) -> Iterator[None]:
    try:
        # To read is enough for a lock, where another user made the file.
        descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError:
        # A folder that cannot be written, or a full disk: the write itself will say so.
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
