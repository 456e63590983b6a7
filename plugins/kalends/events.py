"""The event of a committed write, and its subscribers."""

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
            moved out of the collection or into it, ``collection`` if the collection was created,
            removed with its members, or given other properties, ``secret`` for a secret address
            created or revoked.
        hrefs: the last segments of the objects' paths; empty if the writer does not know them.
    """

    path: str
    kind: Literal["put", "delete", "move", "collection", "secret"]
    hrefs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Committed:
    """A committed write.

    Attributes:
        changes: its changes, in order.
        user: the logged-in account; None for the command line and background work.
    """

    changes: tuple[Change, ...]
    user: str | None


Subscriber = Callable[[Committed], None]
"""A callback for each committed write, called in the writing thread; it must not block."""


class CommitEvents:
    """The subscribers to the writes of this process.

    Args:
        subscribers: called in this order.
    """

    def __init__(self, subscribers: Iterable[Subscriber]) -> None:
        self._subscribers = tuple(subscribers)

    def publish(self, changes: Iterable[Change], user: str | None) -> None:
        """Call each subscriber with a committed write, if it has changes.

        The write is in the store: a failing subscriber is logged, and the request succeeds.
        """
        committed = Committed(tuple(changes), user)
        if not committed.changes:
            return
        for subscriber in self._subscribers:
            try:
                subscriber(committed)
            except Exception:  # noqa: BLE001 - a bug in Kalends; the client's write is stored
                _log.exception("a subscriber to committed writes failed")
