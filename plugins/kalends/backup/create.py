"""Backup of an installation while it serves, and removal of old backups."""

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
_NAME_PATTERN = re.compile(r"kalends-\d{8}T\d{6}Z\.tar\.gz")

StepProgress = Callable[[str, int, int], None]
"""Takes the name of a step, how much of it is done, and how much there is to do."""


def create_backup(
    settings: Settings,
    database: Database,
    target: Path,
    *,
    data_only: bool,
    progress: StepProgress,
) -> Path:
    """Write a backup.

    Args:
        settings: the settings of the installation.
        database: its store, with the newest schema.
        target: the file to write, or a folder, in which the backup is named after the time.
        data_only: leave out the keys, the settings and the user files.
        progress: called with the progress of each step.

    Returns:
        the path of the backup.

    Raises:
        BackupError: there is no space left, or a file cannot be read or written.
    """
    moment = datetime.now(UTC)
    file = target / _NAME.format(moment) if target.is_dir() else target
    try:
        if not file.parent.is_dir():
            raise BackupError(f"{file.parent}: there is no such folder; create it first")
        # Beside the backup: that disk is meant to hold data of this size.
        with tempfile.TemporaryDirectory(prefix=".kalends-backup-", dir=file.parent) as folder:
            copy = Path(folder) / DATABASE
            snapshot_copy.write_copy(
                database, copy, lambda done, of: progress("database", done, of)
            )
            files = {DATABASE: copy}
            if not data_only:
                files |= _other_files(settings, database)
            came_from = {name: str(path) for name, path in files.items()}
            came_from[DATABASE] = database.name
            about = Backup(
                f"{moment:%Y-%m-%dT%H:%M:%SZ}", __version__, schema_version.NEWEST, came_from
            )
            archive.write(file, about, files, _packing_progress(files, progress))
    except StoreFullError:
        raise BackupError(f"{file.parent}: there is no space left for the backup") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BackupError(f"{file.parent}: there is no space left for the backup") from None
        raise BackupError(f"{error.filename or file}: {error.strerror}") from None
    return file


def keep_newest(folder: Path, number: int) -> list[Path]:
    """Remove all but the newest backups in a folder; only files named as backups are counted.

    Args:
        folder: the folder with the backups.
        number: how many to keep, at least 1.

    Returns:
        the paths of the removed backups.

    Raises:
        BackupError: a backup cannot be removed.
    """
    backups = sorted(path for path in folder.iterdir() if _NAME_PATTERN.fullmatch(path.name))
    old = backups[:-number]
    try:
        for path in old:
            path.unlink()
    except OSError as error:
        raise BackupError(f"{error.filename}: {error.strerror}") from None
    return old


def _packing_progress(files: Mapping[str, Path], progress: StepProgress) -> Callable[[int], None]:
    """Return a callback that adds up octets and reports the progress of packing."""
    size = sum(path.stat().st_size for path in files.values())
    done = 0

    def add(octets: int) -> None:
        nonlocal done
        done += octets
        progress("packing", done, size)

    return add


def _other_files(settings: Settings, database: Database) -> Iterator[tuple[str, Path]]:
    """Yield the key of nonces, the settings and the user files, as far as they exist."""
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
