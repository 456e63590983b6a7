"""Background work of a serving process, in a thread beside the requests."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

_log = logging.getLogger("kalends.feeds")

POLL_SECONDS = 3.0
"""The longest time until a write by another process, or an edit of a file, is noticed."""

SETTLE_SECONDS = 0.1
"""The delay from a write to the work: the client usually sends another request at once, which
should not share the processor with this work."""

_STOP_SECONDS = 5.0
_SHORTEST_PAUSE = 2
_LONGEST_PAUSE = 3600


def backoff_seconds(failures: int, longest: int = _LONGEST_PAUSE) -> int:
    """Return the seconds to wait after so many failures in a row: 2, 4, 8 … up to ``longest``."""
    return int(min(_SHORTEST_PAUSE << min(max(failures - 1, 0), 20), longest))


class BackgroundLoop:
    """A loop that does its work every few seconds, and soon after it is woken.

    Args:
        name: the name of the thread.
        work: the work; its exceptions are logged and do not end the thread.
    """

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        self._name = name
        self._work = work
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._process = 0

    def start(self) -> bool:
        """Start the thread of this process; call it after the server has forked.

        Returns:
            True if the thread was started; False if it was running already.
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
        """Do the work soon."""
        self._wake.set()

    def stop(self) -> None:
        """Stop the thread; wait a few seconds for work in progress."""
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
            except Exception:  # noqa: BLE001 - a bug must not end the thread; it is logged with its traceback
                _log.exception("%s", self._name)
