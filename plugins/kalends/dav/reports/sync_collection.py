"""sync-collection: the changes of a collection since a token (RFC 6578 section 3.2)."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.properties.object import ObjectsView
from kalends.dav.reports.sync_changes import SyncCollection, write_changes
from kalends.dav.reports.sync_home import write_sync_home
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.store.objects.changes import REMOVED, SyncPoint, changes_after, without_replaced
from kalends.store.sync_tokens import parse_sync_token, sync_token_of

_TOKEN, _LEVEL = make_clark("D:sync-token"), make_clark("D:sync-level")
_RESULTS = f"{make_clark('D:limit')}/{make_clark('D:nresults')}"
_BATCH = 50  # objects may be large


def read_sync_collection(root: ET.Element) -> SyncCollection:
    """Read a sync-collection.

    Args:
        root: the ``sync-collection`` element.

    Raises:
        ReportRefusedError: the data is wanted in an unsupported form.
        BodyRefusedError: the level, or the form of the data, is invalid.
    """
    level = (root.findtext(_LEVEL) or "1").strip()
    if level not in ("1", "infinite"):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "sync-level is neither 1 nor infinite.")
    limit = root.findtext(_RESULTS)
    number = None if limit is None else limit.strip()
    if number is not None and not (number.isascii() and number.isdigit() and number.strip("0")):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "nresults is not a number above 0")
    most = None if number is None else int(number[:18])
    token, is_deep = (root.findtext(_TOKEN) or "").strip(), level == "infinite"
    return SyncCollection(read_wanted(root), token, most, is_deep)


def write_sync_collection(
    target: ReportTarget, asked: SyncCollection, buffer: ResponseBuffer
) -> None:
    """Write the changed and removed objects, and the new token."""
    row = target.view.row
    if not row.tag:
        write_sync_home(target, asked, buffer)
        return
    try:
        since = parse_sync_token(row, asked.token) if asked.token else SyncPoint(0)
    except ValueError as error:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is not known") from error
    objects = target.objects(asked.wanted, target.zone(), is_query=False)
    if asked.limit is not None or since.kind <= REMOVED:
        _write_some(target, asked, since, objects, buffer)
        return
    write_changes(target, since.modseq, objects, buffer)
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
