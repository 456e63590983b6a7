"""The record of what stands on other servers, and whose turn it is to bring something there."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from kalends.store.engine import Database
from kalends.store.feed_secrets import FEEDS
from kalends.store.schema import delivery


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is known of one address on another server.

    Attributes:
        key: the version of the feed that stands there; empty if none does.
        etag: what that server calls it; empty if it did not say.
        delivered: when it was brought there, seconds since 1970; None if nothing was.
        failures: how often it failed since, one after the other.
        why: of the last failure; empty after a success.
        due: seconds since 1970 before which it is not tried again.
    """

    target: str
    key: str
    etag: str
    delivered: int | None
    failures: int
    why: str
    due: int


_COLUMNS = (
    delivery.c.target,
    delivery.c.key,
    delivery.c.etag,
    delivery.c.delivered,
    delivery.c.failures,
    delivery.c.why,
    delivery.c.due,
)
_THIS = delivery.c.target == bindparam("which")
_FRESH = {
    "key": "",
    "etag": "",
    "failures": 0,
    "why": "",
    "due": 0,
    "claimant": "",
    "claimed_until": 0,
}


class DeliveryLog:
    """Which version of a feed stands at which address of other servers.

    Of all workers of all hosts one at a time has the claim on an address; it ends by itself, so
    that a host which is gone holds nothing up.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def deliveries(self) -> Mapping[str, Delivery]:
        """What is known of each address."""
        with self._database.read() as connection:
            return {row.target: Delivery(*row) for row in connection.execute(select(*_COLUMNS))}

    def claim(self, target: str, claimant: str, seconds: int) -> Delivery | None:
        """Take the claim on an address, or keep it; None if another claimant has it.

        Args:
            claimant: who; claiming again is keeping.
            seconds: for how long from now on.
        """
        try:
            with self._database.write(FEEDS) as connection:
                if not _exists(connection, target):
                    connection.execute(insert(delivery), {"target": target, **_FRESH})
                return _claimed(connection, target, claimant, seconds)
        except IntegrityError:  # another host has just made the row, for its own claim
            return None

    def record_success(self, target: str, key: str, etag: str, due: int) -> None:
        """Note that the version ``key`` stands there now; the claim ends.

        Args:
            due: seconds since 1970 before which nothing else is brought there.
        """
        self._update(
            target, key=key, etag=etag, delivered=int(time.time()), failures=0, why="", due=due
        )

    def record_failure(self, target: str, why: str, due: int) -> None:
        """Note one more failure; the claim ends.

        Args:
            due: seconds since 1970 before which it is not tried again.
        """
        self._update(target, failures=delivery.c.failures + 1, why=why, due=due)

    def remove(self, target: str) -> None:
        """Note that nothing of ours stands there any more."""
        with self._database.write(FEEDS) as connection:
            connection.execute(delete(delivery).where(_THIS), {"which": target})

    def _update(self, target: str, **values: object) -> None:
        values.update(claimant="", claimed_until=0)
        with self._database.write(FEEDS) as connection:
            connection.execute(update(delivery).where(_THIS).values(**values), {"which": target})


def _exists(connection: Connection, target: str) -> bool:
    query = select(delivery.c.target).where(_THIS)
    return connection.execute(query, {"which": target}).first() is not None


def _claimed(connection: Connection, target: str, claimant: str, seconds: int) -> Delivery | None:
    now = int(time.time())
    free = or_(delivery.c.claimed_until < now, delivery.c.claimant == claimant)
    values = {"claimant": claimant, "claimed_until": now + seconds}
    done = connection.execute(
        update(delivery).where(_THIS, free).values(**values), {"which": target}
    )
    if not done.rowcount:
        return None
    row = connection.execute(select(*_COLUMNS).where(_THIS), {"which": target}).one()
    return Delivery(*row)
