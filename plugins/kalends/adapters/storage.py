"""Radicale's storage interface on the store: ``[storage] type = kalends.storage``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from radicale import config, pathutils, types
from radicale import item as radicale_item
from radicale.storage import BaseCollection
from sqlalchemy import Connection

from kalends.adapters.collection import Collection
from kalends.adapters.item import content_of
from kalends.adapters.radicale_compat import StorageBase
from kalends.common.names import GROUPS
from kalends.events import Change, CommitEvents
from kalends.store import collections, integrity
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database
from kalends.store.objects import read, relocate, write
from kalends.store.thread_transaction import ReadTransaction, ThreadTransactions


class Storage(StorageBase):
    """The store as Radicale's storage; ``acquire_lock`` opens the transaction of all methods.

    Args:
        configuration: Radicale's.
        database: the database, migrated.
        commits: publishes each committed write, outside the transaction.
    """

    collection_type: type[Collection] = Collection
    """The class of the collections that are found."""

    def __init__(
        self, configuration: config.Configuration, database: Database, commits: CommitEvents
    ) -> None:
        super().__init__(configuration)
        self.database = database
        self._removals_kept = configuration.get("storage", "max_sync_token_age") * 1_000_000
        self._first_collections = configuration.get("storage", "predefined_collections")
        self._first_group_collections = configuration.get("storage", "group_collections")
        self._most_collections = configuration.get("storage", "max_collections")
        self._transactions = ThreadTransactions(database, commits)

    @property
    def connection(self) -> Connection:
        """The connection of this thread's transaction.

        Raises:
            RuntimeError: the thread is not in a transaction.
        """
        return self._transactions.connection

    def collection(self, row: CollectionRow) -> Collection:
        """Return a collection of the store as Radicale's."""
        return self.collection_type(self._transactions, row, self._removals_kept)

    def snapshot(self) -> ReadTransaction:
        """Return a context with a read snapshot, or with this thread's transaction."""
        return self._transactions.snapshot()

    @contextmanager
    def acquire_lock(
        self, mode: str, user: str = "", *args: object, **kwargs: str
    ) -> Iterator[None]:
        """Open a read snapshot (``r``), or a write transaction (``w``) that locks these homes.

        A snapshot within a transaction is that transaction.

        Args:
            mode: ``r`` or ``w``.
            user: the user; their home is locked if no path is given.
            args: ignored.
            kwargs: ``path`` of the resource, ``to_path`` of the target of a MOVE.
        """
        if mode != "w":
            with self._transactions.snapshot():
                yield
            return
        paths = (kwargs.get("path") or user, kwargs.get("to_path"))
        with self._transactions.write(user or None, *(path for path in paths if path)):
            yield

    def record(self, change: Change) -> None:
        """Record a change of this thread's write transaction."""
        self._transactions.record(change)

    def discover(
        self,
        path: str,
        depth: str = "0",
        child_context_manager: Callable[[str, str | None], AbstractContextManager[None]]
        | None = None,
        user_groups: set[str] = frozenset(),  # type: ignore[assignment] # never changed
    ) -> Iterator[types.CollectionOrItem]:
        """Yield the resource at ``path``, and with a depth other than 0 its direct members.

        Args:
            path: the path.
            depth: ``0``, or anything else for the members too.
            child_context_manager: wraps the yield of each member.
            user_groups: the homes of groups whose calendars appear in the user's home as well.
        """
        context = child_context_manager or _no_context
        sane = pathutils.strip_path(path)
        row = collections.find_collection(self.connection, sane)
        if row is None:
            yield from self._root_or_item(sane)
            return
        found = self.collection(row)
        yield found
        if depth == "0":
            return
        for object_row in read.all_objects_by_href(self.connection, row.id):
            with context(sane, object_row.href):
                yield found.item(object_row)
        for child in collections.list_children(self.connection, sane):
            with context(child.path, None):
                yield self.collection(child)
        # Clients look for calendars in the user's home alone, so its groups' are listed there too.
        for place in sorted(user_groups) if sane and "/" not in sane else ():
            for shared in collections.list_children(self.connection, f"{GROUPS}/{place}"):
                with context(shared.path, None):
                    yield self.collection(shared)

    def _root_or_item(self, sane: str) -> Iterator[types.CollectionOrItem]:
        if not sane:
            yield self.collection(collections.UNWRITTEN_ROOT)
            return
        parent, _, href = sane.rpartition("/")
        row = collections.find_collection(self.connection, parent)
        item = read.get_object(self.connection, row.id, href) if row else None
        if row and item:
            yield self.collection(row).item(item)

    def move(self, item: radicale_item.Item, to_collection: BaseCollection, to_href: str) -> None:
        """Move an item to another href, replacing an item that is there."""
        source, target = item.collection, to_collection
        assert isinstance(source, Collection)
        assert isinstance(target, Collection)
        assert item.href is not None
        relocate.move_object(self.connection, source.row.id, item.href, target.row.id, to_href)
        self.record(Change(source.path, "move", (item.href,)))
        self.record(Change(target.path, "move", (to_href,)))

    def create_collection(
        self,
        href: str,
        items: Iterable[radicale_item.Item] | None = None,
        props: Mapping[str, str] | None = None,
    ) -> tuple[Collection, dict[str, radicale_item.Item], list[str]]:
        """Create a collection, or with ``props`` replace it and all its members.

        Args:
            href: the path.
            items: the members.
            props: the properties.

        Returns:
            the collection, the items that were replaced by href, and the hrefs that are new.

        Raises:
            ValueError: an item may not be stored.
            HomeFullError: the home has as many collections as it may have.
        """
        sane = pathutils.strip_path(href)
        row = collections.find_collection(self.connection, sane)
        if row is not None and not props:
            return self.collection(row), {}, []
        replaced: dict[str, radicale_item.Item] = {}
        if row is not None:
            old = self.collection(row)
            replaced = {item.href: item for item in old.get_all() if item.href}
            collections.remove_collection(self.connection, sane)
        made = self.collection(self.create(sane, props or {}))
        self.record(Change(sane, "collection"))
        hrefs = [self._fill(made, item) for item in items or () if made.tag]
        return (
            made,
            {h: i for h, i in replaced.items() if h in hrefs},
            [h for h in hrefs if h not in replaced],
        )

    def create(self, path: str, props: Mapping[str, str]) -> CollectionRow:
        """Create a collection that a client asks for, in this thread's write transaction.

        Args:
            path: its path, without a slash at either end.
            props: its properties.

        Raises:
            HomeFullError: the home has as many collections as it may have.
        """
        self.require_room(path)
        return collections.create_collection(self.connection, path, props)

    def require_room(self, path: str) -> None:
        """Refuse another collection in a home that has the most that it may have.

        Args:
            path: the path of the new collection.

        Raises:
            HomeFullError: the home has them already.
        """
        collections.require_room(self.connection, path, self._most_collections)

    def _fill(self, made: Collection, item: radicale_item.Item) -> str:
        content = content_of(item, made.tag)
        href = item.href or write.free_href(self.connection, made.row.id, content)
        made.put(href, content)
        return href

    def ensure_home(self, user: str) -> None:
        """Create the home of an account with its first collections, if it has none.

        Raises:
            StoreFullError: the disk is full.
        """
        with self.acquire_lock("w", user, path=user):
            if collections.find_collection(self.connection, user) is None:
                collections.ensure_home(self.connection, user, self._first_collections)
                for path in (user, *(f"{user}/{name}" for name in self._first_collections)):
                    self.record(Change(path, "collection"))

    def ensure_group(self, name: str, user: str) -> str:
        """Create the home of a group with its first collections, if it has none.

        Args:
            name: the group's name.
            user: the first member.

        Returns:
            the last segment of its path, which may be in another ASCII case than the name.

        Raises:
            StoreFullError: the disk is full.
        """
        with self.database.read() as connection:
            place = collections.group_segment(connection, name)
        if place is None:
            with self.acquire_lock("w", user, path=f"{GROUPS}/{name}"):
                place = collections.group_segment(self.connection, name)
                if place is None:  # else another worker was faster
                    place = collections.ensure_group(
                        self.connection, name, self._first_group_collections
                    )
                    self.record(Change(f"{GROUPS}/{place}", "collection"))
        return place

    def verify(self) -> bool:
        """Return True if the database is intact and every object agrees with its row."""
        with self.acquire_lock("r"):
            return not list(integrity.check_store(self.connection))

    def prune_tombstones(self, row: CollectionRow) -> None:
        """Delete the records of removals in a collection whose sync-tokens have expired."""
        write.prune_tombstones(
            self.connection, row.id, collections.now_microseconds() - self._removals_kept
        )


def _no_context(_path: str, _href: str | None) -> AbstractContextManager[None]:
    return nullcontext()
