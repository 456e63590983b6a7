"""``kalends check``: permissions of files, and free disk space."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kalends.app import health
from kalends.app.container import Container
from kalends.feeds.publish.folder import VERSIONS
from kalends.store import statistics

_READ, _WRITE, _ENTER = 4, 2, 1


@dataclass(frozen=True, slots=True)
class _File:
    """A file or folder that Kalends uses.

    Attributes:
        secret: whether its contents would let a reader log in, or hold private data.
        needs: the permissions that the server needs, as bits of a mode.
    """

    path: Path
    secret: bool
    needs: int = _READ


@dataclass(frozen=True, slots=True)
class _Account:
    """The account that the server runs as: the owner of the files that it created.

    Attributes:
        name: its name, or its number if it has none.
        number: its user ID.
        groups: the IDs of its groups.
        owned: the file or folder that shows which account it is.
    """

    name: str
    number: int
    groups: frozenset[int]
    owned: Path

    def may(self, path: Path, permissions: int) -> bool:
        """Return True if it has these permissions on a file and can enter the folders above it."""
        above = path.absolute().parents
        return _allowed(self, path, permissions) and all(
            _allowed(self, one, _ENTER) for one in above
        )


def check_files(built: Container) -> Iterator[str]:
    """Yield a line for each problem with the permissions of files or with free disk space."""
    files = [file for file in _files(built) if file.path.exists()]
    for file in files:
        yield from _open_to_everybody(file)
    account = _account(built)
    if account:
        for file in files:
            if not account.may(file.path, file.needs):
                verb = "write to" if file.needs & _WRITE else "read"
                yield (
                    f"{file.path}: {account.name!r}, the owner of {account.owned}, cannot {verb} "
                    "it; change its permissions or those of a folder above it"
                )
    if built.settings.feeds:
        yield from _other_groups(built.settings.feeds_folder)
    yield from _full_disks(built)


def _files(built: Container) -> Iterator[_File]:
    settings, tls = built.settings, built.settings.tls
    has_password = settings.has_ldap_password or bool(built.database.url.password)
    yield _File(settings.path, secret=has_password)
    for path, secret in (
        (settings.htpasswd, True),
        (settings.htdigest, True),
        (settings.htgroup, False),
        (settings.feeds, False),
        (settings.ldap_secret, True),
        (settings.remotes, True),
        *(((tls.certificate, False), (tls.key, True), (tls.authority, False)) if tls else ()),
    ):
        if path:
            yield _File(path, secret)
    folder = built.database.folder
    if folder:
        for suffix in ("", "-wal", "-shm"):
            yield _File(Path(f"{built.database.name}{suffix}"), secret=True, needs=_READ | _WRITE)
        yield _File(folder, secret=False, needs=_READ | _WRITE | _ENTER)
    keys = settings.nonce_folder or folder
    if keys:
        yield _File(keys / "nonce.key", secret=True)
        for name in ("nonce.counts", "login.attempts"):
            yield _File(keys / name, secret=True, needs=_READ | _WRITE)
    if settings.feeds:
        for name in (VERSIONS, ".remotes"):
            folder = settings.feeds_folder / name
            yield _File(folder, secret=True, needs=_READ | _WRITE | _ENTER)
        yield _File(settings.feeds_folder, secret=False, needs=_READ | _WRITE | _ENTER)
    for log in (settings.log_file, settings.access_file):
        if log and log.exists():
            yield _File(log, secret=False, needs=_WRITE)
        elif log:  # the server will create it
            yield _File(log.parent, secret=False, needs=_WRITE | _ENTER)


def _open_to_everybody(file: _File) -> Iterator[str]:
    path = file.path
    mode = stat.S_IMODE(path.stat().st_mode)
    if not all(_for_others(above, _ENTER) for above in path.absolute().parents):
        return  # others cannot reach it
    sticky = path.is_dir() and mode & stat.S_ISVTX
    if mode & 0o002 and not sticky:
        yield f"{path}: everybody on this machine can change it (mode {mode:04o}); chmod o-w it"
    elif _for_others(path.parent, _WRITE) and not path.parent.stat().st_mode & stat.S_ISVTX:
        yield f"{path}: everybody on this machine can replace it; chmod o-w {path.parent}"
    if file.secret and path.is_dir() and mode & 0o005:
        yield f"{path}: everybody on this machine can look into it (mode {mode:04o}); chmod 700 it"
    elif file.secret and mode & 0o004:
        yield f"{path}: everybody on this machine can read it (mode {mode:04o}); chmod o-r it"


def _other_groups(folder: Path) -> Iterator[str]:
    """Report published files that a web server in the group of their folder cannot read.

    Their paths hold secrets, so the line names only the folder.
    """
    if not folder.is_dir() or _for_others(folder, _READ | _ENTER):
        return
    group, others = folder.stat().st_gid, 0
    for above, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *(name for name in files if not name.startswith("."))):
            with suppress(FileNotFoundError):
                others += (Path(above) / name).lstat().st_gid != group
    if others:
        yield (
            f"{folder}: {others} of the files and folders in it are in another group, so a web "
            "server cannot read them; add the account that Kalends runs as to the group of the "
            "folder (usermod -aG www-data kalends) and restart Kalends"
        )


def _account(built: Container) -> _Account | None:
    """Return the account of the server, if root runs the check and the server is not root."""
    has_file = built.database.folder is not None and built.database.exists()
    owned = Path(built.database.name) if has_file else built.settings.own_folder
    if os.geteuid() != 0 or owned is None or not owned.exists():
        return None
    owner = owned.stat().st_uid
    if owner == 0:
        return None
    try:
        entry = pwd.getpwuid(owner)
    except KeyError:
        return _Account(str(owner), owner, frozenset(), owned)
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    return _Account(entry.pw_name, owner, frozenset(groups), owned)


def _allowed(account: _Account, path: Path, permissions: int) -> bool:
    status = path.stat()
    if status.st_uid == account.number:
        shift = 6
    elif status.st_gid in account.groups:
        shift = 3
    else:
        shift = 0
    if path.is_file():
        permissions &= ~_ENTER
    return (status.st_mode >> shift) & permissions == permissions


def _for_others(path: Path, permissions: int) -> bool:
    return path.stat().st_mode & permissions == permissions


def _full_disks(built: Container) -> Iterator[str]:
    try:
        room = health.free_octets(built)
    except OSError as error:
        yield f"{error.filename}: {error.strerror}"
        return
    store = statistics.file_octets(built.database)
    for folder, free in room.items():
        needed = 2 * store if folder == built.database.folder else 0
        if free < max(health.MIN_FREE_OCTETS, needed):
            why = f"only {free >> 20} MiB are free on its disk"
            if needed > health.MIN_FREE_OCTETS:
                why += f", and an upgrade copies the database first ({store >> 20} MiB)"
            yield f"{folder}: {why}; free some space"
