"""Deliveries of feeds to other servers: the delivered versions, failures and claims."""

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
    """The state of the deliveries to one address on another server.

    Attributes:
        target: the address.
        key: the digest of the octets that are there; empty if there are none.
        etag: the entity tag that the server gave it; empty if it gave none.
        delivered: the time of the last success, seconds since 1970; None if there was none.
        failures: the number of failures since the last success.
        why: the reason of the last failure; empty after a success.
        due: the earliest time of the next attempt, seconds since 1970.
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
    """The deliveries to all addresses on other servers.

    Of all workers on all hosts, one at a time has the claim on an address. A claim expires, so a
    host that has crashed does not block an address.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def deliveries(self) -> Mapping[str, Delivery]:
        """Return the state of each address, by address."""
        with self._database.read() as connection:
            return {row.target: Delivery(*row) for row in connection.execute(select(*_COLUMNS))}

    def claim(self, target: str, claimant: str, seconds: int) -> Delivery | None:
        """Take or extend the claim on an address.

        Args:
            target: the address.
            claimant: names the claimant, which may extend its own claim.
            seconds: the time after which the claim expires.

        Returns:
            the state of the address; None if another claimant has the claim.
        """
        try:
            with self._database.write(FEEDS) as connection:
                if not _exists(connection, target):
                    connection.execute(insert(delivery), {"target": target, **_FRESH})
                return _take_claim(connection, target, claimant, seconds)
        except IntegrityError:  # another host has just inserted the row for its own claim
            return None

    def record_success(self, target: str, key: str, etag: str, due: int) -> None:
        """Record a successful delivery, and end the claim.

        Args:
            target: the address.
            key: the digest of the octets that are there now.
            etag: the entity tag that the server gave it; empty if it gave none.
            due: the earliest time of the next delivery, seconds since 1970.
        """
        self._update(
            target, key=key, etag=etag, delivered=int(time.time()), failures=0, why="", due=due
        )

    def record_failure(self, target: str, why: str, due: int) -> None:
        """Record a failed delivery, and end the claim.

        Args:
            target: the address.
            why: the reason.
            due: the earliest time of the next attempt, seconds since 1970.
        """
        self._update(target, failures=delivery.c.failures + 1, why=why, due=due)

    def remove(self, target: str) -> None:
        """Delete the record of an address from which our file was removed."""
        with self._database.write(FEEDS) as connection:
            connection.execute(delete(delivery).where(_THIS), {"which": target})

    def _update(self, target: str, **values: object) -> None:
        values.update(claimant="", claimed_until=0)
        with self._database.write(FEEDS) as connection:
            connection.execute(update(delivery).where(_THIS).values(**values), {"which": target})


def _exists(connection: Connection, target: str) -> bool:
    query = select(delivery.c.target).where(_THIS)
    return connection.execute(query, {"which": target}).first() is not None


def _take_claim(
    connection: Connection, target: str, claimant: str, seconds: int
) -> Delivery | None:
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
