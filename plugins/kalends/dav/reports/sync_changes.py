"""A sync-collection as data, and the changes of one calendar or address book."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.dav.properties.object import ObjectsView
from kalends.dav.reader import write_all_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.store.objects import read


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """A sync-collection.

    Attributes:
        wanted: the properties to return.
        token: the token of the last one; empty for everything.
        limit: the most changes that the client wants at once (RFC 6578 section 3.7); None for all.
        is_deep: True if the objects of the collections in a home are wanted as well (section 3.3).
    """

    wanted: WantedProperties
    token: str
    limit: int | None = None
    is_deep: bool = False


def write_changes(
    target: ReportTarget, since: int, objects: ObjectsView, buffer: ResponseBuffer
) -> None:
    """Write the objects that were stored or removed after a change number.

    Args:
        target: the calendar or address book.
        since: the change number; 0 for all objects and no removals.
        objects: the view of its objects.
        buffer: receives the responses.
    """
    connection, row = target.connection, target.view.row
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
