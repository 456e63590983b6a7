"""State that the hosts of one installation share for logins: a key, nonce counts, login attempts.

It is kept in tables of the database server. Nonce counts and login attempts are in unlogged
tables, which never wait for a disk and are empty after a crash of that server: see
`SharedNonceUses`.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Protocol

_PRUNE_SECONDS = 60
_KEEP_MILLISECONDS = 600_000
"""The time for which nonces are kept: twice their lifetime."""

_NONCES = 100_000
"""The most nonces that are kept, besides those of the last minutes."""


class Statements(Protocol):
    """A connection for single statements, outside the transactions of the store."""

    def execute(self, text: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows.

        Args:
            text: the statement, its parameters as ``%(name)s``.
            values: the parameters.

        Raises:
            StoreUnavailableError: the database server does not answer.
        """


def shared_key(statements: Statements) -> bytes:
    """Return the key that all hosts sign nonces with; create it if there is none yet."""
    query = "SELECT value FROM shared_key WHERE name = 'nonce'"
    rows = statements.execute(query, {})
    if not rows:
        make = "INSERT INTO shared_key VALUES ('nonce', %(value)s) ON CONFLICT DO NOTHING"
        statements.execute(make, {"value": secrets.token_bytes(32)})
        rows = statements.execute(query, {})  # another host may have been faster
    return bytes(rows[0][0])


# A count is accepted if it is above the highest, or if it is one of the 64 below it and was not
# used. Bit 0 of `used` is the highest count.
_USE = """
INSERT INTO nonce_use AS known (mac, issued, highest, used)
    SELECT %(mac)s::bytea, %(issued)s::bigint, %(count)s::bigint, 1
        FROM nonce_floor WHERE since < %(issued)s::bigint
ON CONFLICT (mac) DO UPDATE SET
    highest = greatest(known.highest, excluded.highest),
    used = CASE
        WHEN excluded.highest >= known.highest + 64 THEN 1
        WHEN excluded.highest > known.highest
            THEN (known.used << (excluded.highest - known.highest)::int) | 1
        ELSE known.used | (1::bigint << (known.highest - excluded.highest)::int)
    END
    WHERE excluded.highest > known.highest
        OR known.highest - excluded.highest < 64
            AND known.used & (1::bigint << (known.highest - excluded.highest)::int) = 0
RETURNING 1
"""
_WAS_USED = """
SELECT 1 FROM nonce_use, nonce_floor
    WHERE mac = %(mac)s AND since < issued AND highest - %(count)s::bigint < 64
"""
_FLOOR = "SELECT since FROM nonce_floor"
_CREATE_FLOOR = "INSERT INTO nonce_floor VALUES (true, %(now)s) ON CONFLICT DO NOTHING"
_PRUNE_NONCES = """
DELETE FROM nonce_use WHERE mac IN (
    SELECT mac FROM nonce_use, nonce_floor WHERE issued <= since FOR UPDATE OF nonce_use SKIP LOCKED
)
"""
# Nonces below the new floor are deleted at the next pruning: until then, a request that found one
# of them to be new may still be running.
_RAISE_FLOOR = """
UPDATE nonce_floor SET since = greatest(since, %(old)s, (
    SELECT issued FROM nonce_use ORDER BY issued DESC OFFSET %(most)s LIMIT 1
))
"""


class SharedNonceUses:
    """The used counts of nonces on all hosts.

    A nonce that was issued before the oldest recorded one does not count as new. After a crash of
    the database server the record is empty, and a nonce counts as new only if it was issued after
    this was noticed: at the first use, or before the first new nonce is given out, so that every
    nonce given out later is valid.

    Args:
        statements: the database.
        now: seconds since 1970.
    """

    def __init__(self, statements: Statements, now: Callable[[], float] = time.time) -> None:
        self._statements = statements
        self._now = now
        self._pruning = _PeriodicTask()
        self._create_floor()

    def floor(self) -> int:
        """Return the time up to which no nonce counts as new, milliseconds since 1970."""
        while not (rows := self._statements.execute(_FLOOR, {})):
            self._create_floor()
        return int(rows[0][0])

    def use(self, mac: bytes, issued: int, count: int) -> str:
        """Record the use of a count of a nonce.

        Args:
            mac: identifies the nonce among genuine ones.
            issued: milliseconds since 1970.
            count: from 1 to 2**32 - 1.

        Returns:
            ``FIRST``, ``AGAIN``, or ``UNKNOWN`` if the record of its use is gone.
        """
        if self._pruning.is_due():
            self.prune()
        values = {"mac": mac, "issued": issued, "count": count}
        if self._statements.execute(_USE, values):
            return "FIRST"
        self._create_floor()
        return "AGAIN" if self._statements.execute(_WAS_USED, values) else "UNKNOWN"

    def _create_floor(self) -> None:
        self._statements.execute(_CREATE_FLOOR, {"now": self._milliseconds()})

    def prune(self) -> None:
        """Delete nonces that have expired."""
        self._statements.execute(_PRUNE_NONCES, {})
        old = self._milliseconds() - _KEEP_MILLISECONDS
        self._statements.execute(_RAISE_FLOOR, {"old": old, "most": _NONCES})

    def _milliseconds(self) -> int:
        return round(self._now() * 1000)


