"""sync-collection: the changes of a collection since a token (RFC 6578 section 3.2)."""

from __future__ import annotations

from sqlalchemy import Connection

from kalends.dav.properties.collection import CollectionView
from kalends.dav.properties.object import ObjectsView
from kalends.dav.reader import write_all_objects
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.requests import SyncCollection
from kalends.store.objects import read
from kalends.store.sync_tokens import parse_sync_token, sync_token_of


def write_sync_collection(
    connection: Connection,
    view: CollectionView,
    objects: ObjectsView,
    asked: SyncCollection,
    buffer: ResponseBuffer,
) -> bool:
    """Write the changed and removed objects, and the new token; False leaves it to Radicale."""
    if view.row.tag not in ("VCALENDAR", "VADDRESSBOOK"):
        return False
    try:
        since = parse_sync_token(view.row, asked.token) if asked.token else 0
    except ValueError:
        return False
    if since == 0:
        write_all_objects(connection, view, objects, buffer)
    elif since < view.row.modseq:
        changed = set()
        for row in read.objects_changed_since(
            connection, view.row.id, since, data=objects.needs_data
        ):
            changed.add(row.href)
            buffer.write(objects.response(row))
        for name in read.hrefs_removed_since(connection, view.row.id, since):
            if name not in changed:
                buffer.write(write.not_found(objects.path(name)))
    buffer.write(f"<sync-token>{sync_token_of(view.row)}</sync-token>")
    return True
