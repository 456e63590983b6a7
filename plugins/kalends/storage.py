"""Radicale's storage interface on the store: ``[storage] type = kalends.storage``."""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from email.utils import formatdate
from pathlib import Path
from types import TracebackType
from typing import Any, overload

from radicale import config, pathutils, types
from radicale import item as radicale_item
from radicale.item import filter as radicale_filter
from radicale.storage import BaseCollection, BaseStorage
from sqlalchemy import Connection

from kalends.icsfeed.whole import card_pieces, whole_calendar
from kalends.items import Item, content_of, may_match
from kalends.names import GROUPS, owner_of
from kalends.store import changes, collections, objects, verify
from kalends.store.changes import Content
from kalends.store.collections import CollectionRow
from kalends.store.engine import Database, open_database
from kalends.store.migrate import migrate
from kalends.store.objects import ObjectRow
from kalends.store.synctokens import ctag_of, modseq_of, token_of


class Collection(BaseCollection):
    """A home, calendar or address book, within the transaction that found it."""

    def __init__(self, storage: Storage, row: CollectionRow) -> None:
        self._storage = storage
        self.row = row

    @property
    def _connection(self) -> Connection:
        return self._storage.connection

    @property
    def path(self) -> str:
        """The path without a slash at either end."""
        return self.row.path

    @property
    def owner(self) -> str:
        """The account, or the place of the group, that it belongs to."""
        return owner_of(self.row.path)

    @property
    def etag(self) -> str:
        """The ctag: it changes with every change of the collection."""
        return ctag_of(self.row)

    @property
    def tag(self) -> str:
        """``VCALENDAR``, ``VADDRESSBOOK``, ``VSUBSCRIBED`` or empty."""
        return self.row.tag

    @property
    def last_modified(self) -> str:
        """The time of the last change as an HTTP date."""
        return _http_date(self.row.changed)

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """The current sync-token, and the names that changed since an earlier one (RFC 6578).

        Raises:
            ValueError: the token is none of ours, or too old to know what was removed since.
        """
        token = token_of(self.row)
        if not old_token:
            return token, self._hrefs()
        since = modseq_of(self.row, old_token)
        if since == self.row.modseq:
            return token, ()
        return token, objects.hrefs_since(self._connection, self.row.id, since)

    def _hrefs(self) -> Iterator[str]:
        # Nothing is read where only the token was asked for, as on every poll.
        yield from objects.hrefs_since(self._connection, self.row.id, 0)

    def get_multi(self, hrefs: Iterable[str]) -> Iterator[tuple[str, Item | None]]:
        """The named items; None for a name at which nothing stands."""
        names = list(dict.fromkeys(hrefs))
        found = {row.href: row for row in objects.get_many(self._connection, self.row.id, names)}
        for name in names:
            row = found.get(name)
            yield name, self.item(row) if row else None

    def get_all(self) -> Iterator[Item]:
        """All items, by href."""
        for row in objects.every(self._connection, self.row.id):
            yield self.item(row)

    def get_filtered(self, filters: Iterable[ET.Element]) -> Iterator[tuple[Item, bool]]:
        """The items that can match, each with whether it is known to match.

        The index holds at least what matches; a row that lies within the range as a whole needs no
        second look.
        """
        if not self.tag:
            return
        filters = list(filters)
        component, start, end, simple = radicale_filter.simplify_prefilters(filters, self.tag)
        lower = None if start <= radicale_filter.TIMESTAMP_MIN else start
        upper = None if end >= radicale_filter.TIMESTAMP_MAX else end
        whole = lower is None and upper is None
        for row in objects.between(self._connection, self.row.id, component, lower, upper):
            inside = (
                row.first_start is not None
                and row.last_end is not None
                and start <= row.first_start
                and row.last_end <= end
            )
            item = self.item(row)
            if (simple and (whole or inside)) or may_match(item, filters, self.tag):
                yield item, True

    def has_uid(self, uid: str) -> bool:
        """Whether an item has this UID."""
        return objects.find_uid(self._connection, self.row.id, uid) is not None

    def upload(self, href: str, item: radicale_item.Item) -> tuple[Item, Item | None]:
        """Store an item that Radicale made; what clients PUT goes through ``put``.

        Raises:
            ValueError: its text is not what may be stored.
        """
        old = objects.get(self._connection, self.row.id, href)
        stored = self.put(href, content_of(item, self.tag))
        return stored, self.item(old) if old else None

    def put(self, href: str, content: Content) -> Item:
        """Store checked content under ``href``."""
        changes.put(self._connection, self.row.id, href, content)
        self._reload()
        row = objects.get(self._connection, self.row.id, href)
        assert row is not None
        return self.item(row)

    def delete(self, href: str | None = None) -> None:
        """Delete the item called ``href``, or the collection with all that is in it.

        Raises:
            ComponentNotFoundError: there is no such item.
        """
        if href is None:
            collections.remove(self._connection, self.row.path)
        elif changes.remove(self._connection, self.row.id, href):
            self._storage.forget_removals(self.row)
            self._reload()

    @overload
    def get_meta(self, key: None = None) -> Mapping[str, str]: ...
    @overload
    def get_meta(self, key: str) -> str | None: ...
    def get_meta(self, key: str | None = None) -> Mapping[str, str] | str | None:
        """The property ``key`` under Radicale's short name, or all of them."""
        return self.row.props if key is None else self.row.props.get(key)

    def set_meta(self, props: Mapping[str, str]) -> None:
        """Replace all properties."""
        if dict(props) != dict(self.row.props):
            collections.set_props(self._connection, self.row.id, props)
            self._reload()

    def serialize(self, *args: Any, **kwargs: Any) -> str:
        """The whole collection as one file, every object as it was stored."""
        data = [row.data for row in objects.every(self._connection, self.row.id)]
        if self.tag == "VCALENDAR":
            name = self.row.props.get("D:displayname", "")
            description = self.row.props.get("C:calendar-description", "")
            return whole_calendar(data, name, description).decode("utf-8")
        return b"".join(card_pieces(data)).decode("utf-8")

    def item(self, row: ObjectRow) -> Item:
        """A row as Radicale's item."""
        return Item(
            collection=self,
            href=row.href,
            last_modified=_http_date(row.changed),
            text=row.data.decode("utf-8"),
            etag=row.etag,
            uid=row.uid,
            name=row.kind,
            component_name=row.component,
        )

    def _reload(self) -> None:
        row = collections.find(self._connection, self.row.path)
        assert row is not None
        self.row = row