_LEFT = "greatest(0, known.count - extract(epoch FROM now() - known.at)::float8 / %(each)s::float8)"
_PENDING = f"SELECT key, {_LEFT}, welcome FROM login_try AS known WHERE key = ANY(%(keys)s)"  # noqa: S608
_RECORD_FAILURE = f"""
INSERT INTO login_try AS known (key, count, at, welcome)
    SELECT key, 1, now(), false FROM unnest(%(keys)s::bytea[]) AS key ORDER BY key
ON CONFLICT (key) DO UPDATE SET count = {_LEFT} + 1, at = now()
"""  # noqa: S608
_RECORD_SUCCESS = """
INSERT INTO login_try (key, count, at, welcome) VALUES (%(key)s, 0, now(), true)
ON CONFLICT (key) DO UPDATE SET count = 0, at = now(), welcome = true
"""
_PRUNE_ATTEMPTS = f"""
DELETE FROM login_try WHERE key IN (
    SELECT key FROM login_try AS known
        WHERE {_LEFT} = 0 AND (NOT welcome OR at < now() - interval '30 days')
        FOR UPDATE SKIP LOCKED
)
"""  # noqa: S608


class SharedLoginAttempts:
    """The recent failures and successes of logins on all hosts.

    A client that has logged in on this worker within the last half minute is welcome without a
    statement, so that its many requests do not each cost one.

    Args:
        statements: the database.
        seconds_per_failure: the time after which a failure expires.
        now: a monotonic clock, in seconds.
        capacity: the most clients that are welcome without a statement.
    """

    _FRESH_SECONDS = 30

    def __init__(
        self,
        statements: Statements,
        seconds_per_failure: float,
        now: Callable[[], float] = time.monotonic,
        capacity: int = 10_000,
    ) -> None:
        self._statements = statements
        self._seconds_per_failure = seconds_per_failure
        self._now = now
        self._capacity = capacity
        self._fresh: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._pruning = _PeriodicTask()

    def pending(self, account: str, network: str) -> tuple[float, float, float, bool]:
        """Return the failures of an account, a network and both; True if both are welcome."""
        keys = _keys(account, network)
        with self._lock:
            if self._fresh.get(keys[2], 0.0) > self._now():
                return 0.0, 0.0, 0.0, True
        values = {"keys": list(keys), "each": self._seconds_per_failure}
        rows = self._statements.execute(_PENDING, values)
        found = {bytes(key): (float(count), bool(welcome)) for key, count, welcome in rows}
        of_account, of_network, of_both = (found.get(key, (0.0, False)) for key in keys)
        return of_account[0], of_network[0], of_both[0], of_both[1]

    def record_failure(self, account: str, network: str) -> None:
        """Count one more failure."""
        keys = _keys(account, network)
        with self._lock:
            self._fresh.pop(keys[2], None)
        values = {"keys": list(keys), "each": self._seconds_per_failure}
        self._statements.execute(_RECORD_FAILURE, values)
        if self._pruning.is_due():
            self.prune()

    def prune(self) -> None:
        """Delete expired failures, and clients that have not logged in for a month."""
        self._statements.execute(_PRUNE_ATTEMPTS, {"each": self._seconds_per_failure})

    def record_success(self, account: str, network: str) -> None:
        """Make an account welcome from a network."""
        both = _keys(account, network)[2]
        with self._lock:
            if self._fresh.get(both, 0.0) > self._now():
                return
        self._statements.execute(_RECORD_SUCCESS, {"key": both})
        with self._lock:
            self._fresh[both] = self._now() + self._FRESH_SECONDS
            self._fresh.move_to_end(both)
            if len(self._fresh) > self._capacity:
                self._fresh.popitem(last=False)


class _PeriodicTask:
    """A timer that makes a task due for one thread of this process at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due = time.monotonic() + _PRUNE_SECONDS

    def is_due(self) -> bool:
        with self._lock:
            if time.monotonic() < self._due:
                return False
            self._due = time.monotonic() + _PRUNE_SECONDS
            return True


def _keys(account: str, network: str) -> tuple[bytes, bytes, bytes]:
    """Hash an account, a network, and both together, so that no typed names are stored."""
    name, place = (text.encode("utf-8", "surrogatepass") for text in (account, network))
    length = len(name).to_bytes(8, "big")
    texts = (b"account" + name, b"network" + place, b"both" + length + name + place)
    one, other, both = (blake2b(text, digest_size=16).digest() for text in texts)
    return one, other, both
