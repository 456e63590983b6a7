"""A cache with a bound in octets, for what clients can choose."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import wraps
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

LONGEST_KEY = 255
"""Characters of the longest key that a cache counted by entries may keep; no name is longer."""

_ENTRY = 200  # octets that Python needs for an entry besides

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")
_P = ParamSpec("_P")


class BoundedCache(Generic[_K, _V]):
    """Values by key that weigh a number of octets at most; all are dropped when there are more.

    Safe to share between threads; looking up takes no lock.

    Args:
        octets: the bound; an entry of more than a sixteenth of it is not kept.
    """

    def __init__(self, octets: int) -> None:
        self._bound = octets
        self._entries: dict[_K, _V] = {}
        self._lock = Lock()
        self.octets = 0
        """The weight of all entries."""

    def get(self, key: _K) -> _V | None:
        """Return the value of a key, or None."""
        return self._entries.get(key)

    def put(self, key: _K, value: _V, octets: int) -> None:
        """Keep a value unless it is too large.

        Args:
            key: its key.
            value: the value; not None.
            octets: the weight of both.
        """
        octets += _ENTRY
        if octets > self._bound // 16:
            return
        with self._lock:
            if key in self._entries:
                return
            if self.octets + octets > self._bound:
                self._entries, self.octets = {}, 0
            self._entries[key] = value
            self.octets += octets


def remembered(
    octets: int, weigh: Callable[_P, int]
) -> Callable[[Callable[_P, _V]], Callable[_P, _V]]:
    """Return a decorator that keeps the results of a pure function in a `BoundedCache`.

    Args:
        octets: the bound of the cache.
        weigh: returns the weight of a call's arguments and its result.
    """

    def decorate(function: Callable[_P, _V]) -> Callable[_P, _V]:
        results: BoundedCache[object, tuple[_V]] = BoundedCache(octets)

        @wraps(function)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _V:
            key = (args, *kwargs.items())
            found = results.get(key)
            if found is None:
                found = (function(*args, **kwargs),)
                results.put(key, found, weigh(*args, **kwargs))
            return found[0]

        return call

    return decorate
