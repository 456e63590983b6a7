"""The changes of the objects of one collection, for sync-collection (RFC 6578 section 3.2)."""

from __future__ import annotations

import sys

from kalends.dav.properties.object import ObjectsView
from kalends.dav.reader import write_all_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.store.objects import read
from kalends.store.objects.changes import REMOVED, SyncPoint, changes_after, without_replaced

NOTHING = SyncPoint(0)
"""The place before all changes: who knows nothing is told of no removals."""

_BATCH = 50  # objects may be large


def write_objects(
    target: ReportTarget,
    wanted: WantedProperties,
    since: SyncPoint,
    limit: int | None,
    buffer: ResponseBuffer,
) -> tuple[SyncPoint, int]:
    """Write the objects of a calendar or address book that have changed or were removed.

    Args:
        target: the collection.
        wanted: the properties to return.
        since: the last change that the client knows.
        limit: the most changes that it wants; None for all.
        buffer: receives the responses.

    Returns:
        The last change that it knows then, and how many of the limit were used.
    """
    objects = target.objects(wanted, target.zone(), is_query=False)
    if limit is not None or since.kind <= REMOVED:
        return _write_some(target, since, sys.maxsize if limit is None else limit, objects, buffer)
    _write_all(target, since, objects, buffer)
    return SyncPoint(target.view.row.modseq), 0


def _write_all(
    target: ReportTarget, since: SyncPoint, objects: ObjectsView, buffer: ResponseBuffer
) -> None:
    connection, row = target.connection, target.view.row
    if since == NOTHING:
        write_all_objects(connection, target.view, objects, buffer)
        return
    if since.modseq == row.modseq:
        return
    changed = set()
    number, data = since.modseq, objects.needs_data
    for found in read.objects_changed_since(connection, row.id, number, data=data):
        changed.add(found.href)
        buffer.write(objects.response(found))
    for name in read.hrefs_removed_since(connection, row.id, number):
        if name not in changed:
            buffer.write(write.not_found(objects.path(name)))


def _write_some(
    target: ReportTarget,
    since: SyncPoint,
    limit: int,
    objects: ObjectsView,
    buffer: ResponseBuffer,
) -> tuple[SyncPoint, int]:
    connection, row = target.connection, target.view.row
    left, point = limit, since
    while left:
        some = min(left, _BATCH)
        found = changes_after(connection, row.id, point, some, data=objects.needs_data)
        if not found:
            break
        for change in without_replaced(connection, row.id, found):
            if change.row is not None:
                buffer.write(objects.response(change.row))
            elif since != NOTHING:
                buffer.write(write.not_found(objects.path(change.href)))
        left -= len(found)
        point = found[-1].point
    if left or not changes_after(connection, row.id, point, 1, data=False):
        point = SyncPoint(row.modseq)
    return point, limit - left
