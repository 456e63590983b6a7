"""Accounts that other directories have (LDAP, PAM, IMAP): asked in turn, and never for long."""

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
"""Asks one directory: name, password and address of the client; the account's name, or empty.

Raises whatever there is if it cannot tell.
"""

SECONDS = 10.0
"""How long a directory may take for its answer."""

_AT_A_TIME = 4
_CAPACITY = 10_000


class ExternalBackends:
    """Who may log in by what other directories say. Safe to share between threads.

    A directory is asked in a thread of its own, of which there are four at most: where it does not
    answer, requests are refused in time, and those that need no directory go on.

    Args:
        directories: how each is asked, by its name, in the order in which they are.
        remember_seconds: for how long a password that was right is right without asking.
        seconds: how long all of them together may take.
        now: seconds, of a clock that only goes forward.
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
        self._places = threading.BoundedSemaphore(_AT_A_TIME)
        self._remembered = VerifiedPasswords(_CAPACITY)
        self._until: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._lock = threading.Lock()

    def login(self, name: str, password: bytes, address: str) -> str:
        """The account that a name and a password belong to; empty if to none.

        An empty password is refused without asking: LDAP servers take it for nobody's, and say yes
        (RFC 4513 section 5.1.2).

        Args:
            name: as the client gave it.
            password: as the client gave it.
            address: of the client.

        Raises:
            DirectoryUnavailableError: a directory could not tell, or took too long.
        """
        if not name or not password:
            return ""
        known = self._known(name.encode(), password)
        if known:
            return known
        account = self._bounded(name, _text(password), address)
        if account and self._remember_seconds > 0:
            self._remember(name.encode(), password, account)
        return account

    def _bounded(self, name: str, password: str, address: str) -> str:
        """Ask in another thread; that one goes on, and keeps its place, when it takes too long."""
        if not self._places.acquire(timeout=self._seconds / 10):
            raise DirectoryUnavailableError("does not answer")
        told: list[str | DirectoryUnavailableError] = []
        done = threading.Event()

        def work() -> None:
            try:
                told.append(self._in_turn(name, password, address))
            except DirectoryUnavailableError as error:
                told.append(error)
            finally:
                self._places.release()
                done.set()

        threading.Thread(target=work, name="directory", daemon=True).start()
        if not done.wait(self._seconds) or not told:
            _log.error("no directory has answered within %g seconds", self._seconds)
            raise DirectoryUnavailableError("does not answer")
        if isinstance(told[0], DirectoryUnavailableError):
            raise told[0]
        return told[0]

    def _in_turn(self, name: str, password: str, address: str) -> str:
        unavailable = ""
        for directory, ask in self._directories.items():
            try:
                account = ask(name, password, address)
            except Exception as error:  # noqa: BLE001 - other people's code, each with its own errors
                _log.error("%s cannot tell whether a login is right: %s", directory, error)
                unavailable = unavailable or directory
                continue
            if account:
                return account
        if unavailable:
            raise DirectoryUnavailableError(unavailable)
        return ""

    def _known(self, name: bytes, password: bytes) -> str:
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
