"""Failed logins slow down: per account, per address, and nobody else.

Five wrong tries in a row are what an honest mail program makes; each further one makes the next
wait twice as long. A minute takes one try back. Who has logged in to an account from an address
lately is not slowed down by what others try on it, or from there.

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

FREE_TRIES = 5
LONGEST_SECONDS = 4.0
SECONDS_PER_TRY = 60.0
_FIRST_SECONDS = 0.5
_SLOW_AT_A_TIME = 2


class TooManyAttemptsError(Exception):
    """Too many are being slowed down already; this one is not judged at all (503).

    Attributes:
        retry_after: seconds.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"too many failed logins; try again in {retry_after} seconds")


class FailureCounts:
    """How often something failed lately; bounded, who failed longest ago is forgotten first.

    Args:
        capacity: entries at most.
        now: seconds, of a clock that only goes forward.
    """

    def __init__(self, capacity: int, now: Callable[[], float]) -> None:
        self._capacity = capacity
        self._now = now
        self._counts: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def count(self, key: Hashable) -> float:
        """Failures that are not taken back yet."""
        count, at = self._counts.get(key, (0.0, 0.0))
        return max(0.0, count - (self._now() - at) / SECONDS_PER_TRY) if count else 0.0

    def add(self, key: Hashable) -> None:
        """One more failure."""
        self._counts[key] = (self.count(key) + 1, self._now())
        self._counts.move_to_end(key)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)

    def clear(self, key: Hashable) -> None:
        """Nothing failed."""
        self._counts.pop(key, None)


class PendingFailures(NamedTuple):
    """Failures that are not taken back yet.

    Attributes:
        account: of an account, wherever they came from.
        network: of a network, whatever it tried.
        both: of this account from this network.
        is_welcome: whether that network has logged in to that account lately.
    """

    account: float
    network: float
    both: float
    is_welcome: bool


class LoginAttempts(Protocol):
    """Remembers failed and right tries of accounts from networks. Safe to share between threads."""

    def known(self, account: str, network: str) -> PendingFailures:
        """What is known of an account and a network."""

    def failed(self, account: str, network: str) -> None:
        """A try was wrong."""

    def succeeded(self, account: str, network: str) -> None:
        """A try was right."""


class ProcessLoginAttempts:
    """The tries that one process has seen.

    Args:
        capacity: accounts, networks and pairs of them that are remembered, each.
        now: seconds, of a clock that only goes forward.
    """

    def __init__(self, capacity: int = 10_000, now: Callable[[], float] = time.monotonic) -> None:
        self._accounts = FailureCounts(capacity, now)
        self._networks = FailureCounts(capacity, now)
        self._pairs = FailureCounts(capacity, now)
        self._welcome: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._capacity = capacity
        self._lock = threading.Lock()

    def known(self, account: str, network: str) -> PendingFailures:
        """See `LoginAttempts`."""
        with self._lock:
            return PendingFailures(
                self._accounts.count(account),
                self._networks.count(network),
                self._pairs.count((account, network)),
                (account, network) in self._welcome,
            )

    def failed(self, account: str, network: str) -> None:
        """See `LoginAttempts`."""
        with self._lock:
            self._networks.add(network)
            self._accounts.add(account)
            self._pairs.add((account, network))

    def succeeded(self, account: str, network: str) -> None:
        """See `LoginAttempts`."""
        pair = (account, network)
        with self._lock:
            self._pairs.clear(pair)
            self._welcome[pair] = None
            self._welcome.move_to_end(pair)
            if len(self._welcome) > self._capacity:
                self._welcome.popitem(last=False)


class Throttle:
    """Slows down who tries passwords. Safe to share between threads.

    Args:
        capacity: accounts, addresses and pairs of them that are remembered, each, where this
            process remembers them by itself.
        now: seconds, of a clock that only goes forward.
        sleep: waits.
        tries: what is remembered; this process's own tries if not given.
    """

    def __init__(
        self,
        capacity: int = 10_000,
        *,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        tries: LoginAttempts | None = None,
    ) -> None:
        self._tries = tries or ProcessLoginAttempts(capacity, now)
        self._sleep = sleep
        self._places = threading.BoundedSemaphore(_SLOW_AT_A_TIME)

    def admit(self, account: str, address: str) -> None:
        """Wait as long as this try has to, before its password is looked at.

        Args:
            account: the name that the client gave, whether there is such an account or not.
            address: where it comes from.

        Raises:
            TooManyTriesError: all places for waiting are taken.
        """
        delay = self.delay(account, address)
        if delay == 0:
            return
        if not self._places.acquire(blocking=False):
            raise TooManyAttemptsError(math.ceil(delay))
        try:
            self._sleep(delay)
        finally:
            self._places.release()

    def delay(self, account: str, address: str) -> float:
        """Seconds that a try has to wait."""
        known = self._tries.known(account, network_of(address))
        failures = known.both if known.is_welcome else max(known[:3])
        if failures < FREE_TRIES:
            return 0.0
        doublings = min(failures - FREE_TRIES, 64)
        return float(min(LONGEST_SECONDS, _FIRST_SECONDS * 2**doublings))

    def failed(self, account: str, address: str) -> None:
        """A try was wrong."""
        self._tries.failed(account, network_of(address))

    def succeeded(self, account: str, address: str) -> None:
        """A try was right: this pair is welcome.

        The counts of the account and of the address stay: whoever has an account could else clear
        them after every few tries on another's.
        """
        self._tries.succeeded(account, network_of(address))


@lru_cache(maxsize=1024)
def network_of(address: str) -> str:
    """What one attacker has: an IPv4 address, or the 64 bits of an IPv6 address before the host."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False).network_address)
    return address
