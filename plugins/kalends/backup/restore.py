"""The way back: a backup, or a copy that was taken before an upgrade, in the place of the store."""

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
    """What a restore did.

    Attributes:
        about: what the backup says of itself; None for a copy from before an upgrade.
        key_made: where the key of nonces was put, if there was none.
        settings: what else the backup holds, by name in it; none of it was touched.
    """

    about: Backup | None
    restored: RestoredStore
    key_made: Path | None
    settings: dict[str, str]


def put_back(settings: Settings, database: Database, file: Path) -> RestoreResult:
    """Let the store hold what a backup holds. Settings and user files stay as they are.

    Raises:
        KalendsError: the backup is damaged or too new, a server runs, or there is no room.
    """
    folder = database.folder or settings.own_folder or file.parent
    try:
        about = None if snapshot_copy.is_copy(file) else archive.verify(file)
        if about and about.schema not in schema_version.known():
            raise SchemaVersionError(str(file), about.schema, schema_version.NEWEST)
        with tempfile.TemporaryDirectory(prefix=".kalends-restore-", dir=folder) as scratch:
            copy = Path(scratch) / DATABASE
            if about:
                archive.extract(file, DATABASE, copy)
            else:
                shutil.copyfile(file, copy)
                copy.chmod(0o600)
            restored = restore(database, copy)
            key = _key(settings, database, file, about, Path(scratch))
    except OSError as error:
        raise BackupError(f"{error.filename or file}: {error.strerror}") from None
    members = about.members if about else {}
    kept = {name: place for name, place in members.items() if name.startswith(SETTINGS)}
    return RestoreResult(about, restored, key, kept)


def _key(
    settings: Settings, database: Database, file: Path, about: Backup | None, scratch: Path
) -> Path | None:
    """Put the key of nonces where it belongs, unless one is there."""
    shared = settings.nonce_folder or database.folder or settings.own_folder
    name = f"{KEYS}nonce.key"
    if about is None or name not in about.members or shared is None:
        return None
    place = shared / "nonce.key"
    if place.exists() or not shared.is_dir():
        return None
    archive.extract(file, name, scratch / "nonce.key")
    atomicfile.replace(place, (scratch / "nonce.key").read_bytes(), mode=0o600)
    status = shared.stat()
    with suppress(PermissionError):
        os.chown(place, status.st_uid, status.st_gid)
    return place
