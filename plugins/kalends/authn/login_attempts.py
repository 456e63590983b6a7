"""Record of login attempts in a table of fixed size, which all workers of a host share."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Protocol

from kalends.authn.mapped_table import HEADER_BYTES, MappedTable
from kalends.common.bounded_cache import LONGEST_KEY
from kalends.errors import ConfigurationError

SECONDS_PER_FAILURE = 60.0
"""The time after which one failure is forgotten."""

_MAGIC = b"KALLA\0\0\1"
_DIGEST_BYTES = 16
# A keyed digest of the name, a count or 1, and when it was written: monotonic seconds.
_SLOT = struct.Struct(f"<{_DIGEST_BYTES}sdd")
_WAYS = 8
_BUCKET_BYTES = _WAYS * _SLOT.size
_ACCOUNTS, _NETWORKS, _PAIRS, _WELCOME = range(4)
_REGIONS = 4
_WELCOME_SECONDS = 60.0
"""The time after which a login of the same client is written again."""


class PendingFailures(NamedTuple):
    """The failures that have not expired yet.

    Attributes:
        account: of an account, from any network.
        network: of a network, on any account.
        both: of this account from this network.
        is_welcome: True if that network has logged in to that account lately.
    """

    account: float
    network: float
    both: float
    is_welcome: bool


class LoginAttempts(Protocol):
    """A record of login attempts by account and network. Safe to share between threads."""

    def pending(self, account: str, network: str) -> PendingFailures:
        """Return the failures of an account and a network."""

    def record_failure(self, account: str, network: str) -> None:
        """Count a failed attempt."""

    def record_success(self, account: str, network: str) -> None:
        """Record a successful attempt."""


class HostLoginAttempts:
    """The login attempts that the workers of one host have seen.

    Accounts, networks, pairs of them, and welcome pairs have a region each, so that a flood of one
    kind evicts nothing of another. A region consists of buckets of eight; a name that is new to a
    full bucket takes the place of the one with the fewest failures left. So a flood of new names,
    each with one failure, evicts its own: an attacker who wants to have an account's six failures
    forgotten needs seven other names with six failures in that bucket, and cannot know which names
    are in it, since the digests are keyed. Welcome pairs are in the bucket of their account, and
    the oldest is evicted: an account that logs in from everywhere evicts few pairs of others.

    Args:
        path: the file, which is created if there is none; None for memory of this process alone.
        now: monotonic seconds, the same in all processes.
        buckets: their number in each region; each has 256 octets.
        boot: identifies this boot of the machine; read from the system if None.

    Raises:
        ConfigurationError: the file cannot be created or written.
    """

    def __init__(
        self,
        path: Path | None,
        now: Callable[[], float] = time.monotonic,
        *,
        buckets: int = 2048,
        boot: str | None = None,
    ) -> None:
        self._now = now
        self._buckets = buckets
        self._kept_digests = lru_cache(maxsize=1024)(self._make_digests)
        size = _REGIONS * buckets * _BUCKET_BYTES
        try:
            self._table = MappedTable(path, _MAGIC, size, time.time(), boot=boot)
        except OSError as error:
            why = f"{error.strerror}: the counts of failed logins"
            raise ConfigurationError(str(path), why) from None

    def close(self) -> None:
        """Close the file."""
        self._table.close()

    def pending(self, account: str, network: str) -> PendingFailures:
        """See `LoginAttempts`."""
        # Without a lock: this is asked for each request, and a count that is just being written
        # may be taken for the one before. So it looks into the table without a call for each part.
        of_account, of_network, of_pair = self._digests(account, network)
        find, bucket = self._table.octets.find, self._bucket
        accounts, networks = bucket(_ACCOUNTS, of_account), bucket(_NETWORKS, of_network)
        pairs, welcome = bucket(_PAIRS, of_pair), bucket(_WELCOME, of_account)
        one = find(of_account, accounts, accounts + _BUCKET_BYTES)
        two = find(of_network, networks, networks + _BUCKET_BYTES)
        both = find(of_pair, pairs, pairs + _BUCKET_BYTES)
        return PendingFailures(
            self._left(one) if one >= 0 else 0.0,
            self._left(two) if two >= 0 else 0.0,
            self._left(both) if both >= 0 else 0.0,
            find(of_pair, welcome, welcome + _BUCKET_BYTES) >= 0,
        )

    def record_failure(self, account: str, network: str) -> None:
        """See `LoginAttempts`."""
        of_account, of_network, of_pair = self._digests(account, network)
        self._add(_ACCOUNTS, of_account)
        self._add(_NETWORKS, of_network)
        self._add(_PAIRS, of_pair)

    def record_success(self, account: str, network: str) -> None:
        """See `LoginAttempts`."""
        of_account, _, of_pair = self._digests(account, network)
        if self._left(self._find(_PAIRS, of_pair, of_pair)):
            with self._locked(_PAIRS, of_pair):
                self._write(self._find(_PAIRS, of_pair, of_pair), bytes(_DIGEST_BYTES), 0.0)
        known = self._find(_WELCOME, of_pair, of_account)
        if known >= 0 and self._now() - self._slot(known)[2] < _WELCOME_SECONDS:
            return
        with self._locked(_WELCOME, of_account):
            at = self._find(_WELCOME, of_pair, of_account)
            self._write(at if at >= 0 else self._oldest(_WELCOME, of_account), of_pair, 1.0)

    def _add(self, region: int, digest: bytes) -> None:
        with self._locked(region, digest):
            at = self._find(region, digest, digest)
            left = self._left(at)
            self._write(at if at >= 0 else self._weakest(region, digest), digest, left + 1)

    def _digests(self, account: str, network: str) -> tuple[bytes, bytes, bytes]:
        """Return the digests of an account, a network, and both; each client's come often."""
        if len(account) > LONGEST_KEY or len(network) > LONGEST_KEY:
            return self._make_digests(account, network)
        return self._kept_digests(account, network)

    def _make_digests(self, account: str, network: str) -> tuple[bytes, bytes, bytes]:
        key = self._table.key
        names = [name.encode("utf-8", "surrogatepass") for name in (account, network)]
        one, two = (blake2b(n, digest_size=_DIGEST_BYTES, key=key).digest() for n in names)
        return one, two, blake2b(one + two, digest_size=_DIGEST_BYTES, key=key).digest()

    def _bucket(self, region: int, digest: bytes) -> int:
        number = int.from_bytes(digest[:4], "big") % self._buckets
        return HEADER_BYTES + (region * self._buckets + number) * _BUCKET_BYTES

    def _locked(self, region: int, digest: bytes) -> AbstractContextManager[None]:
        return self._table.locked(self._bucket(region, digest), _BUCKET_BYTES)

    def _find(self, region: int, digest: bytes, bucket_digest: bytes) -> int:
        """Return the place of a slot; -1 if there is none."""
        start = self._bucket(region, bucket_digest)
        return self._table.octets.find(digest, start, start + _BUCKET_BYTES)

    def _slot(self, at: int) -> tuple[bytes, float, float]:
        digest, count, written = _SLOT.unpack_from(self._table.octets, at)
        return digest, count, written

    def _write(self, at: int, digest: bytes, count: float) -> None:
        _SLOT.pack_into(self._table.octets, at, digest, count, self._now())

    def _left(self, at: int) -> float:
        """Return the failures of a slot that have not expired yet."""
        if at < 0:
            return 0.0
        _, count, written = self._slot(at)
        return max(0.0, count - (self._now() - written) / SECONDS_PER_FAILURE)

    def _weakest(self, region: int, digest: bytes) -> int:
        places = self._places(region, digest)
        return min(places, key=lambda at: (self._left(at), self._slot(at)[2]))

    def _oldest(self, region: int, digest: bytes) -> int:
        return min(self._places(region, digest), key=lambda at: self._slot(at)[2])

    def _places(self, region: int, digest: bytes) -> range:
        start = self._bucket(region, digest)
        return range(start, start + _BUCKET_BYTES, _SLOT.size)
