"""DELETE of an object (RFC 4918 section 9.6)."""

from __future__ import annotations

from http import HTTPStatus

from kalends.caldav import answers, preconditions
from kalends.caldav.request import Answer, Request
from kalends.storage import Storage
from kalends.store import changes, collections


def delete_object(storage: Storage, request: Request) -> Answer | None:
    """Delete the object at an address, which the user may do; None if no object is there."""
    above, _, name = request.sane.rpartition("/")
    with storage.acquire_lock("w", request.user, path=request.sane):
        connection = storage.connection
        parent = collections.find(connection, above)
        there = changes.standing(connection, parent.id, name, "")[0] if parent else None
        if parent is None or there is None:
            return None
        if not preconditions.holds(request.environ, there.etag):
            return answers.as_answer(answers.plain(HTTPStatus.PRECONDITION_FAILED))
        changes.bury(connection, parent.id, there)
        storage.forget_removals(parent)
    return Answer(HTTPStatus.NO_CONTENT)
