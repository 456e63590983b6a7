"""Bringing whole files of calendars and cards into a collection, one transaction for each file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from kalends.calobject import CalendarObject, split_file
from kalends.errors import KalendsError
from kalends.names import GROUPS
from kalends.store import changes, collections
from kalends.store.changes import Merged
from kalends.store.engine import Database


class ImportTargetError(KalendsError):
    """The collection that an import names cannot take it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Something in a file that was not taken: where, and why."""

    path: Path
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one file."""

    merged: Merged
    refused: list[Refused]


def import_data(
    database: Database,
    data: bytes,
    path: Path,
    target: str,
    *,
    max_size: int,
    first: Mapping[str, Mapping[str, str]],
    done: set[str],
    progress: Callable[[Iterable[CalendarObject]], Iterable[CalendarObject]] = iter,
) -> Imported:
    """Import a file into ``USER/CALENDAR`` or ``GROUPS/GROUP/CALENDAR``, made if it is missing.

    Args:
        data: its octets.
        path: what it is called, for those who are told of what was refused.
        max_size: the largest object, octets.
        first: the collections that a new home (or a group's place) begins with, by name.
        done: UIDs that a later file of the same import has brought, to which this one adds its own;
            so a UID in several files ends as the last of them says, however often it is done.
        progress: passes objects through and shows how far it has come.

    Raises:
        ImportTargetError: the target is of another kind than the file.
    """
    with database.write(target) as connection:
        target = _with_a_home(connection, target, first)
        existing = collections.find(connection, target)
    allowed = existing.components if existing else None
    whole = split_file(data, allowed=allowed, max_size=max_size)
    refused = [Refused(path, bad.line, bad.why) for bad in whole.refused]
    if not whole.objects:
        return Imported(Merged(0, 0, 0, 0), refused)
    with database.write(target) as connection:
        existing = collections.find(connection, target)
        if existing is None:
            props = {"tag": whole.kind, "D:displayname": target.rpartition("/")[2]}
            existing = collections.create(connection, target, props)
        if existing.tag != whole.kind:
            raise ImportTargetError(f"{target} is no {whole.kind}, which {path} needs")
        if existing.components != allowed:
            raise ImportTargetError(f"{target} has changed meanwhile; import {path} again")
        fresh = [content for content in whole.objects if content.uid not in done]
        merged = changes.merge(connection, existing.id, progress(fresh))
    done.update(content.uid for content in fresh)
    skipped = len(whole.objects) - len(fresh)
    return Imported(replace(merged, unchanged=merged.unchanged + skipped), refused)


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
