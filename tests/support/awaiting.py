"""Waiting for what a thread, a process or a server does by itself, with nobody to tell of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")

_PATIENCE_SECONDS = 60.0
_TICK_SECONDS = 0.02


def await_that(
    look: Callable[[], Found | None], told: Callable[[], object] = lambda: "it did not happen"
) -> Found:
    """What a look finds, as soon as it finds anything that is true.

    Args:
        look: called again and again, for a minute.
        told: what the failure says if it never does.
    """
    found: list[Found | None] = []

    def finds() -> bool:
        found[:] = [look()]
        return bool(found[0])

    assert happens_within(_PATIENCE_SECONDS, finds), told()
    assert found[0]
    return found[0]


def happens_within(seconds: float, look: Callable[[], object]) -> bool:
    """Return whether a look finds anything that is true before so many seconds have passed."""
    until = time.monotonic() + seconds
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(_TICK_SECONDS)
    return True


def listens(port: int) -> bool:
    """Whether somebody listens on a port of 127.0.0.1: some say so a moment before they do."""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True
