"""The store, out into folders: as a store of Radicale, or one plain file for each calendar."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from kalends.common.atomicfile import sync_folder
from kalends.feeds.export import calendar_pieces, card_pieces
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import read
from kalends.store.objects.read import ObjectRow
from kalends.transfer.formats.radicale import PROPS, ROOT
from kalends.transfer.model import FolderError

_LONGEST_NAME = 255
"""Octets of a file's name, on the file systems of Linux."""

_SUFFIXES = {"VADDRESSBOOK": ".vcf"}

_Passed = TypeVar("_Passed")
ExportProgress = Callable[[Iterable[_Passed], int, str], Iterable[_Passed]]


@dataclass(slots=True)
class ExportResult:
    """What an export has written.

    Attributes:
        notes: what has another name there than here, for a person.
    """

    collections: int = 0
    objects: int = 0
    notes: list[str] = field(default_factory=list)


class Exporter:
    """Writes collections of one moment into a new folder.

    Args:
        database: the store.
        accounts: whose; all if none is named.
        progress: passes a collection's objects through, told how many there are and its path.
    """

    def __init__(
        self, database: Database, accounts: Collection[str], progress: ExportProgress[ObjectRow]
    ) -> None:
        self._database = database
        self._accounts = frozenset(accounts)
        self._progress = progress
        self._given = ExportResult()

    def to_radicale(self, folder: Path) -> ExportResult:
        """Write a store that Radicale serves as it stands: ``folder`` is its filesystem_folder.

        Raises:
            FolderError: the folder holds something already, or cannot be written.
        """
        return self._to(folder, lambda connection: self._radicale(connection, folder / ROOT))

    def to_files(self, folder: Path) -> ExportResult:
        """Write ``USER/CALENDAR.ics``, and ``.vcf`` for address books.

        Raises:
            FolderError: the folder holds something already, or cannot be written.
        """
        return self._to(folder, lambda connection: self._files(connection, folder))

    def _to(self, folder: Path, write: Callable[[Connection], None]) -> ExportResult:
        self._given = ExportResult()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise FolderError(f"{folder}: holds something already; name a new folder")
            with self._database.read() as connection:
                write(connection)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise FolderError(f"{folder}: no room on its disk") from None
            raise FolderError(f"{error.filename or folder}: {error.strerror}") from None
        return self._given

    def _rows(self, connection: Connection) -> list[CollectionRow]:
        """The wanted collections, each after the one above it."""
        rows = [row for row in collections.every(connection) if row.path]
        if self._accounts:
            rows = [row for row in rows if row.path.split("/")[0] in self._accounts]
        return rows

    def _radicale(self, connection: Connection, root: Path) -> None:
        root.mkdir(mode=0o700)
        places: dict[str, Path] = {"": root}
        for row in self._rows(connection):
            above, _, name = row.path.rpartition("/")
            folder = places[row.path] = places[above] / self._safe(name, row.path, "")
            folder.mkdir(mode=0o700)
            if row.props:
                props = json.dumps(dict(row.props), sort_keys=True)
                _write(folder / PROPS, [props.encode()])
            for item in self._objects(connection, row):
                suffix = _SUFFIXES.get(row.tag, ".ics")
                path = folder / self._safe(item.href, f"{row.path}/{item.href}", suffix)
                _write(path, [item.data])
                os.utime(path, ns=(item.changed * 1000, item.changed * 1000))
            sync_folder(folder)
            self._note(connection, row)

    def _files(self, connection: Connection, root: Path) -> None:
        for row in self._rows(connection):
            if not row.tag:
                continue
            *above, last = row.path.split("/")
            folder = root.joinpath(*(self._safe(name, row.path, "") for name in above))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            suffix = _SUFFIXES.get(row.tag, ".ics")
            _write(
                folder / f"{self._safe(last, row.path, '')}{suffix}", self._text(connection, row)
            )
            self._note(connection, row)

    def _text(self, connection: Connection, row: CollectionRow) -> Iterable[bytes]:
        """A collection as one file, piece by piece."""
        if row.tag == "VADDRESSBOOK":
            return card_pieces(card.data for card in self._objects(connection, row))

        def data() -> Iterable[bytes]:
            return (item.data for item in self._objects(connection, row))

        name = row.props.get("D:displayname", "")
        return calendar_pieces(data, name, row.props.get("C:calendar-description", ""))

    def _note(self, connection: Connection, row: CollectionRow) -> None:
        self._given.collections += bool(row.tag)
        self._given.objects += read.count(connection, row.id)

    def _objects(self, connection: Connection, row: CollectionRow) -> Iterable[ObjectRow]:
        number = read.count(connection, row.id)
        return self._progress(read.every(connection, row.id), number, row.path)

    def _safe(self, name: str, path: str, suffix: str) -> str:
        """A name that a file can have and Radicale does not pass over; the name itself if it can.

        One that had to change is told, and stays the same from one export to the next.
        """
        fits = len(name.encode()) <= _LONGEST_NAME
        if fits and not name.startswith(".") and not name.endswith("~"):
            return name
        safe = sha256(name.encode()).hexdigest()[:40] + suffix
        self._given.notes.append(f"/{path}: is called {safe} there")
        return safe


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)
