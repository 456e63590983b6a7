"""Radicale's collection: a home, calendar or address book of the store."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from radicale import item as radicale_item
from radicale.item import filter as radicale_filter
from radicale.storage import BaseCollection
from sqlalchemy import Connection

from kalends.adapters.item import RadicaleItem, content_of, may_match
from kalends.common.http import http_date
from kalends.common.names import owner_of
from kalends.events import Change
from kalends.feeds.export import StoredText, export_calendar, stream_address_book
from kalends.ical.validate import CalendarObject
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.objects import read, write
from kalends.store.objects.read import ObjectRow
from kalends.store.sync_tokens import ctag_of, parse_sync_token, sync_token_of
from kalends.store.thread_transaction import ThreadTransactions

_log = logging.getLogger("kalends.caldav")


class Collection(BaseCollection):
    """A home, calendar or address book, within the transaction that found it.

    Args:
        transactions: the store's transactions.
        row: the collection.
        removals_kept: the age of sync-tokens that stay valid, microseconds.
    """

    def __init__(
        self, transactions: ThreadTransactions, row: CollectionRow, removals_kept: int
    ) -> None:
        self._transactions = transactions
        self._removals_kept = removals_kept
        self.row = row

    @property
    def _connection(self) -> Connection:
        return self._transactions.connection

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
        return http_date(self.row.changed / 1_000_000)

    def sync(self, old_token: str = "") -> tuple[str, Iterable[str]]:
        """Return the current sync-token, and the names changed since an earlier one (RFC 6578).

        Raises:
            ValueError: the token is not from this store, or too old to know the removals since.
        """
        token = sync_token_of(self.row)
        if not old_token:
            return token, self._hrefs()
        since = parse_sync_token(self.row, old_token).complete
        if since == self.row.modseq:
            return token, ()
        return token, read.hrefs_changed_since(self._connection, self.row.id, since)

    def _hrefs(self) -> Iterator[str]:
        # A generator, so that a poll that needs only the token reads nothing.
        yield from read.hrefs_changed_since(self._connection, self.row.id, 0)

    def get_multi(self, hrefs: Iterable[str]) -> Iterator[tuple[str, RadicaleItem | None]]:
        """Yield the named items; None for a name without one."""
        names = list(dict.fromkeys(hrefs))
        found = {
            row.href: row
            for row in read.objects_named(self._connection, self.row.id, names, data=True)
        }
        for name in names:
            row = found.get(name)
            yield name, self.item(row) if row else None

    def get_all(self) -> Iterator[RadicaleItem]:
        """Yield all items, by href."""
        for row in read.all_objects_by_href(self._connection, self.row.id):
            yield self.item(row)

    def get_filtered(self, filters: Iterable[ET.Element]) -> Iterator[tuple[RadicaleItem, bool]]:
        """Yield the items that can match, each with True if it is known to match.

        The index finds at least all matches; a row that lies entirely within the range needs no
        further evaluation.
        """
        if not self.tag:
            return
        filters = list(filters)
        component, start, end, simple = radicale_filter.simplify_prefilters(filters, self.tag)
        lower = None if start <= radicale_filter.TIMESTAMP_MIN else start
        upper = None if end >= radicale_filter.TIMESTAMP_MAX else end
        whole = lower is None and upper is None
        rows = read.objects_between(self._connection, self.row.id, component, lower, upper)
        for row, inside in rows:
            item = self.item(row)
            if (simple and (whole or inside)) or may_match(item, filters, self.tag):
                yield item, True

    def has_uid(self, uid: str) -> bool:
        """Return True if an item has this UID."""
        return read.find_href_by_uid(self._connection, self.row.id, uid) is not None

    def upload(
        self, href: str, item: radicale_item.Item
    ) -> tuple[RadicaleItem, RadicaleItem | None]:
        """Store an item that Radicale made; a client's PUT goes through ``put``.

        Raises:
            ValueError: its text may not be stored.
        """
        old = read.get_object(self._connection, self.row.id, href)
        stored = self.put(href, content_of(item, self.tag))
        return stored, self.item(old) if old else None

    def put(self, href: str, content: CalendarObject) -> RadicaleItem:
        """Store checked content under ``href``."""
        write.put_object(self._connection, self.row.id, href, content)
        self._transactions.record(Change(self.path, "put", (href,)))
        self._reload()
        row = read.get_object(self._connection, self.row.id, href)
        assert row is not None
        return self.item(row)

    def delete(self, href: str | None = None) -> None:
        """Delete the item called ``href``, or the collection with all its members.

        Raises:
            ComponentNotFoundError: the item does not exist.
        """
        if href is None:
            collections.remove_collection(self._connection, self.row.path)
            self._transactions.record(Change(self.path, "collection"))
        elif write.remove_object(self._connection, self.row.id, href):
            self._transactions.record(Change(self.path, "delete", (href,)))
            before = collections.now_microseconds() - self._removals_kept
            write.prune_tombstones(self._connection, self.row.id, before)
            self._reload()

    @overload
    def get_meta(self, key: None = None) -> Mapping[str, str]: ...
    @overload
    def get_meta(self, key: str) -> str | None: ...
    def get_meta(self, key: str | None = None) -> Mapping[str, str] | str | None:
        """Return the property ``key`` under Radicale's short name, or all of them."""
        return self.row.props if key is None else self.row.props.get(key)

    def set_meta(self, props: Mapping[str, str]) -> None:
        """Replace all properties."""
        if dict(props) != dict(self.row.props):
            collections.set_props(self._connection, self.row.id, props)
            self._transactions.record(Change(self.path, "collection"))
            self._reload()

    def serialize(self, *args: Any, **kwargs: Any) -> str:
        """Return the whole collection as one file, without objects that nobody can read."""
        rows = read.all_objects_by_href(self._connection, self.row.id)
        texts = [StoredText(row.href, row.data) for row in rows]
        if self.tag == "VCALENDAR":
            name = self.row.props.get("D:displayname", "")
            description = self.row.props.get("C:calendar-description", "")
            return export_calendar(texts, name, description, self._left_out).decode("utf-8")
        return b"".join(stream_address_book(texts, self._left_out)).decode("utf-8")

    def _left_out(self, name: str, why: str) -> None:
        _log.warning("/%s/%s: left out of the whole collection: %s", self.path, name, why)

    def item(self, row: ObjectRow) -> RadicaleItem:
        """Return a row as Radicale's item."""
        return RadicaleItem(
            collection=self,
            href=row.href,
            last_modified=http_date(row.changed / 1_000_000),
            text=row.data.decode("utf-8", "replace"),
            etag=row.etag,
            uid=row.uid,
            name=row.kind,
            component_name=row.component,
        )

    def _reload(self) -> None:
        row = collections.find_collection(self._connection, self.row.path)
        assert row is not None
        self.row = row
