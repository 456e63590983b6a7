"""Import of another server's folder: names, octets and properties stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from kalends.common.names import GROUPS, refusal_of_group, refusal_of_name
from kalends.errors import ObjectRefusedError
from kalends.ical.limits import ObjectLimits
from kalends.ical.recover import leave_out_forbidden
from kalends.ical.split import split_file
from kalends.ical.validate import CalendarObject, read_calendar_object, read_card
from kalends.store import collections
from kalends.store.aliases import add_alias
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.group_names import separate_names
from kalends.store.objects import write
from kalends.store.objects.write import Outcome
from kalends.transfer.formats.radicale import ALIASES
from kalends.transfer.model import FolderCollection, FolderContents, ObjectFile, RejectedFile

_AT_ONCE = 500
"""Objects in one transaction, so that other writers need not wait for the whole import."""

_NAMED_IN_FILE = {"name": "D:displayname", "color": "ICAL:calendar-color"}


@dataclass(slots=True)
class ImportStoreResult:
    """Result of importing a folder.

    Attributes:
        collections: the number of collections created.
        properties: the number of existing collections whose properties changed.
        added: the number of objects created.
        changed: the number of existing objects with new contents.
        unchanged: the number of objects that were in the store already.
        refused: files and collections that were not imported.
        notes: messages on everything that was skipped or changed.
    """

    collections: int = 0
    properties: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[RejectedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, outcome: Outcome) -> None:
        """Count one object by its outcome."""
        match outcome:
            case Outcome.ADDED:
                self.added += 1
            case Outcome.CHANGED:
                self.changed += 1
            case Outcome.UNCHANGED:
                self.unchanged += 1


class _ReadObject(NamedTuple):
    """An object read from a file, and the name that it keeps, if it has one."""

    content: CalendarObject
    href: str | None
    path: Path


class _DryRunError(Exception):
    """The signal that rolls the transaction of a dry run back."""


class Importer:
    """Importer of whole collections, in which each object keeps its name.

    Objects with other contents than in the folder are replaced, and none is removed; a second
    import of the same folder therefore changes nothing.

    Args:
        database: the store.
        limits: the limits of objects.
        named_feeds: the names of feeds, which an account cannot have.
        dry_run: write nothing, and only find the numbers.
        progress: passes the files of each collection through and shows progress.
    """

    def __init__(
        self,
        database: Database,
        *,
        limits: ObjectLimits,
        named_feeds: Collection[str],
        dry_run: bool = False,
        progress: Callable[[list[ObjectFile], str], Iterable[ObjectFile]] = lambda files, _: files,
    ) -> None:
        self._database = database
        self._limits = limits
        self._named_feeds = named_feeds
        self._dry_run = dry_run
        self._progress = progress
        self._result = ImportStoreResult()

    def run(self, contents: FolderContents) -> ImportStoreResult:
        """Import all collections of a folder."""
        self._result = ImportStoreResult(refused=list(contents.refused), notes=list(contents.notes))
        for one in sorted(contents.collections, key=lambda c: c.path):
            why = self._refusal(one)
            if why:
                self._result.refused.append(RejectedFile(one.source, None, why))
            else:
                _CollectionImport(self._database, one, self._result, dry_run=self._dry_run).run(
                    self._read(one), self._limits
                )
        if not self._dry_run and any(c.path.startswith(f"{GROUPS}/") for c in contents.collections):
            self._separate_names()
        return self._result

    def _separate_names(self) -> None:
        with self._database.write() as connection:
            renamed = separate_names(connection)
        self._result.notes += [
            f"/{old}/: is at /{new}/ now, since another calendar's address ends alike; programs"
            " that have the old address can go on with it"
            for old, new in renamed
        ]

    def _read(self, one: FolderCollection) -> Iterable[ObjectFile]:
        return self._progress(list(one.files), one.path)

    def _refusal(self, one: FolderCollection) -> str | None:
        names = one.path.split("/")
        if names[0] == GROUPS:
            why = refusal_of_group(names[1]) if len(names) > 1 else None
            if one.props.get("tag") and len(names) < 3:
                why = "a group's calendars belong at GROUPS/GROUP/CALENDAR"
            return f"{one.path!r}: {why}" if why else None
        why = refusal_of_name(names[0], self._named_feeds)
        if why:
            return f"{names[0]!r} has no home: {why}"
        if one.props.get("tag") and len(names) == 1:
            return f"{one.path!r} is a calendar, but only homes can be at the top"
        return None


class _CollectionImport:
    """The import of one collection."""

    def __init__(
        self,
        database: Database,
        source: FolderCollection,
        result: ImportStoreResult,
        *,
        dry_run: bool,
    ) -> None:
        self._database = database
        self._source = source
        self._result = result
        self._dry_run = dry_run
        # The file of each UID: the second file of a UID is refused and must not replace the first.
        self._uids: dict[str, str] = {}
        self._props = dict(source.props)
        self._aliases = _segments(self._props.pop(ALIASES, ""))
        self._is_prepared = False

    def run(self, files: Iterable[ObjectFile], limits: ObjectLimits) -> None:
        """Read the files and store their objects."""
        objects = self._read_objects(files, limits)
        first = True
        while (batch := list(islice(objects, _AT_ONCE))) or first:
            first = False
            try:
                with self._database.write(self._source.path) as connection:
                    self._store_batch(connection, batch)
                    if self._dry_run:
                        raise _DryRunError
            except _DryRunError:
                pass

    def _read_objects(
        self, files: Iterable[ObjectFile], limits: ObjectLimits
    ) -> Iterator[_ReadObject]:
        for file in files:
            try:
                data = file.path.read_bytes()
            except OSError as error:
                self._refuse(file.path, None, error.strerror or "cannot be read")
                continue
            yield from self._parse_file(file, data, limits)

    def _parse_file(
        self, file: ObjectFile, data: bytes, limits: ObjectLimits
    ) -> Iterator[_ReadObject]:
        why = ""
        if file.href is not None:
            read = read_card if self._props.get("tag") == "VADDRESSBOOK" else read_calendar_object
            content = None
            try:
                content = read(data, limits=limits)
            except ObjectRefusedError as error:
                why = error.why
            if content:
                yield _ReadObject(content, file.href, file.path)
                return
        data, note = leave_out_forbidden(data)
        if note and file.href is None:
            self._result.notes.append(f"{file.path}: {note}")
        whole = split_file(data, limits=limits)
        for bad in whole.refused:
            self._refuse(file.path, bad.line, bad.why)
        if self._props.get("tag") not in (whole.kind, "VSUBSCRIBED") and whole.objects:
            self._refuse(file.path, 1, f"is a {whole.kind} in a {self._props.get('tag')}")
            return
        if file.href is None:
            named = {ours: getattr(whole, name) for name, ours in _NAMED_IN_FILE.items()}
            self._props = {k: v for k, v in named.items() if v} | self._props
        elif whole.objects:
            self._result.notes.append(f"{file.path}: {why}; stored without that")
        href = file.href
        for content in whole.objects:
            yield _ReadObject(content, href, file.path)
            href = None

    def _store_batch(self, connection: Connection, batch: list[_ReadObject]) -> None:
        row = self._prepare_collection(connection)
        if row is None:
            return
        for read in batch:
            earlier = self._uids.get(read.content.uid)
            if earlier is not None:
                if earlier != str(read.path):
                    self._refuse(read.path, None, f"has the same UID as {earlier}")
                continue
            self._uids[read.content.uid] = str(read.path)
            place = write.find_place(connection, row.id, read.content, read.href)
            self._result.count(
                write.upsert_object(connection, row.id, place, read.content, skip_equal=True)
            )

    def _prepare_collection(self, connection: Connection) -> CollectionRow | None:
        """Create the collection or update its properties; None if it is of another kind."""
        path = self._store_path(connection)
        row = collections.find_collection(connection, path)
        if row is None:
            row = collections.create_collection(connection, path, self._props)
            self._add_aliases(connection, row)
            self._result.collections += not self._is_prepared
        elif not self._source.is_home and row.tag != self._props.get("tag", ""):
            if not self._is_prepared:
                why = f"{path} exists already and is of another kind; rename this one"
                self._refuse(self._source.source, None, why)
            self._is_prepared = True
            return None
        elif not self._is_prepared and (merged := {**row.props, **self._props}) != dict(row.props):
            collections.set_props(connection, row.id, merged)
            self._result.properties += 1
        self._is_prepared = True
        return row

    def _add_aliases(self, connection: Connection, row: CollectionRow) -> None:
        home = row.path.rpartition("/")[0]
        for former in self._aliases if home.startswith(f"{GROUPS}/") else ():
            if collections.find_collection(connection, f"{home}/{former}") is None:
                add_alias(connection, f"{home}/{former}", row.id)

    def _store_path(self, connection: Connection) -> str:
        """Return the path of the collection, with the group as the store spells it."""
        names = self._source.path.split("/")
        if names[0] == GROUPS and len(names) > 1:
            names[1] = collections.group_segment(connection, names[1]) or names[1]
        return "/".join(names)

    def _refuse(self, path: Path, line: int | None, why: str) -> None:
        self._result.refused.append(RejectedFile(path, line, why))


def _segments(text: str) -> list[str]:
    """Return the names in a JSON list that can be segments of a path."""
    found: object = None
    with suppress(ValueError):
        found = json.loads(text)
    names = found if isinstance(found, list) else []
    return [name for name in names if isinstance(name, str) and refusal_of_group(name) is None]
