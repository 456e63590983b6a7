"""Reports of progress, by which the server tells slow requests from stuck ones.

Long work reports each of its steps, wherever it is done; who listens is a matter of the context:
the server while it answers a request, nobody in a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[float], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report(next_within: float = 0) -> None:
    """Report that the work of the present request goes on.

    Args:
        next_within: the longest time for which it may now wait for the work of others, in seconds.
    """
    listener = _listener.get()
    if listener is not None:
        listener(next_within)


@contextmanager
def reported_to(listener: Listener) -> Iterator[None]:
    """Have a function called with each report within the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
