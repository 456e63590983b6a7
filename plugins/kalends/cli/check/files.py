"""What ``kalends check`` says of files and disks: who can change them, and who can read what."""

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
from kalends.store import statistics

_READ, _WRITE, _ENTER = 4, 2, 1


@dataclass(frozen=True, slots=True)
class _File:
    """A file or folder that Kalends uses.

    Attributes:
        secret: whether reading it is as good as a login.
        needs: what the server must be allowed: reading, for folders writing as well.
    """

    path: Path
    secret: bool
    needs: int = _READ


@dataclass(frozen=True, slots=True)
class _Account:
    """Whom the server runs as: the owner of what it has made.

    Attributes:
        made: what that is.
    """

    name: str
    number: int
    groups: frozenset[int]
    made: Path

    def may(self, path: Path, what: int) -> bool:
        """Whether it may do that to a file, and enter the folders above it."""
        above = path.absolute().parents
        return _allowed(self, path, what) and all(_allowed(self, one, _ENTER) for one in above)


def problems(built: Container) -> Iterator[str]:
    """What is wrong with permissions and disks, one line each."""
    files = [file for file in _files(built) if file.path.exists()]
    for file in files:
        yield from _of_everybody(file)
    account = _account(built)
    if account:
        for file in files:
            if not account.may(file.path, file.needs):
                how = "write to" if file.needs & _WRITE else "read"
                yield (
                    f"{file.path}: {account.name!r}, to whom {account.made} belongs, cannot {how} "
                    "it; mind the folders above it"
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
        for suffix in ("", "-wal"):
            yield _File(Path(f"{built.database.name}{suffix}"), secret=True, needs=_READ | _WRITE)
        yield _File(folder, secret=False, needs=_READ | _WRITE | _ENTER)
    keys = settings.nonce_folder or folder
    if keys:
        yield _File(keys / "nonce.key", secret=True)
    if settings.feeds:
        yield _File(settings.feeds_folder, secret=False, needs=_READ | _WRITE | _ENTER)
    for log in (settings.log_file, settings.access_file):
        if log and log.exists():
            yield _File(log, secret=False, needs=_WRITE)
        elif log:  # it is made there
            yield _File(log.parent, secret=False, needs=_WRITE | _ENTER)


def _of_everybody(file: _File) -> Iterator[str]:
    path = file.path
    mode = stat.S_IMODE(path.stat().st_mode)
    if not all(_for_others(above, _ENTER) for above in path.absolute().parents):
        return  # nobody else gets as far as that
    sticky = path.is_dir() and mode & stat.S_ISVTX
    if mode & 0o002 and not sticky:
        yield f"{path}: everybody on this machine can change it (mode {mode:04o}); chmod o-w it"
    elif _for_others(path.parent, _WRITE) and not path.parent.stat().st_mode & stat.S_ISVTX:
        yield f"{path}: everybody on this machine can replace it; chmod o-w {path.parent}"
    if file.secret and mode & 0o004:
        yield f"{path}: everybody on this machine can read it (mode {mode:04o}); chmod o-r it"


def _other_groups(folder: Path) -> Iterator[str]:
    """Published files that a web server in the group of their folder cannot read.

    Their paths hold secrets, so that none is told.
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
            f"{folder}: {others} of the files and folders in it are in another group, so that a "
            "web server cannot read them; let the account that Kalends runs as be in its group "
            "(usermod -aG www-data kalends), and start it again"
        )


def _account(built: Container) -> _Account | None:
    """Whom the server runs as, where root asks and it is somebody else."""
    has_file = built.database.folder is not None and built.database.exists()
    made = Path(built.database.name) if has_file else built.settings.own_folder
    if os.geteuid() != 0 or made is None or not made.exists():
        return None
    owner = made.stat().st_uid
    if owner == 0:
        return None
    try:
        known = pwd.getpwuid(owner)
    except KeyError:
        return _Account(str(owner), owner, frozenset(), made)
    groups = os.getgrouplist(known.pw_name, known.pw_gid)
    return _Account(known.pw_name, owner, frozenset(groups), made)


def _allowed(account: _Account, path: Path, what: int) -> bool:
    status = path.stat()
    if status.st_uid == account.number:
        shift = 6
    elif status.st_gid in account.groups:
        shift = 3
    else:
        shift = 0
    if path.is_file():
        what &= ~_ENTER
    return (status.st_mode >> shift) & what == what


def _for_others(path: Path, what: int) -> bool:
    return path.stat().st_mode & what == what


def _full_disks(built: Container) -> Iterator[str]:
    try:
        room = health.room(built)
    except OSError as error:
        yield f"{error.filename}: {error.strerror}"
        return
    store = statistics.file_octets(built.database)
    for folder, free in room.items():
        needed = 2 * store if folder == built.database.folder else 0
        if free < max(health.LEAST_ROOM, needed):
            why = f"{free >> 20} MiB free on its disk"
            if needed > health.LEAST_ROOM:
                why += f", and an upgrade copies the database first ({store >> 20} MiB)"
            yield f"{folder}: {why}; make room"