class Snapshot:
    """One moment of the store, for as long as the block: a context manager without a generator."""

    __slots__ = ("_current", "_database", "_opened")

    def __init__(self, database: Database, current: threading.local) -> None:
        self._database = database
        self._current = current
        self._opened: AbstractContextManager[Connection] | None = None

    def __enter__(self) -> Connection:
        connection: Connection | None = getattr(self._current, "connection", None)
        if connection is None:
            opened = self._database.read()
            connection = opened.__enter__()
            self._opened = opened
            self._current.connection = connection
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            self._current.connection = None
            self._opened.__exit__(kind, error, trace)


class Storage(BaseStorage):
    """The whole store; ``acquire_lock`` opens the transaction that everything else works in."""

    _is_collision_free = True
    _supports_unicode = True
    _supports_trailing_whitespace = True
    _supports_problematic_chars = True

    def __init__(self, configuration: config.Configuration) -> None:
        super().__init__(configuration)
        self.database = open_database(configuration.get("storage", "database"))
        own = configuration.get("auth", "nonce_folder") or (
            configuration.get("kalends", "feeds") and configuration.get("kalends", "feeds_folder")
        )
        migrate(self.database, Path(own).expanduser() if own else None)
        self._removals_kept = configuration.get("storage", "max_sync_token_age") * 1_000_000
        self._first_group_collections = configuration.get("storage", "group_collections")
        self._current = threading.local()
        self.after_commit: Callable[[], None] = _nothing
        """Called after every write that was committed, outside of the transaction."""

    @property
    def connection(self) -> Connection:
        """The connection of the transaction that this thread is in."""
        connection: Connection | None = getattr(self._current, "connection", None)
        if connection is None:
            raise RuntimeError("the storage is used outside of acquire_lock")
        return connection

    def snapshot(self) -> Snapshot:
        """A read snapshot as a context, or the transaction that this thread is in."""
        return Snapshot(self.database, self._current)

    @contextmanager
    def acquire_lock(
        self, mode: str, user: str = "", *args: object, **kwargs: str
    ) -> Iterator[None]:
        """A read snapshot (``r``), or a write transaction (``w``) that has these homes to itself.

        A snapshot within a transaction is that transaction.

        Args:
            user: whose home it is about, where no path is given.
            kwargs: ``path`` of what it is about, ``to_path`` of the target of a MOVE.
        """
        if getattr(self._current, "connection", None) is not None:
            if mode != "r":
                raise RuntimeError("a write began within another transaction")
            yield
            return
        with self._transaction(mode, user, kwargs) as connection:
            self._current.connection = connection
            try:
                yield
            finally:
                self._current.connection = None
        if mode == "w":
            self.after_commit()

    def _transaction(
        self, mode: str, user: str, about: Mapping[str, str]
    ) -> AbstractContextManager[Connection]:
        if mode != "w":
            return self.database.read()
        paths = (about.get("path") or user, about.get("to_path"))
        return self.database.write(*(path for path in paths if path))

    def discover(
        self,
        path: str,
        depth: str = "0",
        child_context_manager: Callable[[str, str | None], AbstractContextManager[None]]
        | None = None,
        user_groups: set[str] = frozenset(),  # type: ignore[assignment] # never changed
    ) -> Iterator[types.CollectionOrItem]:
        """What stands at ``path``, and with a depth other than 0 what is directly in it.

        Args:
            user_groups: the places of groups whose calendars appear in the user's home as well.
        """
        context = child_context_manager or _no_context
        sane = pathutils.strip_path(path)
        row = collections.find(self.connection, sane)
        if row is None:
            yield from self._root_or_item(sane)
            return
        found = Collection(self, row)
        yield found
        if depth == "0":
            return
        for object_row in objects.every(self.connection, row.id):
            with context(sane, object_row.href):
                yield found.item(object_row)
        for child in collections.children(self.connection, sane):
            with context(child.path, None):
                yield Collection(self, child)
        # A client looks for calendars in its user's home alone: there its groups' are listed too.
        for place in sorted(user_groups) if sane and "/" not in sane else ():
            for shared in collections.children(self.connection, f"{GROUPS}/{place}"):
                with context(shared.path, None):
                    yield Collection(self, shared)

    def _root_or_item(self, sane: str) -> Iterator[types.CollectionOrItem]:
        if not sane:
            yield Collection(self, collections.UNWRITTEN_ROOT)
            return
        parent, _, href = sane.rpartition("/")
        row = collections.find(self.connection, parent)
        item = objects.get(self.connection, row.id, href) if row else None
        if row and item:
            yield Collection(self, row).item(item)

    def move(self, item: radicale_item.Item, to_collection: BaseCollection, to_href: str) -> None:
        """Bring an item to another place, over whatever stands there."""
        source, target = item.collection, to_collection
        assert isinstance(source, Collection)
        assert isinstance(target, Collection)
        assert item.href is not None
        row = objects.get(self.connection, source.row.id, item.href)
        assert row is not None
        changes.move(self.connection, row, target.row.id, to_href)

    def create_collection(
        self,
        href: str,
        items: Iterable[radicale_item.Item] | None = None,
        props: Mapping[str, str] | None = None,
    ) -> tuple[Collection, dict[str, radicale_item.Item], list[str]]:
        """Make a collection, or with ``props`` replace it and all that is in it.

        Returns:
            the collection, the items that were replaced by href, and the hrefs that are new.

        Raises:
            ValueError: an item is not what may be stored.
        """
        sane = pathutils.strip_path(href)
        row = collections.find(self.connection, sane)
        if row is not None and not props:
            return Collection(self, row), {}, []
        replaced: dict[str, radicale_item.Item] = {}
        if row is not None:
            old = Collection(self, row)
            replaced = {item.href: item for item in old.get_all() if item.href}
            collections.remove(self.connection, sane)
        made = Collection(self, collections.create(self.connection, sane, props or {}))
        hrefs = [self._fill(made, item) for item in items or () if made.tag]
        return (
            made,
            {h: i for h, i in replaced.items() if h in hrefs},
            [h for h in hrefs if h not in replaced],
        )

    def _fill(self, made: Collection, item: radicale_item.Item) -> str:
        content = content_of(item, made.tag)
        href = item.href or changes.free_href(self.connection, made.row.id, content)
        made.put(href, content)
        return href

    def ensure_group(self, name: str) -> str:
        """Make the place of a group, with the calendars that it begins with, if it has none.

        Returns:
            the last segment of its place, which may be in another ASCII case than the name.

        Raises:
            StoreFullError: there is no room for it.
        """
        with self.database.read() as connection:
            place = collections.group_place(connection, name)
        if place is None:
            with self.acquire_lock("w", path=f"{GROUPS}/{name}"):
                place = collections.ensure_group(
                    self.connection, name, self._first_group_collections
                )
        return place

    def verify(self) -> bool:
        """Whether the database is whole and every object is what its row says."""
        with self.acquire_lock("r"):
            return not list(verify.problems(self.connection))

    def forget_removals(self, row: CollectionRow) -> None:
        """Forget the removals in a collection for which sync-tokens have expired."""
        changes.forget_removals(self.connection, row.id, collections.now() - self._removals_kept)


def _http_date(microseconds: int) -> str:
    return formatdate(microseconds / 1_000_000, usegmt=True)


def _no_context(_path: str, _href: str | None) -> AbstractContextManager[None]:
    return nullcontext()


def _nothing() -> None:
    """No one is told."""
