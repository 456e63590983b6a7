"""Bringing whole files of calendars and cards into a collection, one transaction for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Connection

from kalends.common.names import GROUPS
from kalends.errors import KalendsError, ObjectRefusedError
from kalends.ical.merge_instances import with_occurrences
from kalends.ical.split import SplitCalendar, split_file
from kalends.ical.validate import CalendarObject
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import read, write
from kalends.store.objects.write import Merged

Done = dict[str, CalendarObject | None]
"""UIDs that were brought: each with what was if it is single occurrences without a series."""


class ImportTargetError(KalendsError):
    """The collection that an import names cannot take it."""


@dataclass(frozen=True, slots=True)
class RejectedObject:
    """Something in a file that was not taken: where, and why."""

    path: Path
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What became of one file."""

    merged: Merged
    refused: list[RejectedObject]


def import_data(
    database: Database,
    data: bytes,
    path: Path,
    target: str,
    *,
    max_size: int,
    first: Mapping[str, Mapping[str, str]],
    done: Done,
    progress: Callable[[Iterable[CalendarObject]], Iterable[CalendarObject]] = iter,
) -> ImportResult:
    """Import a file into ``USER/CALENDAR`` or ``GROUPS/GROUP/CALENDAR``, made if it is missing.

    Single occurrences, without their series, change those of the series that is there.

    Args:
        data: its octets.
        path: what it is called, for those who are told of what was refused.
        max_size: the largest object, octets.
        first: the collections that a new home (or a group's place) begins with, by name.
        done: UIDs that later files of the same import have brought, to which this one adds its
            own; so a UID in several files ends as the last of them says, however often it is done.
        progress: passes objects through and shows how far it has come.

    Raises:
        ImportTargetError: the target is of another kind than the file.
    """
    with database.write(target) as connection:
        target = _with_a_home(connection, target, first)
        existing = collections.find(connection, target)
    allowed = existing.components if existing else None
    whole = split_file(data, allowed=allowed, max_size=max_size)
    refused = [RejectedObject(path, bad.line, bad.why) for bad in whole.refused]
    if not whole.objects:
        return ImportResult(Merged(0, 0, 0, 0), refused)
    with database.write(target) as connection:
        existing = collections.find(connection, target)
        if existing is None:
            props = {"tag": whole.kind, "D:displayname": target.rpartition("/")[2]}
            existing = collections.create(connection, target, props)
        if existing.tag != whole.kind:
            raise ImportTargetError(f"{target} is no {whole.kind}, which {path} needs")
        if existing.components != allowed:
            raise ImportTargetError(f"{target} has changed meanwhile; import {path} again")
        ready = _put_together(connection, existing, whole, done, max_size)
        merged = write.merge(connection, existing.id, progress(ready.contents))
    done.update(ready.said)
    refused += [RejectedObject(path, line, why) for line, why in ready.refused]
    return ImportResult(replace(merged, unchanged=merged.unchanged + ready.skipped), refused)


@dataclass(slots=True)
class _Ready:
    """The objects of a file as they are to be stored.

    Attributes:
        said: what is to be added to what is done.
        skipped: how many objects are left out, since a later file has brought their UIDs.
        refused: lines, and why what begins there does not go into what it belongs to.
    """

    contents: list[CalendarObject] = field(default_factory=list)
    said: Done = field(default_factory=dict)
    skipped: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def _put_together(
    connection: Connection,
    into: CollectionRow,
    whole: SplitCalendar,
    done: Done,
    max_size: int,
) -> _Ready:
    """Bring single occurrences into their series: those of later files, and those of this one."""
    ready = _Ready()

    def joined(stored: bytes, single: CalendarObject, line: int) -> CalendarObject | None:
        try:
            return with_occurrences(stored, single.data, allowed=into.components, max_size=max_size)
        except ObjectRefusedError as error:
            why = f"single occurrences of a series that is there already: {error.why}"
            ready.refused.append((line, why))
            return None

    for content in whole.objects:
        uid = content.uid
        line = whole.occurrences.get(uid)
        later = done.get(uid)
        if uid in done and later is None:
            ready.skipped += 1
            continue
        if later is not None:
            content = joined(content.data, later, line or 1) or content
        said = None if line is None else content
        if line is not None and (href := read.find_uid(connection, into.id, uid)):
            there = read.get(connection, into.id, href)
            found = joined(there.data, content, line) if there else None
            if found is None:
                continue
            content = found
        ready.said[uid] = said
        ready.contents.append(content)
    return ready


def _with_a_home(
    connection: Connection, target: str, first: Mapping[str, Mapping[str, str]]
) -> str:
    """The target, as it is spelt in the home or the group's place that is there now."""
    home, _, calendar = target.rpartition("/")
    if not home.startswith(f"{GROUPS}/"):
        collections.ensure_home(connection, home, first)
        return target
    place = collections.ensure_group(connection, home.removeprefix(f"{GROUPS}/"), first)
    return f"{GROUPS}/{place}/{calendar}"
