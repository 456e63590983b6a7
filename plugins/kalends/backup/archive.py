"""Backup archive: a gzipped tar with a manifest, which ``tar`` can list and unpack.

It begins with ``kalends-backup.json``, the manifest, which lists every other member with its size
and SHA-256. Then come the database (``kalends.db``, a SQLite file even if the store is on
PostgreSQL), ``keys/`` and ``settings/``.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from kalends.common.atomicfile import move_into_place
from kalends.errors import KalendsError

DATABASE = "kalends.db"
KEYS = "keys/"
SETTINGS = "settings/"
_MANIFEST = "kalends-backup.json"
_FORMAT = 1
_BLOCK = 1 << 20
_LEVEL = 4
_LARGEST_MANIFEST = 1 << 20


class BackupError(KalendsError):
    """A backup that cannot be written or read."""


@dataclass(frozen=True, slots=True)
class Backup:
    """Description of a backup, from its manifest.

    Attributes:
        made: the time of the backup, as in ``2026-11-26T23:45:00Z``.
        version: the version of Kalends that wrote it.
        schema: the schema version of its database.
        members: the original path of each member, by name in the archive.
    """

    made: str
    version: str
    schema: str
    members: Mapping[str, str]


def write(
    target: Path,
    about: Backup,
    files: Mapping[str, Path],
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Write a backup to disk, and read it back before it gets its name.

    Args:
        target: the file to write; an existing one is replaced.
        about: the description for the manifest.
        files: the files to pack, by name in the archive.
        progress: called with the number of octets after each read.

    Raises:
        BackupError: the file that was written is damaged.
        OSError: there is no space left, or a file cannot be read.
    """
    digests = {name: _digest(path) for name, path in files.items()}
    text = _manifest_text(about, digests)
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w:gz", compresslevel=_LEVEL) as tar:
                tar.addfile(_member(_MANIFEST, len(text)), io.BytesIO(text))
                for name, path in files.items():
                    with path.open("rb") as file:
                        reader: Any = _CountingReader(file, progress)
                        tar.addfile(_member(name, digests[name][0]), reader)
            raw.flush()
            os.fsync(raw.fileno())
        verify(temporary)
        move_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def verify(path: Path) -> Backup:
    """Read a whole backup and check each member against the manifest.

    Raises:
        BackupError: the file is not a backup, is damaged, or has a format of a later version.
        OSError: the file cannot be read.
    """
    with _open(path) as (tar, manifest):
        missing = dict(manifest["members"])
        for member in _members(tar):
            expected = missing.pop(member.name, None)
            if expected is None:
                why = f"is damaged, {member.name!r} is not in its manifest; use another backup"
                raise BackupError(f"{path}: {why}")
            file = tar.extractfile(member)
            if file is None or _digest_of(file) != (expected["size"], expected["sha256"]):
                raise BackupError(f"{path}: is damaged at {member.name}; use another backup")
        if missing:
            why = f"is incomplete, {min(missing)} is missing; use another backup"
            raise BackupError(f"{path}: {why}")
        return _description(manifest)


def extract(path: Path, name: str, target: Path) -> None:
    """Write one member to a new file that only its owner may read.

    Args:
        path: the backup.
        name: the member's name in the archive.
        target: the file to create.

    Raises:
        BackupError: the backup has no such member, or is damaged.
        OSError: the file cannot be written.
    """
    with _open(path) as (tar, manifest):
        for member in _members(tar):
            if member.name == name and (file := tar.extractfile(member)) is not None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                with os.fdopen(os.open(target, flags, 0o600), "wb") as out:
                    while block := file.read(_BLOCK):
                        out.write(block)
                    out.flush()
                    os.fsync(out.fileno())
                expected = manifest["members"][name]
                if _digest(target) != (expected["size"], expected["sha256"]):
                    target.unlink()
                    raise BackupError(f"{path}: is damaged at {name}; use another backup")
                return
    raise BackupError(f"{path}: does not hold {name}; use another backup")


def _manifest_text(about: Backup, digests: Mapping[str, tuple[int, str]]) -> bytes:
    members = {
        name: {"from": about.members[name], "size": size, "sha256": digest}
        for name, (size, digest) in digests.items()
    }
    manifest = {
        "format": _FORMAT,
        "made": about.made,
        "version": about.version,
        "schema": about.schema,
        "members": members,
    }
    return json.dumps(manifest, indent=1, sort_keys=True).encode()


@contextmanager
def _open(path: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any]]]:
    try:
        with tarfile.open(path, "r:gz") as tar:
            yield tar, _manifest(path, tar)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        # For a damaged gzip file, gzip raises an OSError without an errno.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BackupError(f"{path}: is damaged, or not a backup of Kalends: {error}") from None


def _manifest(path: Path, tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    if first is None or first.name != _MANIFEST or first.size > _LARGEST_MANIFEST:
        raise BackupError(f"{path}: is not a backup of Kalends")
    file = tar.extractfile(first)
    assert file is not None
    try:
        manifest: dict[str, Any] = json.loads(file.read())
        is_supported = manifest["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        why = f"is damaged, its {_MANIFEST} cannot be read; use another backup"
        raise BackupError(f"{path}: {why}") from None
    if not is_supported:
        why = "was written by a later version of Kalends; restore it with that version"
        raise BackupError(f"{path}: {why}")
    return manifest


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the members after the manifest."""
    while (member := tar.next()) is not None:
        yield member


def _description(manifest: Mapping[str, Any]) -> Backup:
    members = {name: entry["from"] for name, entry in manifest["members"].items()}
    return Backup(manifest["made"], manifest["version"], manifest["schema"], members)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member


class _CountingReader:
    """A file that reports how much of it was read."""

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._progress(len(block))
        return block


def _digest(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return _digest_of(file)


def _digest_of(file: Any) -> tuple[int, str]:
    size, digest = 0, sha256()
    while block := file.read(_BLOCK):
        size += len(block)
        digest.update(block)
    return size, digest.hexdigest()
