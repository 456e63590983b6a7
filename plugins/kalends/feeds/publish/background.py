"""Work that goes on beside the requests, in a thread of each process that serves."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

_log = logging.getLogger("kalends.feeds")

POLL_SECONDS = 3.0
"""How long it takes at most until another process's write, or an edit of a file, is noticed."""

SETTLE_SECONDS = 0.1
"""How long after a write it begins: a client that has written asks something next, and a program
that writes writes more. Neither is to share the processor with this."""

_STOP_SECONDS = 5.0
_FIRST_PAUSE = 2
_LONGEST_PAUSE = 3600


def backoff_seconds(failures: int, longest: int = _LONGEST_PAUSE) -> int:
    """Seconds to wait after so many failures one after the other: 2, 4, 8 … an hour."""
    return int(min(_FIRST_PAUSE << min(max(failures - 1, 0), 20), longest))


class BackgroundLoop:
    """Does some work again and again: when it is woken, and every few seconds.

    Args:
        name: of the thread.
        work: what to do; what it raises is logged, and does not end the thread.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def start(self) -> bool:
        """Begin, in this process; call after the server has forked, as often as you like.

        Returns:
            Whether it has begun just now.
        """
        if self._process == os.getpid():
            return False
        self._process = os.getpid()
        self._wake = threading.Event()
        self._wake.set()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        return True

    def wake(self) -> None:
        """Something has happened: look soon."""
        self._wake.set()

    def stop(self) -> None:
        """End, after what it is doing now if that does not take long."""
        self._stopping.set()
        self._wake.set()
        if self._thread and self._process == os.getpid():
            self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while True:
            if self._wake.wait(POLL_SECONDS) and self._stopping.wait(SETTLE_SECONDS):
                return
            self._wake.clear()
            try:
                self._work()
            except Exception:  # noqa: BLE001 - our bug must not end the thread; it is logged whole
                _log.exception("%s", self._name)
