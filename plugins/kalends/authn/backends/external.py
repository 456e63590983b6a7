"""External password backends (LDAP, PAM, IMAP), tried in order with a timeout."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping

from kalends.authn.verified_cache import VerifiedPasswords
from kalends.errors import DirectoryUnavailableError

_log = logging.getLogger("kalends.htauth")

PasswordCheck = Callable[[str, str, str], str]
"""Checks a password: takes name, password and the client's address, returns the account or empty.

If it cannot decide, it raises any exception.
"""

SECONDS = 10.0
"""How long all directories together may take to answer, by default."""

_MAX_THREADS = 4
_CAPACITY = 10_000


class ExternalBackends:
    """Password checks by external directories. Safe to share between threads.

    Directories are asked in separate threads, at most four: if a directory does not answer, logins
    are refused after a timeout, and requests that need no directory go on.

    Args:
        directories: the check of each directory by its name, in the order in which to try them.
        remember_seconds: how long a valid password is accepted without asking again.
        seconds: how long all directories together may take.
        now: returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        directories: Mapping[str, PasswordCheck],
        *,
        remember_seconds: float = 0.0,
        seconds: float = SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directories = dict(directories)
        self._remember_seconds = remember_seconds
        self._seconds = seconds
        self._now = now
        self._threads = threading.BoundedSemaphore(_MAX_THREADS)
        self._remembered = VerifiedPasswords(_CAPACITY)
        self._until: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def login(self, name: str, password: bytes, address: str) -> str:
        """Return the account that a name and a password belong to; empty if there is none.

        An empty password is refused without asking: LDAP servers treat it as an anonymous login and
        accept it (RFC 4513 section 5.1.2).

        Args:
            name: the name that the client sent.
            password: the password that the client sent.
            address: the client's address.

        Raises:
            DirectoryUnavailableError: a directory could not decide, or took too long.
        """
        if not name or not password:
            return ""
        account = self._recall(name.encode(), password)
        if account:
            return account
        account = self._ask_with_timeout(name, _text(password), address)
        if account and self._remember_seconds > 0:
            self._remember(name.encode(), password, account)
        return account

    def _ask_with_timeout(self, name: str, password: str, address: str) -> str:
        """Ask in another thread, which goes on and is counted after a timeout until it ends."""
        if not self._threads.acquire(timeout=self._seconds / 10):
            raise DirectoryUnavailableError("does not answer")
        outcomes: list[str | DirectoryUnavailableError] = []
        done = threading.Event()

        def work() -> None:
            try:
                outcomes.append(self._ask_in_order(name, password, address))
            except DirectoryUnavailableError as error:
                outcomes.append(error)
            finally:
                self._threads.release()
                done.set()

        threading.Thread(target=work, name="directory", daemon=True).start()
        if not done.wait(self._seconds) or not outcomes:
            _log.error("no directory answered within %g seconds", self._seconds)
            raise DirectoryUnavailableError("does not answer")
        if isinstance(outcomes[0], DirectoryUnavailableError):
            raise outcomes[0]
        return outcomes[0]

    def _ask_in_order(self, name: str, password: str, address: str) -> str:
        unavailable = ""
        for directory, ask in self._directories.items():
            try:
                account = ask(name, password, address)
            except Exception as error:  # noqa: BLE001 - other libraries, each with its own errors
                _log.error("%s cannot check a login: %s", directory, error)
                unavailable = unavailable or directory
                continue
            if account:
                return account
        if unavailable:
            raise DirectoryUnavailableError(unavailable)
        return ""

    def _recall(self, name: bytes, password: bytes) -> str:
        with self._lock:
            until, account = self._until.get(name, (0.0, ""))
        if until <= self._now():
            return ""
        return account if self._remembered.holds(name, account.encode(), password) else ""

    def _remember(self, name: bytes, password: bytes, account: str) -> None:
        self._remembered.add(name, account.encode(), password)
        with self._lock:
            self._until[name] = (self._now() + self._remember_seconds, account)
            self._until.move_to_end(name)
            if len(self._until) > _CAPACITY:
                self._until.popitem(last=False)


def _text(password: bytes) -> str:
    try:
        return password.decode()
    except UnicodeDecodeError:
        return password.decode("latin-1")
