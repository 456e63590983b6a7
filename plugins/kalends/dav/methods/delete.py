"""DELETE of an object, or of a collection with all in it (RFC 4918 section 9.6)."""

from __future__ import annotations

from http import HTTPStatus

from kalends.dav import errors
from kalends.dav.context import Writing
from kalends.dav.message import Response
from kalends.errors import HeaderRefusedError
from kalends.events import Change
from kalends.store import collections
from kalends.store.objects import write


def delete(call: Writing) -> Response:
    """Delete an object, or a collection with all in it.

    Raises:
        HeaderRefusedError: a collection cannot be deleted without its members (400).
    """
    if call.resource.row is None:
        return _delete_object(call)
    if (call.request.header("HTTP_DEPTH") or "infinity").lower() != "infinity":
        why = "a collection is deleted at Depth infinity alone"
        raise HeaderRefusedError(HTTPStatus.BAD_REQUEST, why)
    if not call.context.limits.permit_delete_collection:
        why = "the configuration lets no program delete a collection"
        return errors.as_answer(errors.precondition(HTTPStatus.FORBIDDEN, None, why))
    return _delete_collection(call)


def _delete_object(call: Writing) -> Response:
    storage = call.context.storage
    with call.transaction() as now:
        if now.parent is None or now.object is None:  # deleted meanwhile
            return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
        write.remove_object(storage.connection, now.parent.id, now.name)
        storage.record(Change(now.parent.path, "delete", (now.name,)))
        storage.prune_tombstones(now.parent)
    return Response(HTTPStatus.NO_CONTENT)


def _delete_collection(call: Writing) -> Response:
    storage = call.context.storage
    with call.transaction() as now:
        if now.row is None:  # deleted meanwhile
            return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
        collections.remove_collection(storage.connection, now.path)
        storage.record(Change(now.path, "collection"))
    return Response(HTTPStatus.NO_CONTENT)
