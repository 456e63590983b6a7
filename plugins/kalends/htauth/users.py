"""The accounts that Apache's user files name, and whether a password is one's."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import nullcontext
from typing import Protocol

from kalends.htauth import libcrypt
from kalends.htauth.htfiles import PasswordFile, decode_name, parse_htpasswd
from kalends.htauth.passwords import PasswordVerifier
from kalends.htauth.reloading import ReloadingFile
from kalends.htauth.remembered import RememberedPasswords

_log = logging.getLogger("kalends.htauth")

_SLOW_AT_A_TIME = 2


class Verifier(Protocol):
    """What `PasswordVerifier` does."""

    def refusal(self, stored: bytes) -> str | None:
        """Why no password can match the field, or None."""

    def is_slow(self, stored: bytes) -> bool:
        """Whether a verification takes long."""

    def verify(self, password: bytes, stored: bytes) -> bool:
        """Whether the password belongs to the field."""


def htpasswd_file(path: str | os.PathLike[str]) -> ReloadingFile[PasswordFile]:
    """An AuthUserFile that follows its edits, and says in the log where Apache stops reading it."""

    def parse(data: bytes) -> PasswordFile:
        parsed = parse_htpasswd(data)
        if parsed.cut_at is not None:
            _log.warning(
                "%s:%d: the line is too long; like Apache, we read no further", path, parsed.cut_at
            )
        return parsed

    return ReloadingFile(path, parse)


class UserDirectory:
    """Who may log in, by the user files as they are now. Safe to share between threads.

    Names come as bytes, since Apache compares bytes; the application's names are text
    (`decode_name`). A name in ISO-8859-1 bytes stands for nobody while another line spells the
    same name in UTF-8: one name, one account.

    Args:
        htpasswd: the AuthUserFile, or None for no such accounts.
        verifier: judges passwords.
    """

    def __init__(
        self,
        htpasswd: ReloadingFile[PasswordFile] | None,
        *,
        verifier: Verifier | None = None,
    ) -> None:
        self._htpasswd = htpasswd
        self._verifier = verifier or PasswordVerifier(libcrypt.load())
        self._remembered = RememberedPasswords()
        self._slow = threading.BoundedSemaphore(_SLOW_AT_A_TIME)
        self._complained: set[tuple[bytes, str]] = set()

    def names(self) -> frozenset[str]:
        """All accounts, as the application names them.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        return self._htpasswd.current().names if self._htpasswd else frozenset()

    def check_password(self, user: bytes, password: bytes) -> bool:
        """Whether this password is this user's. A name that nobody has costs what others cost.

        Args:
            user: the name as the client sent it.
            password: as the client sent it.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        if self._htpasswd is None:
            return False
        file = self._htpasswd.current()
        stored = self._verifiable_field(file, user)
        if stored is None:
            self._pretend_to_verify(file, password)
            return False
        if self._remembered.holds(user, stored, password):
            return True
        if not self._verifier.is_slow(stored):
            return self._verify_and_remember(user, stored, password)
        with self._slow:
            # Who waited may have waited for the same password.
            return self._remembered.holds(user, stored, password) or self._verify_and_remember(
                user, stored, password
            )

    def unverifiable(self) -> dict[str, str]:
        """The accounts that nobody can log in to with a password, and why.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        if self._htpasswd is None:
            return {}
        file = self._htpasswd.current()
        found = {}
        for name in file.lines:
            entry = file.find(name)
            why = entry and self._verifier.refusal(entry.stored)
            if why:
                found[decode_name(name)] = why
        return found

    def _verifiable_field(self, file: PasswordFile, user: bytes) -> bytes | None:
        """The hash field to verify against; None if there is none, or none that can be."""
        entry = file.find(user) if user else None
        if entry is None or _spelt_otherwise(user, file):
            return None
        why = self._verifier.refusal(entry.stored)
        if why is None:
            return entry.stored
        if (user, why) not in self._complained:
            self._complained.add((user, why))
            _log.warning("no password can be verified for %r: %s", decode_name(user), why)
        return None

    def _verify_and_remember(self, user: bytes, stored: bytes, password: bytes) -> bool:
        right = self._verifier.verify(password, stored)
        if right:
            self._remembered.add(user, stored, password)
        return right

    def _pretend_to_verify(self, file: PasswordFile, password: bytes) -> None:
        """Take the time that most users' passwords take, so that time does not tell names."""
        usual = next((f for f in file.usual if self._verifier.refusal(f) is None), None)
        if usual is None:
            return
        with self._slow if self._verifier.is_slow(usual) else nullcontext():
            self._verifier.verify(password, usual)


def _spelt_otherwise(user: bytes, file: PasswordFile) -> bool:
    """Whether a name in ISO-8859-1 bytes is that of a UTF-8 line."""
    try:
        user.decode()
    except UnicodeDecodeError:
        return user.decode("latin-1").encode() in file.lines
    return False
