"""Taking a backup of an installation while it serves, and keeping the newest few."""

from __future__ import annotations

import errno
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from kalends import __version__
from kalends.backup import archive
from kalends.backup.archive import DATABASE, KEYS, SETTINGS, Backup, BackupError
from kalends.config.settings import Settings
from kalends.errors import StoreFullError
from kalends.store import schema_version, snapshot_copy
from kalends.store.engine import Database

_NAME = "kalends-{:%Y%m%dT%H%M%SZ}.tar.gz"
_OURS = re.compile(r"kalends-\d{8}T\d{6}Z\.tar\.gz")

StepProgress = Callable[[str, int, int], None]
"""Told what is being done, how much of it, and of how much."""


def make(
    settings: Settings,
    database: Database,
    target: Path,
    *,
    data_only: bool,
    progress: StepProgress,
) -> Path:
    """Write a backup.

    Args:
        settings: of the installation.
        database: its store, of the newest schema.
        target: a folder, where the backup gets a name of its own, or the file itself.
        data_only: leave the keys, the settings and the user files out.

    Returns:
        the file.

    Raises:
        BackupError: there is no room for it, or something cannot be read or written.
    """
    moment = datetime.now(UTC)
    file = target / _NAME.format(moment) if target.is_dir() else target
    try:
        if not file.parent.is_dir():
            raise BackupError(f"{file.parent}: no such folder; make it first")
        # Beside the backup, so that it is on a disk that is meant to hold it.
        with tempfile.TemporaryDirectory(prefix=".kalends-backup-", dir=file.parent) as folder:
            copy = Path(folder) / DATABASE
            snapshot_copy.copy_out(database, copy, lambda done, of: progress("database", done, of))
            files = {DATABASE: copy}
            if not data_only:
                files |= _beside(settings, database)
            came_from = {name: str(path) for name, path in files.items()}
            came_from[DATABASE] = database.name
            about = Backup(
                f"{moment:%Y-%m-%dT%H:%M:%SZ}", __version__, schema_version.NEWEST, came_from
            )
            archive.write(file, about, files, _packing(files, progress))
    except StoreFullError:
        raise BackupError(f"{file.parent}: no room on its disk for a backup") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BackupError(f"{file.parent}: no room on its disk for a backup") from None
        raise BackupError(f"{error.filename or file}: {error.strerror}") from None
    return file


def keep_newest(folder: Path, number: int) -> list[Path]:
    """Remove all but the newest backups in a folder, as far as they have names that we gave.

    Returns:
        what was removed.

    Raises:
        BackupError: one cannot be removed.
    """
    ours = sorted(path for path in folder.iterdir() if _OURS.fullmatch(path.name))
    old = ours[:-number]
    try:
        for path in old:
            path.unlink()
    except OSError as error:
        raise BackupError(f"{error.filename}: {error.strerror}") from None
    return old


def _packing(files: Mapping[str, Path], progress: StepProgress) -> Callable[[int], None]:
    """Tell of how many octets are packed, when told how many more there are."""
    size = sum(path.stat().st_size for path in files.values())
    done = 0

    def packed(octets: int) -> None:
        nonlocal done
        done += octets
        progress("packing", done, size)

    return packed


def _beside(settings: Settings, database: Database) -> Iterator[tuple[str, Path]]:
    """The key, and what the administrator has written, as far as it is there."""
    shared = settings.nonce_folder or database.folder or settings.own_folder
    if shared and (shared / "nonce.key").is_file():
        yield f"{KEYS}nonce.key", shared / "nonce.key"
    taken: set[str] = set()
    files = (
        settings.path,
        settings.feeds,
        settings.remotes,
        settings.htpasswd,
        settings.htdigest,
        settings.htgroup,
    )
    for path in files:
        if path is None or not path.is_file():
            continue
        name = path.name if path.name not in taken else str(path.absolute()).strip("/")
        taken.add(name)
        yield f"{SETTINGS}{name}", path
