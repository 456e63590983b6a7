"""Export of collections into a folder: as a store of Radicale, or as one file for each."""

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

from kalends.common import private
from kalends.common.atomicfile import sync_folder
from kalends.feeds.export import StoredText, stream_address_book, stream_calendar
from kalends.ical.validate import FILE
from kalends.store import collections
from kalends.store.aliases import aliases_of_all
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import read
from kalends.store.objects.read import ObjectRow
from kalends.transfer.formats.radicale import ALIASES, PROPS, ROOT
from kalends.transfer.model import FolderError

_LONGEST_NAME = 255
"""Octets of a file name, on the file systems of Linux."""

_SUFFIXES = {"VADDRESSBOOK": ".vcf"}

_T = TypeVar("_T")
ExportProgress = Callable[[Iterable[_T], int, str], Iterable[_T]]
"""Passes objects through and shows progress; takes them, their number, and their collection."""


@dataclass(slots=True)
class ExportResult:
    """Result of an export.

    Attributes:
        collections: the number of collections written.
        objects: the number of objects in them.
        notes: messages on names that had to change, and on what was left out.
    """

    collections: int = 0
    objects: int = 0
    notes: list[str] = field(default_factory=list)


class Exporter:
    """Exporter of collections, all as of one moment, into a new folder.

    Args:
        database: the store.
        accounts: the accounts whose collections are exported; all if empty.
        progress: passes the objects of each collection through and shows progress.
    """

    def __init__(
        self, database: Database, accounts: Collection[str], progress: ExportProgress[ObjectRow]
    ) -> None:
        self._database = database
        self._accounts = frozenset(accounts)
        self._progress = progress
        self._result = ExportResult()

    def write_radicale(self, folder: Path) -> ExportResult:
        """Write a store for Radicale; ``folder`` is its ``filesystem_folder``.

        Args:
            folder: a new or empty folder.

        Raises:
            FolderError: the folder is not empty, or cannot be written.
        """
        return self._write_into(
            folder, lambda connection: self._write_folders(connection, folder / ROOT)
        )

    def write_files(self, folder: Path) -> ExportResult:
        """Write ``USER/CALENDAR.ics`` for each calendar, and ``.vcf`` for each address book.

        Args:
            folder: a new or empty folder.

        Raises:
            FolderError: the folder is not empty, or cannot be written.
        """
        return self._write_into(
            folder, lambda connection: self._write_collections(connection, folder)
        )

    def _write_into(self, folder: Path, write: Callable[[Connection], None]) -> ExportResult:
        self._result = ExportResult()
        try:
            private.make_folder(folder)
            if any(folder.iterdir()):
                raise FolderError(f"{folder}: is not empty; name a new folder")
            with self._database.read() as connection:
                write(connection)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise FolderError(f"{folder}: there is no space left on its disk") from None
            raise FolderError(f"{error.filename or folder}: {error.strerror}") from None
        return self._result

    def _wanted_rows(self, connection: Connection) -> list[CollectionRow]:
        """Return the collections to export, each after its parent."""
        rows = [row for row in collections.list_collections(connection) if row.path]
        if self._accounts:
            rows = [row for row in rows if row.path.split("/")[0] in self._accounts]
        return rows

    def _write_folders(self, connection: Connection, root: Path) -> None:
        root.mkdir(mode=0o700)
        folders: dict[str, Path] = {"": root}
        aliases = aliases_of_all(connection)
        for row in self._wanted_rows(connection):
            parent, _, name = row.path.rpartition("/")
            folder = folders[row.path] = folders[parent] / self._file_name(name, row.path, "")
            folder.mkdir(mode=0o700)
            props = dict(row.props)
            if row.id in aliases:
                former = [path.rpartition("/")[2] for path in aliases[row.id]]
                props[ALIASES] = json.dumps(former)
            if props:
                _write(folder / PROPS, [json.dumps(props, sort_keys=True).encode()])
            for item in self._objects(connection, row):
                if item.kind == FILE:  # Radicale would take it for a calendar object
                    self._result.notes.append(f"/{row.path}/{item.href}: is a file, and left out")
                    continue
                suffix = _SUFFIXES.get(row.tag, ".ics")
                path = folder / self._file_name(item.href, f"{row.path}/{item.href}", suffix)
                _write(path, [item.data])
                os.utime(path, ns=(item.changed * 1000, item.changed * 1000))
            sync_folder(folder)
            self._add_counts(connection, row)

    def _write_collections(self, connection: Connection, root: Path) -> None:
        for row in self._wanted_rows(connection):
            if not row.tag:
                self._note_files(connection, row)
                continue
            *parents, last = row.path.split("/")
            folder = root.joinpath(*(self._file_name(name, row.path, "") for name in parents))
            private.make_folder(folder)
            suffix = _SUFFIXES.get(row.tag, ".ics")
            _write(
                folder / f"{self._file_name(last, row.path, '')}{suffix}",
                self._file_pieces(connection, row),
            )
            self._add_counts(connection, row)

    def _note_files(self, connection: Connection, row: CollectionRow) -> None:
        for name in read.hrefs_changed_since(connection, row.id, 0):
            self._result.notes.append(f"/{row.path}/{name}: is a file, and left out")

    def _file_pieces(self, connection: Connection, row: CollectionRow) -> Iterable[bytes]:
        """Return a collection as one file, in pieces."""

        def texts() -> Iterable[StoredText]:
            return (StoredText(one.href, one.data) for one in self._objects(connection, row))

        def left_out(name: str, why: str) -> None:
            self._result.objects -= 1
            self._result.notes.append(f"/{row.path}/{name}: left out: {why}")

        if row.tag == "VADDRESSBOOK":
            return stream_address_book(texts(), left_out)
        name = row.props.get("D:displayname", "")
        description = row.props.get("C:calendar-description", "")
        return stream_calendar(texts, name, description, left_out)

    def _add_counts(self, connection: Connection, row: CollectionRow) -> None:
        self._result.collections += bool(row.tag)
        if row.tag:
            self._result.objects += read.count_members(connection, row.id)

    def _objects(self, connection: Connection, row: CollectionRow) -> Iterable[ObjectRow]:
        number = read.count_members(connection, row.id)
        return self._progress(read.all_objects_by_href(connection, row.id), number, row.path)

    def _file_name(self, name: str, path: str, suffix: str) -> str:
        """Return the file name for a name in the store: the same where Radicale can use that.

        Radicale ignores hidden files and those that end with ``~``, and a name may be too long for
        the file system. The replacement is noted, and is the same in each export.
        """
        fits = len(name.encode()) <= _LONGEST_NAME
        if fits and not name.startswith(".") and not name.endswith("~"):
            return name
        safe = sha256(name.encode()).hexdigest()[:40] + suffix
        self._result.notes.append(f"/{path}: is named {safe} in the export")
        return safe


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.writelines(pieces)
