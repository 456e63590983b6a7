"""What the hosts of one installation agree on for logins: a key, nonce counts, failed tries.

It is on the server that holds the store. Nonce counts and failed tries are in unlogged tables,
which cost no wait for a disk, and are empty after a crash of that server: see `SharedNonceUses`.
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
"""How long nonces are remembered: twice as long as they are good for."""

_NONCES = 100_000
"""How many nonces are remembered at most, but for those of the last minutes."""


class Statements(Protocol):
    """Runs statements by themselves, outside of the transactions of the store."""

    def alone(self, text: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run one statement, and return its rows.

        Args:
            text: the statement, its parameters as ``%(name)s``.
            values: the parameters.

        Raises:
            StoreUnavailableError: the database is gone.
        """


def shared_key(statements: Statements) -> bytes:
    """The key that all hosts sign nonces with; made where there is none yet."""
    query = "SELECT value FROM shared_key WHERE name = 'nonce'"
    rows = statements.alone(query, {})
    if not rows:
        make = "INSERT INTO shared_key VALUES ('nonce', %(value)s) ON CONFLICT DO NOTHING"
        statements.alone(make, {"value": secrets.token_bytes(32)})
        rows = statements.alone(query, {})  # another host may have been faster
    return bytes(rows[0][0])


# A count is taken if it is above the highest, or one of the 64 below it that was not used. Bit 0
# of `used` is the highest count.
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
_BEGIN = "INSERT INTO nonce_floor VALUES (true, %(now)s) ON CONFLICT DO NOTHING"
_FORGET = """
DELETE FROM nonce_use WHERE mac IN (
    SELECT mac FROM nonce_use, nonce_floor WHERE issued <= since FOR UPDATE OF nonce_use SKIP LOCKED
)
"""
# What is below it now is forgotten the next time, when nobody is under way any more who took it
# for new.
_RAISE = """
UPDATE nonce_floor SET since = greatest(since, %(old)s, (
    SELECT issued FROM nonce_use ORDER BY issued DESC OFFSET %(most)s LIMIT 1
))
"""


class SharedNonceUses:
    """Which counts of which nonces were used, on whatever host.

    A nonce that was issued before the oldest that is remembered is not taken for a new one. After
    a crash of the database's server nothing is remembered, and no nonce is taken for new that was
    issued before this was noticed: at the first use since, or before the first new nonce is given
    out, so that every nonce that is given out later is good.

    Args:
        statements: the database.
        now: seconds since 1970.
    """

    def __init__(self, statements: Statements, now: Callable[[], float] = time.time) -> None:
        self._statements = statements
        self._now = now
        self._pruning = _PeriodicTask()
        self._begin()

    def floor(self) -> int:
        """Return the time up to which no nonce is taken for new, milliseconds since 1970."""
        while not (rows := self._statements.alone(_FLOOR, {})):
            self._begin()
        return int(rows[0][0])

    def use(self, mac: bytes, issued: int, count: int) -> str:
        """Use a count of a nonce.

        Args:
            mac: what no other genuine nonce has.
            issued: milliseconds since 1970.
            count: from 1 to 2**32 - 1.

        Returns:
            ``FIRST``, ``AGAIN``, or ``UNKNOWN`` if nobody knows whether it was used.
        """
        if self._pruning.is_due():
            self.prune()
        values = {"mac": mac, "issued": issued, "count": count}
        if self._statements.alone(_USE, values):
            return "FIRST"
        self._begin()
        return "AGAIN" if self._statements.alone(_WAS_USED, values) else "UNKNOWN"

    def _begin(self) -> None:
        self._statements.alone(_BEGIN, {"now": self._milliseconds()})

    def prune(self) -> None:
        """Forget nonces that are good for nothing any more."""
        self._statements.alone(_FORGET, {})
        old = self._milliseconds() - _KEEP_MILLISECONDS
        self._statements.alone(_RAISE, {"old": old, "most": _NONCES})

    def _milliseconds(self) -> int:
        return round(self._now() * 1000)


