"""Whether a server can be reached: who waits for one that does not answer, and who does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SLOW_SECONDS = 1.0


class CircuitOpenError(Exception):
    """It did not answer a moment ago, and was not asked again."""

    def __init__(self) -> None:
        super().__init__("it did not answer a moment ago; it is asked again soon")


class CircuitBreaker:
    """Keeps threads from waiting for a server that does not answer, one after the other.

    Once it was long in vain, nobody tries for as long again as that took; then one thread does at
    a time, and the others are told at once. A server that refuses at once is asked each time.

    Args:
        now: seconds, of a clock that only goes forward.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._is_silent = False
        self._is_tried = False
        self._again = 0.0

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Try to reach it in the block, which raises if it cannot be reached.

        Raises:
            OutOfReachError: it is not to be tried now.
        """
        began = self._now()
        with self._lock:
            if self._is_silent and (self._is_tried or began < self._again):
                raise CircuitOpenError
            self._is_tried = True
        try:
            yield
        except BaseException:
            self._ended(self._now() - began)
            raise
        self._ended(0.0)

    def _ended(self, in_vain: float) -> None:
        with self._lock:
            self._is_tried = False
            self._is_silent = in_vain >= _SLOW_SECONDS
            self._again = self._now() + in_vain
