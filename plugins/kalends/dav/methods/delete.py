"""DELETE of an object (RFC 4918 section 9.6)."""

from __future__ import annotations

from http import HTTPStatus

from kalends.adapters.storage import Storage
from kalends.dav import conditional, errors
from kalends.dav.message import Request, Response
from kalends.events import Change
from kalends.store import collections
from kalends.store.objects import write


def delete_object(storage: Storage, request: Request) -> Response | None:
    """Delete the object at a path where the user may write; return None if there is none."""
    above, name = request.split()
    with storage.acquire_lock("w", request.user, path=request.sane):
        connection = storage.connection
        parent = collections.find_collection(connection, above)
        existing = write.find_existing(connection, parent.id, name) if parent else None
        if parent is None or existing is None:
            return None
        if not conditional.holds(request.environ, existing.etag):
            return errors.as_answer(errors.plain(HTTPStatus.PRECONDITION_FAILED))
        write.remove_existing(connection, parent.id, existing)
        storage.record(Change(parent.path, "delete", (name,)))
        storage.prune_tombstones(parent)
    return Response(HTTPStatus.NO_CONTENT)
