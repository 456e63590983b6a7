"""Import of a file of calendars or cards into a collection, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from kalends.common import progress
from kalends.common.budget import Budget
from kalends.common.names import GROUPS
from kalends.errors import KalendsError, ObjectRefusedError
from kalends.ical.file_objects import SplitCalendar
from kalends.ical.limits import FILE_OF_AN_ADMINISTRATOR, FileLimits, ObjectLimits
from kalends.ical.merge_instances import merge_instances
from kalends.ical.recover import leave_out_forbidden
from kalends.ical.split import split_file
from kalends.ical.validate import CalendarObject
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import read, write
from kalends.store.objects.write import MergeResult

ImportedUids = dict[str, CalendarObject | None]
"""UIDs that an import has stored; with the object if that is occurrences without their series."""


class ImportTargetError(KalendsError):
    """A collection that cannot take the objects of a file."""


@dataclass(frozen=True, slots=True)
class RejectedObject:
    """A part of a file that was not imported: its line and the reason."""

    path: Path
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """Result of importing one file.

    Attributes:
        merged: the numbers of objects.
        refused: the parts that were not imported.
        note: what was left out of the others, or empty.
    """

    merged: MergeResult
    refused: list[RejectedObject]
    note: str = ""


def import_data(
    database: Database,
    data: bytes,
    path: Path,
    target: str,
    *,
    limits: ObjectLimits,
    first_collections: Mapping[str, Mapping[str, str]],
    imported: ImportedUids,
    size: FileLimits = FILE_OF_AN_ADMINISTRATOR,
    budget: Budget | None = None,
    progress: Callable[[Iterable[CalendarObject]], Iterable[CalendarObject]] = iter,
) -> ImportResult:
    """Import a file into a collection, which is created if it does not exist.

    Occurrences that come without their series replace those of the series in the collection.

    Args:
        database: the store.
        data: the octets of the file.
        path: the name of the file, for messages.
        target: the collection: ``USER/CALENDAR`` or ``GROUPS/GROUP/CALENDAR``.
        limits: the limits of objects.
        first_collections: properties of the collections that a new home (or group) begins with, by
            name.
        imported: UIDs from later files of the same import, to which this file's are added. Files
            are imported last to first, so that of a UID in several files the last one counts,
            however often the import is repeated.
        size: the limits of the file.
        budget: the steps that all objects together may take; any number if not given.
        progress: passes objects through and shows progress.

    Raises:
        ImportTargetError: the collection is of another kind than the file, or has just changed.
    """
    with database.write(target) as connection:
        target = _ensure_home(connection, target, first_collections)
        existing = collections.find_collection(connection, target)
    allowed = existing.components if existing else None
    data, note = leave_out_forbidden(data)
    whole = split_file(data, allowed=allowed, limits=limits, size=size, budget=budget)
    refused = [RejectedObject(path, bad.line, bad.why) for bad in whole.refused]
    if not whole.objects:
        return ImportResult(MergeResult(0, 0, 0, 0), refused, note)
    with database.write(target) as connection:
        existing = collections.find_collection(connection, target)
        if existing is None:
            props = {"tag": whole.kind, "D:displayname": target.rpartition("/")[2]}
            existing = collections.create_collection(connection, target, props)
        if existing.tag != whole.kind:
            raise ImportTargetError(
                f"{path} is a {whole.kind} and {target} is not; name another collection"
            )
        if existing.components != allowed:
            raise ImportTargetError(f"{target} was changed during the import; import {path} again")
        ready = _merge_occurrences(connection, existing, whole, imported, limits)
        merged = write.merge_objects(connection, existing.id, progress(ready.objects))
    imported.update(ready.imported)
    refused += [RejectedObject(path, line, why) for line, why in ready.refused]
    merged = replace(merged, unchanged=merged.unchanged + ready.skipped)
    return ImportResult(merged, refused, note)


@dataclass(slots=True)
class _PreparedObjects:
    """The objects of a file as they will be stored.

    Attributes:
        imported: the UIDs of the file, to be added to those of the import.
        skipped: the number of objects left out because a later file has the same UID.
        refused: occurrences that cannot be merged into their series: the line and the reason.
    """

    objects: list[CalendarObject] = field(default_factory=list)
    imported: ImportedUids = field(default_factory=dict)
    skipped: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def _merge_occurrences(
    connection: Connection,
    into: CollectionRow,
    whole: SplitCalendar,
    imported: ImportedUids,
    limits: ObjectLimits,
) -> _PreparedObjects:
    """Merge occurrences without a series, of later files and of this one, into their series."""
    ready = _PreparedObjects()

    def merge(stored: bytes, single: CalendarObject, line: int) -> CalendarObject | None:
        try:
            return merge_instances(stored, single.data, allowed=into.components, limits=limits)
        except ObjectRefusedError as error:
            why = f"cannot be merged into its series: {error.why}"
            ready.refused.append((line, why))
            return None

    for content in whole.objects:
        progress.report()
        uid = content.uid
        line = whole.detached.get(uid)
        later = imported.get(uid)
        if uid in imported and later is None:
            ready.skipped += 1
            continue
        if later is not None:
            content = merge(content.data, later, line or 1) or content
        occurrences = None if line is None else content
        if line is not None and (href := read.find_href_by_uid(connection, into.id, uid)):
            there = read.get_object(connection, into.id, href)
            found = merge(there.data, content, line) if there else None
            if found is None:
                continue
            content = found
        ready.imported[uid] = occurrences
        ready.objects.append(content)
    return ready


def _ensure_home(
    connection: Connection, target: str, first_collections: Mapping[str, Mapping[str, str]]
) -> str:
    """Create the home or group of ``target`` if needed; return it as the store spells it."""
    home, _, calendar = target.rpartition("/")
    if not home.startswith(f"{GROUPS}/"):
        collections.ensure_home(connection, home, first_collections)
        return target
    place = collections.ensure_group(connection, home.removeprefix(f"{GROUPS}/"), first_collections)
    return f"{GROUPS}/{place}/{calendar}"
