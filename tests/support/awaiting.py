"""Polling for what a thread, a process or a server does without announcing it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_PATIENCE_SECONDS = 60.0
_TICK_SECONDS = 0.02


def await_that(
    check: Callable[[], Found | None], message: Callable[[], object] = lambda: "it did not happen"
) -> Found:
    """Return the result of a check as soon as it is true.

    Args:
        check: called again and again, for a minute.
        message: returns the failure's message if the result is never true.
    """
    found: list[Found | None] = []

    def succeeded() -> bool:
        found[:] = [check()]
        return bool(found[0])

    assert happens_within(_PATIENCE_SECONDS, succeeded), message()
    assert found[0]
    return found[0]


def happens_within(seconds: float, check: Callable[[], object]) -> bool:
    """Return True if the result of a check is true before so many seconds have passed."""
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            return False
        time.sleep(_TICK_SECONDS)
    return True


def listens(port: int) -> bool:
    """Return True if a server listens on a port of 127.0.0.1.

    Some servers log that they are ready a moment before they listen.
    """
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
