"""Throttling of login attempts after failures, by account and by network.

Five failures in a row are normal for an honest program; each further one doubles the next delay. A
minute takes one failure back. A network that has logged in to an account lately is not delayed by
the attempts of others on that account, or on other accounts from there.

All workers of a host share the counts, and on PostgreSQL all hosts (`LoginAttempts`). Only failed
logins are counted, never requests without credentials.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections.abc import Callable
from functools import lru_cache

from kalends.authn.login_attempts import LoginAttempts
from kalends.errors import TooManyAttemptsError

FREE_FAILURES = 5
LONGEST_SECONDS = 4.0
_FIRST_SECONDS = 0.5
_MOST_WAITING = 2


class Throttle:
    """A delay before login attempts that follow failures. Safe to share between threads.

    Args:
        attempts: the record.
        sleep: waits.
    """

    def __init__(
        self, attempts: LoginAttempts, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._attempts = attempts
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
