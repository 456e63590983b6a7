"""What was found in a folder, into the store: names, octets and properties as they are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from kalends.common.names import GROUPS, refusal_of_group, refusal_of_name
from kalends.errors import ObjectRefusedError
from kalends.ical.split import split_file
from kalends.ical.validate import CalendarObject, read_calendar_object, read_card
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import write
from kalends.store.objects.write import Outcome
from kalends.transfer.model import FolderCollection, FolderContents, ObjectFile, RejectedFile

_AT_ONCE = 500
"""Objects in one transaction: other writers come between."""

_NAMED_IN_FILE = {"name": "D:displayname", "color": "ICAL:calendar-color"}


@dataclass(slots=True)
class ImportStoreResult:
    """What became of a folder.

    Attributes:
        collections: how many were made.
        properties: how many that were there have other properties now.
        notes: what was stored otherwise than it lay there, for a person.
    """

    collections: int = 0
    properties: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[RejectedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Count one more object that was stored, or found as it is."""
        match outcome:
            case Outcome.ADDED:
                self.added += 1
            case Outcome.CHANGED:
                self.changed += 1
            case Outcome.UNCHANGED:
                self.unchanged += 1


class _ReadObject(NamedTuple):
    """An object that was read, and the name that it has to have, if any."""

    content: CalendarObject
    href: str | None
    path: Path


class _UndoneError(Exception):
    """Nothing is to be kept."""


class Importer:
    """Takes collections into a store, each object under its own name.

    Doing it again finds everything as it is; what has another content is changed to that of the
    folder, and nothing is removed.

    Args:
        database: the store.
        max_size: the largest object, octets.
        named_feeds: what no account may be called.
        keep: whether anything is written; if not, only the numbers are found out.
        progress: passes files through and shows how far it has come.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_size: int,
        named_feeds: Collection[str],
        keep: bool = True,
        progress: Callable[[list[ObjectFile], str], Iterable[ObjectFile]] = lambda files, _: files,
    ) -> None:
        self._database = database
        self._max_size = max_size
        self._named_feeds = named_feeds
        self._keep = keep
        self._progress = progress
        self._brought = ImportStoreResult()

    def bring(self, found: FolderContents) -> ImportStoreResult:
        """Take in all that was found."""
        self._brought = ImportStoreResult(refused=list(found.refused), notes=list(found.notes))
        for one in sorted(found.collections, key=lambda c: c.path):
            why = self._refusal(one)
            if why:
                self._brought.refused.append(RejectedFile(one.source, None, why))
            else:
                _Filling(self._database, one, self._brought, self._keep).fill(
                    self._read(one), self._max_size
                )
        return self._brought

    def _read(self, one: FolderCollection) -> Iterable[ObjectFile]:
        return self._progress(list(one.files), one.path)

    def _refusal(self, one: FolderCollection) -> str | None:
        names = one.path.split("/")
        if names[0] == GROUPS:
            why = refusal_of_group(names[1]) if len(names) > 1 else None
            if one.props.get("tag") and len(names) < 3:
                why = "a group's calendars lie at GROUPS/GROUP/CALENDAR"
            return f"{one.path!r}: {why}" if why else None
        why = refusal_of_name(names[0], self._named_feeds)
        if why:
            return f"{names[0]!r} has no home: {why}"
        if one.props.get("tag") and len(names) == 1:
            return f"{one.path!r} would be a calendar in the place of a home"
        return None


class _Filling:
    """One collection on its way into the store."""

    def __init__(
        self, database: Database, one: FolderCollection, brought: ImportStoreResult, keep: bool
    ) -> None:
        self._database = database
        self._one = one
        self._brought = brought
        self._keep = keep
        # By UID: which file has brought it, so that a second one is refused and not taken over.
        self._uids: dict[str, str] = {}
        self._props = dict(one.props)
        self._settled = False

    def fill(self, files: Iterable[ObjectFile], max_size: int) -> None:
        """Read the files and store what is in them."""
        reading = self._objects(files, max_size)
        first = True
        while (batch := list(islice(reading, _AT_ONCE))) or first:
            first = False
            try:
                with self._database.write(self._one.path) as connection:
                    self._store(connection, batch)
                    if not self._keep:
                        raise _UndoneError
            except _UndoneError:
                pass

    def _objects(self, files: Iterable[ObjectFile], max_size: int) -> Iterator[_ReadObject]:
        for file in files:
            try:
                data = file.path.read_bytes()
            except OSError as error:
                self._refuse(file.path, None, error.strerror or "cannot be read")
                continue
            yield from self._objects_of(file, data, max_size)

    def _objects_of(self, file: ObjectFile, data: bytes, max_size: int) -> Iterator[_ReadObject]:
        why = ""
        if file.href is not None:
            read = read_card if self._props.get("tag") == "VADDRESSBOOK" else read_calendar_object
            content = None
            try:
                content = read(data, max_size=max_size)
            except ObjectRefusedError as error:
                why = error.why
            if content:
                yield _ReadObject(content, file.href, file.path)
                return
        whole = split_file(data, max_size=max_size)
        for bad in whole.refused:
            self._refuse(file.path, bad.line, bad.why)
        if self._props.get("tag") not in (whole.kind, "VSUBSCRIBED") and whole.objects:
            self._refuse(file.path, 1, f"is a {whole.kind} in a {self._props.get('tag')}")
            return
        if file.href is None:
            said = {ours: getattr(whole, name) for name, ours in _NAMED_IN_FILE.items()}
            self._props = {k: v for k, v in said.items() if v} | self._props
        elif whole.objects:
            self._brought.notes.append(f"{file.path}: {why}; stored without that")
        href = file.href
        for content in whole.objects:
            yield _ReadObject(content, href, file.path)
            href = None

    def _store(self, connection: Connection, batch: list[_ReadObject]) -> None:
        row = self._collection(connection)
        if row is None:
            return
        for read in batch:
            earlier = self._uids.get(read.content.uid)
            if earlier is not None:
                if earlier != str(read.path):
                    self._refuse(read.path, None, f"has the UID of {earlier}")
                continue
            self._uids[read.content.uid] = str(read.path)
            place = write.find_place(connection, row.id, read.content, read.href)
            self._brought.count(
                write.upsert(connection, row.id, place, read.content, skip_equal=True)
            )

    def _collection(self, connection: Connection) -> CollectionRow | None:
        """The collection, made or given its properties; None if it is of another kind there."""
        path = self._place(connection)
        row = collections.find(connection, path)
        if row is None:
            row = collections.create(connection, path, self._props)
            self._brought.collections += not self._settled
        elif not self._one.is_home and row.tag != self._props.get("tag", ""):
            if not self._settled:
                self._refuse(self._one.source, None, f"{path} is there already, of another kind")
            self._settled = True
            return None
        elif not self._settled and (merged := {**row.props, **self._props}) != dict(row.props):
            collections.set_props(connection, row.id, merged)
            self._brought.properties += 1
        self._settled = True
        return row

    def _place(self, connection: Connection) -> str:
        """The path, in the spelling of the group's place that is there."""
        names = self._one.path.split("/")
        if names[0] == GROUPS and len(names) > 1:
            names[1] = collections.group_place(connection, names[1]) or names[1]
        return "/".join(names)

    def _refuse(self, path: Path, line: int | None, why: str) -> None:
        self._brought.refused.append(RejectedFile(path, line, why))
