"""sync-collection: the changes of a collection since a token (RFC 6578 section 3.2)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.reader import write_all_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.store.objects import read
from kalends.store.sync_tokens import parse_sync_token, sync_token_of

_TOKEN, _LEVEL = make_clark("D:sync-token"), make_clark("D:sync-level")


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """A sync-collection.

    Attributes:
        wanted: the properties to return.
        token: the token of the last one; empty for everything.
    """

    wanted: WantedProperties
    token: str


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
    return SyncCollection(read_wanted(root), (root.findtext(_TOKEN) or "").strip())


def write_sync_collection(
    target: ReportTarget, asked: SyncCollection, buffer: ResponseBuffer
) -> None:
    """Write the changed and removed objects, and the new token."""
    connection, row = target.connection, target.view.row
    if target.name is not None:
        raise ReportRefusedError("D:supported-report", "an object has no members")
    try:
        since = parse_sync_token(row, asked.token) if asked.token else 0
    except ValueError as error:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is not known") from error
    objects = target.objects(asked.wanted, target.zone(), is_query=False)
    if since == 0:
        write_all_objects(connection, target.view, objects, buffer)
    elif since < row.modseq:
        changed = set()
        for found in read.objects_changed_since(connection, row.id, since, data=objects.needs_data):
            changed.add(found.href)
            buffer.write(objects.response(found))
        for name in read.hrefs_removed_since(connection, row.id, since):
            if name not in changed:
                buffer.write(write.not_found(objects.path(name)))
    buffer.write(f"<sync-token>{sync_token_of(row)}</sync-token>")
