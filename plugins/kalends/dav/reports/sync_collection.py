"""sync-collection: the changes of a collection since a token (RFC 6578 section 3.2)."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.properties.object import ObjectsView
from kalends.dav.reader import write_all_objects
from kalends.dav.reports.sync_home import write_sync_home
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.store.objects import read
from kalends.store.objects.changes import REMOVED, SyncPoint, changes_after, without_replaced
from kalends.store.sync_tokens import parse_sync_token, sync_token_of

_TOKEN, _LEVEL = make_clark("D:sync-token"), make_clark("D:sync-level")
_RESULTS = f"{make_clark('D:limit')}/{make_clark('D:nresults')}"
_BATCH = 50  # objects may be large


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """A sync-collection.

    Attributes:
        wanted: the properties to return.
        token: the token of the last one; empty for everything.
        limit: the most changes that the client wants at once (RFC 6578 section 3.7); None for all.
    """

    wanted: WantedProperties
    token: str
    limit: int | None = None


def read_sync_collection(root: ET.Element) -> SyncCollection:
    """Read a sync-collection.

    Args:
        root: the ``sync-collection`` element.

    Raises:
        ReportRefusedError: it is for all levels (RFC 6578 section 3.3), or the data is wanted in an
            unsupported form.
        BodyRefusedError: the level, or the form of the data, is invalid.
    """
    level = (root.findtext(_LEVEL) or "1").strip()
    if level == "infinite":
        why = "a collection is synchronised without those in it"
        raise ReportRefusedError("D:sync-traversal-supported", why)
    if level != "1":
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "sync-level is neither 1 nor infinite.")
    limit = root.findtext(_RESULTS)
    number = None if limit is None else limit.strip()
    if number is not None and not (number.isascii() and number.isdigit() and number.strip("0")):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "nresults is not a number above 0")
    most = None if number is None else int(number[:18])
    return SyncCollection(read_wanted(root), (root.findtext(_TOKEN) or "").strip(), most)


def write_sync_collection(
    target: ReportTarget, asked: SyncCollection, buffer: ResponseBuffer
) -> None:
    """Write the changed and removed objects, and the new token."""
    connection, row = target.connection, target.view.row
    if not row.tag:
        write_sync_home(target, asked.wanted, asked.token, asked.limit, buffer)
        return
    try:
        since = parse_sync_token(row, asked.token) if asked.token else SyncPoint(0)
    except ValueError as error:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is not known") from error
    objects = target.objects(asked.wanted, target.zone(), is_query=False)
    if asked.limit is not None or since.kind <= REMOVED:
        _write_some(target, asked, since, objects, buffer)
        return
    if since.modseq == 0:
        write_all_objects(connection, target.view, objects, buffer)
    elif since.modseq < row.modseq:
        changed = set()
        number, data = since.modseq, objects.needs_data
        for found in read.objects_changed_since(connection, row.id, number, data=data):
            changed.add(found.href)
            buffer.write(objects.response(found))
        for name in read.hrefs_removed_since(connection, row.id, number):
            if name not in changed:
                buffer.write(write.not_found(objects.path(name)))
    buffer.write(f"<sync-token>{sync_token_of(row)}</sync-token>")


def _write_some(
    target: ReportTarget,
    asked: SyncCollection,
    since: SyncPoint,
    objects: ObjectsView,
    buffer: ResponseBuffer,
) -> None:
    """Write as many changes as the client wants, and the token from which the rest comes."""
    connection, row = target.connection, target.view.row
    left = sys.maxsize if asked.limit is None else asked.limit
    point = since
    while left:
        some = min(left, _BATCH)
        found = changes_after(connection, row.id, point, some, data=objects.needs_data)
        if not found:
            break
        for change in without_replaced(connection, row.id, found):
            # A first synchronisation knows nothing that could have been removed.
            if change.row is not None:
                buffer.write(objects.response(change.row))
            elif asked.token:
                buffer.write(write.not_found(objects.path(change.href)))
        left -= len(found)
        point = found[-1].point
    is_cut = not left and bool(changes_after(connection, row.id, point, 1, data=False))
    if is_cut:
        buffer.write(write.truncated(target.view.asked.prefix + target.view.path))
    token = sync_token_of(row, point if is_cut else None)
    buffer.write(f"<sync-token>{token}</sync-token>")
