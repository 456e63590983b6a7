"""DELETE of an object (RFC 4918 section 9.6)."""

from __future__ import annotations

from http import HTTPStatus

from kalends.dav import conditional, errors
from kalends.dav.context import Writing
from kalends.dav.message import Response
from kalends.events import Change
from kalends.store import collections
from kalends.store.objects import write


def delete(call: Writing) -> Response:
    """Delete an object."""
    storage, resource = call.context.storage, call.resource
    above = resource.collection.path
    with storage.acquire_lock("w", resource.user, path=resource.path):
        connection = storage.connection
        parent = collections.find_collection(connection, above)
        existing = write.find_existing(connection, parent.id, resource.name) if parent else None
        if parent is None or existing is None:
            return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
        if not conditional.holds(call.request.environ, existing.etag):
            return errors.as_answer(errors.plain(HTTPStatus.PRECONDITION_FAILED))
        write.remove_existing(connection, parent.id, existing)
        storage.record(Change(parent.path, "delete", (resource.name,)))
        storage.prune_tombstones(parent)
    return Response(HTTPStatus.NO_CONTENT)
