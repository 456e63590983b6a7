"""The calendars and address books of an account, as the store has them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from kalends.common.names import GROUPS
from kalends.events import Change, CommitEvents
from kalends.feeds.collection_cache import CollectionCache, CollectionGoneError
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import read
from kalends.webui.account.zip_download import ZipEntry, file_names

_WORDS = {
    "VEVENT": ("event", "events"),
    "VTODO": ("task", "tasks"),
    "VJOURNAL": ("note", "notes"),
    "VADDRESSBOOK": ("contact", "contacts"),
}
_COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
_LONGEST_TITLE = 200
"""Characters of a title on a page that has several of each of hundreds of calendars."""
_SUFFIXES = {"VCALENDAR": ".ics", "VADDRESSBOOK": ".vcf"}


@dataclass(frozen=True, slots=True)
class AccountCollection:
    """A calendar or address book.

    Attributes:
        path: without a slash at either end.
        kind: ``VCALENDAR`` or ``VADDRESSBOOK``.
        title: its name for people.
        group: the group that shares it, or empty.
        components: the kinds of objects that a calendar takes; None for all.
        color: ``#RRGGBB``, or empty.
        count: how many objects it holds.
    """

    path: str
    kind: str
    title: str
    group: str
    components: frozenset[str] | None
    color: str
    count: int

    @property
    def counted(self) -> str:
        """The number of its objects, in words."""
        kinds = tuple(self.components or ())
        one, many = _WORDS.get(kinds[0] if len(kinds) == 1 else self.kind, ("entry", "entries"))
        return f"{self.count} {one if self.count == 1 else many}"


class AccountCollections:
    """The collections in accounts.

    Args:
        database: the store.
        first: the collections that are made in a new home, by name.
        places_of: returns the groups of an account, as their calendars' paths name them.
        commits: receives the homes that are made.
        whole: the cache of whole collections.
    """

    def __init__(
        self,
        database: Database,
        first: Mapping[str, Mapping[str, str]],
        places_of: Callable[[str], Collection[str]],
        commits: CommitEvents,
        whole: CollectionCache,
    ) -> None:
        self._database = database
        self._first = first
        self._places_of = places_of
        self._commits = commits
        self._whole = whole

    def places_of(self, user: str) -> Collection[str]:
        """Return the groups whose calendars are in the account of ``user``."""
        return self._places_of(user)

    def ensure(self, user: str) -> None:
        """Make the home of an account if it does not exist yet."""
        with self._database.read() as connection:
            if collections.find_collection(connection, user) is not None:
                return
        with self._database.write(user) as connection:
            collections.ensure_home(connection, user, self._first)
        self._commits.publish([Change(user, "collection")], user)

    def list_for(self, user: str) -> list[AccountCollection]:
        """Return the calendars and address books of an account, those of its groups last."""
        with self._database.read() as connection:
            rows = [(row, "") for row in collections.list_children(connection, user)]
            for place in sorted(self._places_of(user)):
                shared = collections.list_children(connection, f"{GROUPS}/{place}")
                rows += [(row, place) for row in shared]
            return [_collection(connection, *one) for one in rows if one[0].tag in _SUFFIXES]

    def entries(self, chosen: Collection[AccountCollection]) -> Iterator[ZipEntry]:
        """Yield each collection as a file for an archive; each file is a consistent snapshot."""
        wanted = ((one.group, one.title, _SUFFIXES[one.kind]) for one in chosen)
        for one, name in zip(chosen, file_names(wanted), strict=True):
            row = self._row(one)
            if row is None:
                continue
            with suppress(CollectionGoneError):
                _, file = self._whole.open_whole(row, "")
                with file:
                    length = os.fstat(file.fileno()).st_size
                    changed = datetime.fromtimestamp(row.changed / 1_000_000, UTC)
                    yield ZipEntry(name, changed, length, file)

    def _row(self, source: AccountCollection) -> CollectionRow | None:
        """Return the row of a collection; None if it was deleted meanwhile."""
        with self._database.read() as connection:
            row = collections.find_collection(connection, source.path)
        return row if row and row.tag == source.kind else None


def _collection(connection: Connection, row: CollectionRow, group: str) -> AccountCollection:
    # Apple's programs add an opacity.
    color = _COLOR.match(row.props.get("ICAL:calendar-color", ""))
    title = row.props.get("D:displayname") or row.path.rpartition("/")[2]
    return AccountCollection(
        path=row.path,
        kind=row.tag,
        title=title if len(title) <= _LONGEST_TITLE else f"{title[:_LONGEST_TITLE]}…",
        group=group,
        components=row.components,
        color=color[0] if color else "",
        count=read.count_members(connection, row.id),
    )
