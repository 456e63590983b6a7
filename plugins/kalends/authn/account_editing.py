"""Accounts in Apache's user files, as the command line adds, changes and removes them.

The user files that an edit concerns are locked, read when they are complete, edited together, and
replaced together.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import bcrypt

from kalends.authn.apache import editing, groupediting
from kalends.authn.apache.editing import EditRefusedError, Ha1
from kalends.authn.apache.htfiles import parse_htdigest, parse_htpasswd
from kalends.authn.apache.htgroup import parse_groups
from kalends.authn.apache.reloading import ReloadingFile
from kalends.authn.schemes.digest import digest
from kalends.common import atomicfile
from kalends.common.names import folded_group
from kalends.config.settings import Settings
from kalends.errors import ConfigurationError, KalendsError

BCRYPT_COST = 10
"""Apache verifies the password at each request: cost 12 would take it 280 ms, cost 10 takes 70."""
_BCRYPT_BYTES = 72
_MOST_PASSWORD_BYTES = 4096


class AccountError(KalendsError):
    """An account that already exists, does not exist, or cannot exist."""


class Credentials(NamedTuple):
    """The hashes that the user files keep of a password; not part of the repr.

    Attributes:
        stored: the hash field of a password file, or None where there is no such file.
        ha1: the same for a digest file.
    """

    stored: bytes | None
    ha1: Ha1 | None

    def __repr__(self) -> str:
        return "Credentials(…)"


def refusal_of_password(settings: Settings, password: bytes) -> str | None:
    """Return the reason why a password cannot work for a login, for a person; None if it can."""
    if not password:
        return "the password is empty"
    if any(byte < 32 or byte == 127 for byte in password):
        return "the password holds a control character, which no client may send (RFC 7617)"
    try:
        password.decode()
    except UnicodeDecodeError:
        return "the password is not UTF-8"
    if settings.htpasswd and len(password) > _BCRYPT_BYTES:
        return f"the password has more than {_BCRYPT_BYTES} bytes; bcrypt would ignore the rest"
    if len(password) > _MOST_PASSWORD_BYTES:
        return f"the password has more than {_MOST_PASSWORD_BYTES} bytes"
    return None


def credentials(settings: Settings, name: str, password: bytes) -> Credentials:
    """Hash a password for the files that the settings name; takes a tenth of a second.

    Args:
        settings: they name the files.
        name: the account.
        password: a password without a `refusal_of_password`.
    """
    stored, ha1 = None, None
    if settings.htpasswd:
        salt = bcrypt.gensalt(BCRYPT_COST)
        # Apache's own bcrypt calls $2y$ what others call $2b$.
        stored = bcrypt.hashpw(password, salt).replace(b"$2b$", b"$2y$", 1)
    if settings.htdigest:
        text = name.encode(), settings.realm.encode(), password
        ha1 = Ha1(digest("MD5", *text), digest("SHA-256", *text))
    return Credentials(stored, ha1)


class UserFiles:
    """The contents of the user files; within `edited`, their future contents.

    Args:
        settings: they name the files.
        kinds: a choice of ``htpasswd``, ``htdigest`` and ``htgroup``; files without a name in the
            settings are skipped.

    Attributes:
        paths: each file, by its option's name, as the settings name it.
        texts: the content of each; empty if it does not exist.
        written: the files that an edit has changed.
        made: the files among them that it has created.

    Raises:
        KalendsError: they cannot be read.
    """

    def __init__(self, settings: Settings, kinds: Iterable[str]) -> None:
        self._realm = settings.realm
        self.paths: dict[str, Path] = {k: path for k in kinds if (path := getattr(settings, k))}
        self.written: list[Path] = []
        self.made: list[Path] = []
        self.targets = {kind: _target(path) for kind, path in self.paths.items()}
        self.read()

    def read(self) -> None:
        """Read the files as they are now."""
        self.seen = {target: _stamp(target) for target in self.targets.values()}
        self.before = {
            t: ReloadingFile(t, bytes).current() for t, seen in self.seen.items() if seen
        }
        self.texts = {kind: self.before.get(t, b"") for kind, t in self.targets.items()}

    def changed(self) -> dict[Path, bytes]:
        """Return the new contents of the files that have changed."""
        after = {self.targets[kind]: text for kind, text in self.texts.items()}
        return {t: text for t, text in after.items() if text != self.before.get(t, b"")}

    def names(self) -> frozenset[str]:
        """Return all accounts of the files, as the application names them."""
        passwords = parse_htpasswd(self.texts.get("htpasswd", b"")).names
        digests = parse_htdigest(self.texts.get("htdigest", b""))
        return passwords | digests.accounts(self._realm.encode()).names

    def members(self) -> Mapping[str, frozenset[str]]:
        """Return the members of each group, with or without an account."""
        return parse_groups(self.texts.get("htgroup", b"")).members

    def members_of(self, group: str) -> frozenset[str]:
        """Return the members of a group."""
        wanted = folded_group(group)
        inside = (names for name, names in self.members().items() if folded_group(name) == wanted)
        return frozenset().union(*inside)

    def groups_of(self, name: str) -> frozenset[str]:
        """Return the groups of an account."""
        return frozenset(parse_groups(self.texts.get("htgroup", b"")).groups.get(name, ()))

    def other_realms(self, name: str) -> list[str]:
        """Return the other realms in which the digest file has an account."""
        return editing.other_realms(self.texts.get("htdigest", b""), self._realm, name)

    def put(self, accounts: Mapping[str, Credentials]) -> None:
        """Give these accounts these credentials, in place of any others."""
        stored = {name: found.stored for name, found in accounts.items() if found.stored}
        ha1s = {name: found.ha1 for name, found in accounts.items() if found.ha1}
        if stored:
            with self._named("htpasswd"):
                self.texts["htpasswd"] = editing.set_passwords(self.texts["htpasswd"], stored)
        if ha1s:
            with self._named("htdigest"):
                self.texts["htdigest"] = editing.set_digests(
                    self.texts["htdigest"], self._realm, ha1s
                )

    def take_out(self, name: str) -> None:
        """Remove an account from the user files and from all groups."""
        for kind, text in self.texts.items():
            with self._named(kind):
                if kind == "htpasswd":
                    self.texts[kind] = editing.without_password(text, name)
                elif kind == "htdigest":
                    self.texts[kind] = editing.without_digest(text, self._realm, name)
                else:
                    self.texts[kind] = groupediting.without_members(text, None, {name})

    def join(self, group: str, names: Collection[str]) -> None:
        """Add members to a group."""
        with self._named("htgroup"):
            self.texts["htgroup"] = groupediting.with_members(self.texts["htgroup"], group, names)

    def leave(self, group: str, names: Collection[str]) -> None:
        """Remove members from a group."""
        with self._named("htgroup"):
            self.texts["htgroup"] = groupediting.without_members(
                self.texts["htgroup"], group, names
            )

    @contextmanager
    def _named(self, kind: str) -> Iterator[None]:
        """Name the file in the error if it cannot take an edit."""
        try:
            yield
        except EditRefusedError as error:
            raise ConfigurationError(str(self.paths[kind]), error.why, error.line) from None


LOGINS = ("htpasswd", "htdigest")
GROUPS = ("htgroup",)
ALL = (*LOGINS, *GROUPS)


@contextmanager
def edited(settings: Settings, kinds: Iterable[str]) -> Iterator[UserFiles]:
    """Lock the user files for a block, and write its changes when it ends.

    Args:
        settings: they name the files.
        kinds: a choice of ``htpasswd``, ``htdigest`` and ``htgroup``; files without a name in the
            settings are skipped.

    Raises:
        KalendsError: they cannot be read or written; none is changed.
    """
    files = UserFiles(settings, kinds)
    targets = files.targets
    if len(set(targets.values())) < len(targets):
        options = " and ".join(f"{kind}_filename" for kind in targets)
        raise ConfigurationError(str(settings.path), f"{options} must name files of their own")
    with ExitStack() as stack:
        for target in sorted(targets.values()):  # always in this order, so that none can deadlock
            stack.enter_context(_locked(target))
        files.read()
        yield files
        changed = files.changed()
        for target in changed:
            _require_sole_name(target)
            if _stamp(target) != files.seen[target]:
                raise ConfigurationError(
                    str(target), "another program has just changed it; nothing was done, try again"
                )
        _write(changed, files.before, private={t for k, t in targets.items() if k == "htdigest"})
        files.written = [files.paths[kind] for kind, t in targets.items() if t in changed]
        files.made = [
            files.paths[k] for k, t in targets.items() if t in changed.keys() - files.before
        ]


def _target(path: Path) -> Path:
    """Return the file itself, with symbolic links resolved."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise ConfigurationError(str(path), "its symbolic links lead nowhere") from None


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(atomicfile.locked(target))
        except OSError as error:
            raise ConfigurationError(
                str(target), f"cannot be locked by a file beside it: {error.strerror}"
            ) from None
        yield


def _stamp(target: Path) -> tuple[int, int, int, int] | None:
    """Return values that change with the file; None if it does not exist."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(str(target), error.strerror or "cannot be read") from None
    if not stat.S_ISREG(found.st_mode):
        raise ConfigurationError(str(target), "is not a regular file and cannot be edited")
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _require_sole_name(target: Path) -> None:
    if target.exists() and target.stat().st_nlink > 1:
        raise ConfigurationError(
            str(target), "has several names (hard links); an edit would change only one of them"
        )


def _write(changed: Mapping[Path, bytes], before: Mapping[Path, bytes], private: set[Path]) -> None:
    def mode(path: Path, group: int) -> int:
        """Return the mode of a new file; one with HA1 is for its group only if that was chosen."""
        return 0o600 if path in private and group == os.getegid() else 0o640

    try:
        atomicfile.replace_together(changed, before, mode)
    except atomicfile.HalfReplacedError as error:
        done = ", ".join(map(str, error.replaced))
        why = f"cannot be replaced ({error.strerror}); {done} was, and cannot be restored"
        raise ConfigurationError(error.filename, why) from None
    except OSError as error:
        why = f"cannot be replaced ({error.strerror}); nothing was changed"
        raise ConfigurationError(error.filename, why) from None
