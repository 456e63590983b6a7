"""Circuit breaker for an unresponsive database server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SLOW_SECONDS = 1.0


class CircuitOpenError(Exception):
    """The server did not answer recently, so this attempt was skipped."""

    def __init__(self) -> None:
        super().__init__("it did not answer a moment ago; the next attempt follows soon")


class CircuitBreaker:
    """Circuit breaker that keeps threads from queueing up for a server that does not answer.

    An attempt that fails slowly opens the circuit for as long as the attempt took. After that one
    thread at a time may try, and the others fail immediately. A server that refuses connections
    immediately costs nothing, so it is tried every time.

    Args:
        now: a monotonic clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._is_open = False
        self._is_trying = False
        self._retry_at = 0.0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Run the block as an attempt to reach the server; the block raises if that fails.

        Raises:
            CircuitOpenError: no attempt is allowed now.
        """
        began = self._now()
        with self._lock:
            if self._is_open and (self._is_trying or began < self._retry_at):
                raise CircuitOpenError
            self._is_trying = True
        try:
            yield
        except BaseException:
            self._end(self._now() - began)
            raise
        self._end(0.0)

    def _end(self, wasted: float) -> None:
        with self._lock:
            self._is_trying = False
            self._is_open = wasted >= _SLOW_SECONDS
            self._retry_at = self._now() + wasted
