"""The accounts of Apache's user files, and verification of their passwords."""

from __future__ import annotations

import hmac
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import NamedTuple, TypeVar

from kalends.authn.apache.htfiles import (
    DigestEntry,
    DigestFile,
    PasswordFile,
    decode_name,
    parse_htdigest,
    parse_htpasswd,
)
from kalends.authn.apache.htgroup import GroupFile, parse_groups
from kalends.authn.apache.reloading import ReloadingFile
from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.verify import PasswordVerifier
from kalends.authn.schemes.digest import digest
from kalends.authn.verified_cache import VerifiedPasswords
from kalends.errors import UserFileUnavailableError

_log = logging.getLogger("kalends.htauth")

_SLOW_AT_A_TIME = 2
_EMPTY = parse_htpasswd(b"")
_NONE: frozenset[str] = frozenset()


_File = TypeVar("_File", PasswordFile, DigestFile)


def htpasswd_file(path: str | os.PathLike[str]) -> ReloadingFile[PasswordFile]:
    """Open an AuthUserFile that follows its edits, and log where Apache stops reading it."""
    return _logging_file(path, parse_htpasswd)


def htdigest_file(path: str | os.PathLike[str]) -> ReloadingFile[DigestFile]:
    """Open an AuthUserFile for Digest that follows its edits, and log where reading stops."""
    return _logging_file(path, parse_htdigest)


def htgroup_file(path: str | os.PathLike[str]) -> ReloadingFile[GroupFile]:
    """Open an AuthGroupFile that follows its edits."""
    return ReloadingFile(path, parse_groups)


def _logging_file(
    path: str | os.PathLike[str], parse: Callable[[bytes], _File]
) -> ReloadingFile[_File]:
    def parse_and_log(data: bytes) -> _File:
        parsed = parse(data)
        if parsed.cut_at is not None:
            message = "%s:%d: the line is too long; like Apache, we read no further"
            _log.warning(message, path, parsed.cut_at)
        return parsed

    return ReloadingFile(path, parse_and_log)


class DigestAccount(NamedTuple):
    """An account of a digest file.

    Attributes:
        user: the name, as the application knows it.
        entry: the hashes; password-equivalent, so in no log.
    """

    user: str
    entry: DigestEntry

    def __repr__(self) -> str:
        return f"DigestAccount({self.user!r})"

    def ha1(self, algorithm: str) -> bytes | None:
        """Return HA1 for ``MD5`` or ``SHA-256``, or None."""
        return self.entry.md5 if algorithm == "MD5" else self.entry.sha256

    def has_password(self, name: bytes, realm: bytes, password: bytes) -> bool:
        """Return True if a password makes the hash (Apache: ``AuthBasicUseDigestAlgorithm``)."""
        algorithm = "MD5" if self.entry.md5 else "SHA-256"
        computed = digest(algorithm, name, realm, password)
        return hmac.compare_digest(computed, self.ha1(algorithm) or b"") and b"\0" not in password


