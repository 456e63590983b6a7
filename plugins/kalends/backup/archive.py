"""The file of a backup: a gzipped tar that says what is in it, and can be looked into by hand.

It begins with ``kalends-backup.json``, which names every further member with its size and SHA-256;
then come the database (``kalends.db``, a SQLite file whatever the store is in), ``keys/`` and
``settings/``.
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
    """What a backup says of itself.

    Attributes:
        made: the moment that it shows, as in ``2026-11-26T23:45:00Z``.
        version: the Kalends that wrote it.
        schema: of its database.
        members: by name in the file, where each came from.
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
    """Write a backup, durably, and read it back before it takes its name.

    Args:
        target: its name; what stands there is replaced.
        about: what it is to say of itself.
        files: its members by name.
        progress: told of octets, as they are read.

    Raises:
        BackupError: what was written is not what can be read.
        OSError: there is no room, or a file cannot be read.
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
                        counted: Any = _Counted(file, progress)
                        tar.addfile(_member(name, digests[name][0]), counted)
            raw.flush()
            os.fsync(raw.fileno())
        verify(temporary)
        move_into_place(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def verify(path: Path) -> Backup:
    """Read a backup from beginning to end and see that all of it is what was written.

    Raises:
        BackupError: it is no backup, damaged, or of a later form than this code knows.
        OSError: it cannot be read.
    """
    with _opened(path) as (tar, manifest):
        left = dict(manifest["members"])
        for member in _members(tar):
            expected = left.pop(member.name, None)
            if expected is None:
                raise BackupError(f"{path}: holds {member.name!r}, which it does not name")
            file = tar.extractfile(member)
            if file is None or _digest_of(file) != (expected["size"], expected["sha256"]):
                raise BackupError(f"{path}: {member.name} in it is damaged")
        if left:
            raise BackupError(f"{path}: {min(left)} is missing in it; is it cut off?")
        return _about(manifest)


def extract(path: Path, name: str, target: Path) -> None:
    """Write one member to a new file that only its owner may read.

    Raises:
        BackupError: the backup does not hold it, or is damaged.
        OSError: the file cannot be written.
    """
    with _opened(path) as (tar, manifest):
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
                    raise BackupError(f"{path}: {name} in it is damaged")
                return
    raise BackupError(f"{path}: holds no {name}")


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
def _opened(path: Path) -> Iterator[tuple[tarfile.TarFile, dict[str, Any]]]:
    try:
        with tarfile.open(path, "r:gz") as tar:
            yield tar, _manifest(path, tar)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        # A damaged gzip is an OSError without a number.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BackupError(f"{path}: is damaged, or no backup of Kalends: {error}") from None


def _manifest(path: Path, tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    if first is None or first.name != _MANIFEST or first.size > _LARGEST_MANIFEST:
        raise BackupError(f"{path}: is no backup of Kalends")
    file = tar.extractfile(first)
    assert file is not None
    try:
        manifest: dict[str, Any] = json.loads(file.read())
        known = manifest["format"] == _FORMAT
    except (ValueError, KeyError, TypeError):
        raise BackupError(f"{path}: {_MANIFEST} in it cannot be read") from None
    if not known:
        why = "is of a later form than this Kalends knows; restore it with the one that wrote it"
        raise BackupError(f"{path}: {why}")
    return manifest


def _members(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """What comes after the manifest."""
    while (member := tar.next()) is not None:
        yield member


def _about(manifest: Mapping[str, Any]) -> Backup:
    members = {name: said["from"] for name, said in manifest["members"].items()}
    return Backup(manifest["made"], manifest["version"], manifest["schema"], members)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member


class _Counted:
    """A file that tells how much of it was read."""

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
