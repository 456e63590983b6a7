"""Restore of a backup, or of the copy that was made before an upgrade."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kalends.backup import archive
from kalends.backup.archive import DATABASE, KEYS, SETTINGS, Backup, BackupError
from kalends.common import atomicfile
from kalends.config.settings import Settings
from kalends.errors import SchemaVersionError
from kalends.store import schema_version, snapshot_copy
from kalends.store.engine import Database
from kalends.store.restore import RestoredStore, restore


@dataclass(frozen=True, slots=True)
class RestoreResult:
    """Result of a restore.

    Attributes:
        backup: the description of the backup; None for a copy from before an upgrade.
        restored: the contents of the store.
        restored_key: the path of the key of nonces, if it was missing and was restored.
        settings: the original paths of settings in the backup, by name; they are not restored.
    """

    backup: Backup | None
    restored: RestoredStore
    restored_key: Path | None
    settings: dict[str, str]


def restore_backup(settings: Settings, database: Database, file: Path) -> RestoreResult:
    """Replace the contents of the store by those of a backup; leave settings and user files alone.

    Args:
        settings: the settings of the installation.
        database: its store.
        file: the backup, or a copy from before an upgrade.

    Raises:
        KalendsError: the backup is damaged or too new, a server runs, or there is no space left.
    """
    folder = database.folder or settings.own_folder or file.parent
    try:
        backup = None if snapshot_copy.is_sqlite_file(file) else archive.verify(file)
        if backup and backup.schema not in schema_version.known_versions():
            raise SchemaVersionError(str(file), backup.schema, schema_version.NEWEST)
        with tempfile.TemporaryDirectory(prefix=".kalends-restore-", dir=folder) as scratch:
            copy = Path(scratch) / DATABASE
            if backup:
                archive.extract(file, DATABASE, copy)
            else:
                shutil.copyfile(file, copy)
                copy.chmod(0o600)
            restored = restore(database, copy)
            key = _restore_key(settings, database, file, backup, Path(scratch))
    except OSError as error:
        raise BackupError(f"{error.filename or file}: {error.strerror}") from None
    members = backup.members if backup else {}
    kept = {name: path for name, path in members.items() if name.startswith(SETTINGS)}
    return RestoreResult(backup, restored, key, kept)


def _restore_key(
    settings: Settings, database: Database, file: Path, backup: Backup | None, scratch: Path
) -> Path | None:
    """Write the key of nonces to its place, unless there is one; return its path if so."""
    shared = settings.nonce_folder or database.folder or settings.own_folder
    name = f"{KEYS}nonce.key"
    if backup is None or name not in backup.members or shared is None:
        return None
    target = shared / "nonce.key"
    if target.exists() or not shared.is_dir():
        return None
    archive.extract(file, name, scratch / "nonce.key")
    atomicfile.replace(target, (scratch / "nonce.key").read_bytes(), mode=0o600)
    status = shared.stat()
    with suppress(PermissionError):
        os.chown(target, status.st_uid, status.st_gid)
    return target
