"""Throttling of login attempts after failures, by account and by network.

Five failures in a row are normal for an honest program; each further one doubles the next delay. A
minute takes one failure back. A network that has logged in to an account lately is not delayed by
the attempts of others on that account, or on other accounts from there.

Each worker process keeps its own counts, unless all hosts share them (`LoginAttempts`). Only failed
logins are counted, never requests without credentials.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import NamedTuple, Protocol

from kalends.errors import TooManyAttemptsError

FREE_FAILURES = 5
LONGEST_SECONDS = 4.0
SECONDS_PER_FAILURE = 60.0
_FIRST_SECONDS = 0.5
_MOST_WAITING = 2


class FailureCounts:
    """Counts of recent failures, bounded: the least recent key is evicted first.

    Args:
        capacity: entries at most.
        now: seconds, of a clock that only goes forward.
    """

    def __init__(self, capacity: int, now: Callable[[], float]) -> None:
        self._capacity = capacity
        self._now = now
        self._counts: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def count(self, key: Hashable) -> float:
        """Return the failures that have not expired yet."""
        count, at = self._counts.get(key, (0.0, 0.0))
        return max(0.0, count - (self._now() - at) / SECONDS_PER_FAILURE) if count else 0.0

    def add(self, key: Hashable) -> None:
        """Count one more failure."""
        self._counts[key] = (self.count(key) + 1, self._now())
        self._counts.move_to_end(key)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)

    def clear(self, key: Hashable) -> None:
        """Forget the failures of a key."""
        self._counts.pop(key, None)


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


class ProcessLoginAttempts:
    """The login attempts that one process has seen.

    Args:
        capacity: the most accounts, networks and pairs of them that are kept, each.
        now: seconds, of a clock that only goes forward.
    """

    def __init__(self, capacity: int = 10_000, now: Callable[[], float] = time.monotonic) -> None:
        self._accounts = FailureCounts(capacity, now)
        self._networks = FailureCounts(capacity, now)
        self._pairs = FailureCounts(capacity, now)
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def pending(self, account: str, network: str) -> PendingFailures:
        """See `LoginAttempts`."""
        with self._lock:
            return PendingFailures(
                self._accounts.count(account),
                self._networks.count(network),
                self._pairs.count((account, network)),
                (account, network) in self._welcome,
            )

    def record_failure(self, account: str, network: str) -> None:
        """See `LoginAttempts`."""
        with self._lock:
            self._networks.add(network)
            self._accounts.add(account)
            self._pairs.add((account, network))

    def record_success(self, account: str, network: str) -> None:
        """See `LoginAttempts`."""
        pair = (account, network)
        with self._lock:
            self._pairs.clear(pair)
            self._welcome[pair] = None
            self._welcome.move_to_end(pair)
            if len(self._welcome) > self._capacity:
                self._welcome.popitem(last=False)


class Throttle:
    """A delay before login attempts that follow failures. Safe to share between threads.

    Args:
        capacity: the most accounts, networks and pairs of them that are kept, each, where this
            process keeps its own record.
        now: seconds, of a clock that only goes forward.
        sleep: waits.
        attempts: the record; this process's own if not given.
    """

    def __init__(
        self,
        capacity: int = 10_000,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        attempts: LoginAttempts | None = None,
    ) -> None:
        self._attempts = attempts or ProcessLoginAttempts(capacity, now)
        self._sleep = sleep
        self._waiting = threading.BoundedSemaphore(_MOST_WAITING)

    def admit(self, account: str, address: str) -> None:
        """Wait for the delay of this attempt, before its password is verified.

        Args:
            account: the name that the client gave, with or without an account.
            address: the client's address.

        Raises:
            TooManyAttemptsError: too many attempts are waiting already.
        """
        delay = self.delay(account, address)
        if delay == 0:
            return
        if not self._waiting.acquire(blocking=False):
            raise TooManyAttemptsError(math.ceil(delay))
        try:
            self._sleep(delay)
        finally:
            self._waiting.release()

    def delay(self, account: str, address: str) -> float:
        """Return the seconds that an attempt has to wait."""
        pending = self._attempts.pending(account, network_of(address))
        failures = pending.both if pending.is_welcome else max(pending[:3])
        if failures < FREE_FAILURES:
            return 0.0
        doublings = min(failures - FREE_FAILURES, 64)
        return float(min(LONGEST_SECONDS, _FIRST_SECONDS * 2**doublings))

    def failed(self, account: str, address: str) -> None:
        """Count a failed attempt."""
        self._attempts.record_failure(account, network_of(address))

    def succeeded(self, account: str, address: str) -> None:
        """Record a successful attempt, so that this pair is welcome.

        The counts of the account and of the network stay: an attacker with an account could
        otherwise clear them after every few attempts on another's.
        """
        self._attempts.record_success(account, network_of(address))


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """Return the network of one attacker: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return address
