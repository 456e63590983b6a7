"""The event that says what was written, and its subscribers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

_log = logging.getLogger("kalends")


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the store.

    Attributes:
        path: the path of the collection, without a slash at either end; for a secret address
            ``feeds/NAME`` of its feed.
        kind: ``put`` for objects stored, ``delete`` for objects removed, ``move`` for objects
            moved out of the collection or into it, ``collection`` if the collection was made or
            removed with all that is below it or has other properties, ``secret`` for a secret
            address made or ended.
        hrefs: the last segments of the objects' paths; empty if the writer does not know them.
    """

    path: str
    kind: Literal["put", "delete", "move", "collection", "secret"]
    hrefs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """A write that is in the store.

    Attributes:
        changes: what was changed, in order.
        user: the account that has logged in for it; None where nobody has.
    """

    changes: tuple[Change, ...]
    user: str | None


Subscriber = Callable[[Committed], None]
"""Is told of each write after its commit, in the thread that wrote; it must not wait long."""


class CommitEvents:
    """The subscribers to what this process writes.

    Args:
        subscribers: are told in this order.
    """

    def __init__(self, subscribers: Iterable[Subscriber]) -> None:
        self._subscribers = tuple(subscribers)

    def publish(self, changes: Iterable[Change], user: str | None) -> None:
        """Tell each subscriber of a write that was committed; no changes are not an event.

        The write is in the store: a subscriber that fails is logged, and fails nothing else.
        """
        committed = Committed(tuple(changes), user)
        if not committed.changes:
            return
        for subscriber in self._subscribers:
            try:
                subscriber(committed)
            except Exception:  # noqa: BLE001 - our bug; the client's write is done all the same
                _log.exception("a subscriber to what is written failed")