class UserDirectory:
    """The accounts of the user files as they are now. Safe to share between threads.

    Names come as bytes, since Apache compares bytes; the application's names are text
    (`decode_name`). A name in ISO-8859-1 bytes is ignored while another line spells the same name
    in UTF-8: one name, one account.

    Args:
        htpasswd: the AuthUserFile, or None for no such accounts.
        htdigest: the AuthUserFile for Digest, or None.
        htgroup: the AuthGroupFile, or None.
        realm: of the digest file's accounts.
        basic_by_htdigest: True if Basic works for accounts of the digest file alone.
        verifier: verifies passwords.
    """

    def __init__(
        self,
        htpasswd: ReloadingFile[PasswordFile] | None,
        *,
        htdigest: ReloadingFile[DigestFile] | None = None,
        htgroup: ReloadingFile[GroupFile] | None = None,
        realm: str = "",
        basic_by_htdigest: bool = False,
        verifier: PasswordVerifier | None = None,
    ) -> None:
        self._htpasswd = htpasswd
        self._htdigest = htdigest
        self._htgroup = htgroup
        self._realm = realm.encode()
        self._basic_by_htdigest = basic_by_htdigest
        self._verifier = verifier or PasswordVerifier(libcrypt.load())
        self._verified = VerifiedPasswords()
        self._slow = threading.BoundedSemaphore(_SLOW_AT_A_TIME)
        self._logged: set[tuple[bytes, str]] = set()

    def names(self) -> frozenset[str]:
        """Return all accounts, as the application names them.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        found = self._htpasswd.current().names if self._htpasswd else frozenset()
        return found | self.digest_names()

    def basic_names(self) -> frozenset[str]:
        """Return the accounts that can log in with HTTP Basic.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        found = self._htpasswd.current().names if self._htpasswd else frozenset()
        return found | self.digest_names() if self._basic_by_htdigest else found

    def digest_names(self) -> frozenset[str]:
        """Return the accounts that can log in with HTTP Digest.

        Raises:
            UserFileUnavailableError: the digest file cannot be read.
        """
        if self._htdigest is None:
            return frozenset()
        return self._htdigest.current().accounts(self._realm).names

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the groups of a user.

        Raises:
            UserFileUnavailableError: the group file cannot be read.
        """
        return frozenset(self._htgroup.current().groups.get(user, ())) if self._htgroup else _NONE

    def members(self) -> Mapping[str, frozenset[str]]:
        """Return the members of each group, with or without an account.

        Raises:
            UserFileUnavailableError: the group file cannot be read.
        """
        return self._htgroup.current().members if self._htgroup else {}

    def digest_account(self, name: bytes, realm: bytes) -> DigestAccount | None:
        """Return the account of a Digest header's username, or None.

        Args:
            name: as the client sent it. Bytes that are not UTF-8 are tried as ISO-8859-1 first:
                some clients encode the name so, and hash it in UTF-8.
            realm: the realm.

        Raises:
            UserFileUnavailableError: the digest file cannot be read.
        """
        if self._htdigest is None or not name:
            return None
        file = self._htdigest.current()
        user = decode_name(name)
        entry = file.find(user.encode(), realm) or file.find(name, realm)
        return DigestAccount(user, entry) if entry else None

    def all_have_sha256(self, realm: bytes) -> bool:
        """Return True if every account of a realm has a SHA-256 hash; False if there is none."""
        if self._htdigest is None:
            return False
        try:
            return self._htdigest.current().accounts(realm).all_sha256
        except UserFileUnavailableError:
            return False

    def basic_version(self) -> tuple[object, ...]:
        """Return the versions of the files that decide on Basic: identical means the same verdict.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        htpasswd = self._htpasswd.current() if self._htpasswd else None
        by_digest = self._basic_by_htdigest and self._htdigest is not None
        return (htpasswd, self._htdigest.current() if by_digest and self._htdigest else None)

    def check_password(self, user: bytes, password: bytes) -> bool:
        """Return True if the password is the user's; an unknown name takes the same time.

        Args:
            user: the name as the client sent it.
            password: as the client sent it.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        file = self._htpasswd.current() if self._htpasswd else _EMPTY
        if self._basic_by_htdigest and user not in file.lines:
            account = self.digest_account(user, self._realm)
            if account is not None:
                return account.has_password(user, self._realm, password)
        stored = self._verifiable_field(file, user)
        if stored is None:
            self._pretend_to_verify(file, password)
            return False
        if self._verified.holds(user, stored, password):
            return True
        if not self._verifier.is_slow(stored):
            return self._verify_and_cache(user, stored, password)
        with self._slow:
            # The same password may have been verified in the meantime.
            return self._verified.holds(user, stored, password) or self._verify_and_cache(
                user, stored, password
            )

    def unverifiable(self) -> dict[str, str]:
        """Return the accounts whose passwords cannot be verified, each with the reason.

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
        """Return the hash field to verify against; None if there is none that can be verified."""
        entry = file.find(user) if user else None
        if entry is None or _spelt_otherwise(user, file):
            return None
        why = self._verifier.refusal(entry.stored)
        if why is None:
            return entry.stored
        if (user, why) not in self._logged:
            self._logged.add((user, why))
            _log.warning("no password can be verified for %r: %s", decode_name(user), why)
        return None

    def _verify_and_cache(self, user: bytes, stored: bytes, password: bytes) -> bool:
        right = self._verifier.verify(password, stored)
        if right:
            self._verified.add(user, stored, password)
        return right

    def _pretend_to_verify(self, file: PasswordFile, password: bytes) -> None:
        """Spend the time of most users' passwords, so that timing does not reveal names."""
        usual = next((f for f in file.usual if self._verifier.refusal(f) is None), None)
        if usual is None:
            return
        with self._slow if self._verifier.is_slow(usual) else nullcontext():
            self._verifier.verify(password, usual)


def _spelt_otherwise(user: bytes, file: PasswordFile) -> bool:
    """Return True if a name in ISO-8859-1 bytes is that of a UTF-8 line."""
    try:
        user.decode()
    except UnicodeDecodeError:
        return user.decode("latin-1").encode() in file.lines
    return False