_LEFT = "greatest(0, known.count - extract(epoch FROM now() - known.at)::float8 / %(each)s::float8)"
_TELL = f"SELECT key, {_LEFT}, welcome FROM login_try AS known WHERE key = ANY(%(keys)s)"  # noqa: S608
_FAILED = f"""
INSERT INTO login_try AS known (key, count, at, welcome)
    SELECT key, 1, now(), false FROM unnest(%(keys)s::bytea[]) AS key ORDER BY key
ON CONFLICT (key) DO UPDATE SET count = {_LEFT} + 1, at = now()
"""  # noqa: S608
_SUCCEEDED = """
INSERT INTO login_try (key, count, at, welcome) VALUES (%(key)s, 0, now(), true)
ON CONFLICT (key) DO UPDATE SET count = 0, at = now(), welcome = true
"""
_FORGET_TRIES = f"""
DELETE FROM login_try WHERE key IN (
    SELECT key FROM login_try AS known
        WHERE {_LEFT} = 0 AND (NOT welcome OR at < now() - interval '30 days')
        FOR UPDATE SKIP LOCKED
)
"""  # noqa: S608


class SharedLoginAttempts:
    """How often logins failed lately, and who has logged in from where, on whatever host.

    Who has logged in on this worker within the last half minute is taken at that worker's word, so
    that a client which asks again and again does not cost a statement each time.

    Args:
        statements: the database.
        seconds_per_try: after how many seconds a failure is taken back.
        now: seconds, of a clock that only goes forward.
        capacity: how many clients are taken at this worker's word.
    """

    _FRESH_SECONDS = 30

    def __init__(
        self,
        statements: Statements,
        seconds_per_try: float,
        now: Callable[[], float] = time.monotonic,
        capacity: int = 10_000,
    ) -> None:
        self._statements = statements
        self._seconds_per_try = seconds_per_try
        self._now = now
        self._capacity = capacity
        self._fresh: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()
        self._pruning = _PeriodicTask()

    def known(self, account: str, network: str) -> tuple[float, float, float, bool]:
        """Failures of an account, of a network and of both together; whether both are welcome."""
        keys = _keys(account, network)
        with self._lock:
            if self._fresh.get(keys[2], 0.0) > self._now():
                return 0.0, 0.0, 0.0, True
        values = {"keys": list(keys), "each": self._seconds_per_try}
        rows = self._statements.alone(_TELL, values)
        found = {bytes(key): (float(count), bool(welcome)) for key, count, welcome in rows}
        of_account, of_network, of_both = (found.get(key, (0.0, False)) for key in keys)
        return of_account[0], of_network[0], of_both[0], of_both[1]

    def failed(self, account: str, network: str) -> None:
        """Count one more failure."""
        keys = _keys(account, network)
        with self._lock:
            self._fresh.pop(keys[2], None)
        values = {"keys": list(keys), "each": self._seconds_per_try}
        self._statements.alone(_FAILED, values)
        if self._pruning.is_due():
            self.prune()

    def prune(self) -> None:
        """Forget failures that were taken back, and who has not come for a month."""
        self._statements.alone(_FORGET_TRIES, {"each": self._seconds_per_try})

    def succeeded(self, account: str, network: str) -> None:
        """Let both together be welcome."""
        both = _keys(account, network)[2]
        with self._lock:
            if self._fresh.get(both, 0.0) > self._now():
                return
        self._statements.alone(_SUCCEEDED, {"key": both})
        with self._lock:
            self._fresh[both] = self._now() + self._FRESH_SECONDS
            self._fresh.move_to_end(both)
            if len(self._fresh) > self._capacity:
                self._fresh.popitem(last=False)


class _PeriodicTask:
    """Whether it is time again, for one thread of this process."""

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
    """What an account, a network, and both together go by; what people type is not stored."""
    name, place = (text.encode("utf-8", "surrogatepass") for text in (account, network))
    length = len(name).to_bytes(8, "big")
    texts = (b"account" + name, b"network" + place, b"both" + length + name + place)
    one, other, both = (blake2b(text, digest_size=16).digest() for text in texts)
    return one, other, both
