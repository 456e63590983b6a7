"""PUT of a file into a folder: any octets, with their media type (RFC 4918 section 9.7)."""

from __future__ import annotations

import re
from http import HTTPStatus

from kalends.dav import errors
from kalends.dav.context import Writing
from kalends.dav.message import Response
from kalends.dav.resource import Kind, Resource, kind_of_collection
from kalends.errors import ConditionFailedError, ObjectRefusedError
from kalends.events import Change
from kalends.ical.validate import FILE, CalendarObject
from kalends.limit_names import Limit
from kalends.store.objects import write
from kalends.store.objects.write import Outcome

_MEDIA_TYPE = re.compile(r"[!-~]+/[!-~]+(?:[ \t]*;[ !-~]*)?")
_LONGEST_TYPE = 255
_UNKNOWN = "application/octet-stream"


def is_file(target: Resource) -> bool:
    """Return True if a PUT stores a file: the path is directly in a folder."""
    above = target.parent
    return target.row is None and above is not None and kind_of_collection(above) is Kind.FOLDER


def put_file(call: Writing) -> Response:
    """Store the body as it is.

    Raises:
        ConditionFailedError: a condition does not hold (412).
        ObjectRefusedError: the body is too large (413).
    """
    limits = call.context.limits
    if len(call.body) > limits.objects.octets:
        why = f"larger than {limits.objects.octets} octets"
        raise ObjectRefusedError("C:max-resource-size", why, limit=Limit.OBJECT_OCTETS)
    kind = call.request.header("CONTENT_TYPE") or ""
    if len(kind) > _LONGEST_TYPE or not _MEDIA_TYPE.fullmatch(kind):
        kind = _UNKNOWN
    name = call.resource.name
    # The UID is that of its name: a collection has each once.
    content = CalendarObject(call.body, FILE, name, kind, None, None, recurring=False)
    storage = call.context.storage
    with call.transaction() as now:
        if now.parent is None or not is_file(now):  # changed meanwhile
            return errors.as_answer(errors.plain(HTTPStatus.CONFLICT))
        if now.exists and limits.strict_preconditions and not call.request.header("HTTP_IF_MATCH"):
            raise ConditionFailedError("If-Match")
        place = write.find_place(storage.connection, now.parent.id, content, name)
        outcome = write.upsert_object(storage.connection, now.parent.id, place, content)
        storage.record(Change(now.parent.path, "put", (name,)))
    if outcome is Outcome.ADDED:
        return Response(HTTPStatus.CREATED, {"ETag": content.etag, "Content-Length": "0"})
    return Response(HTTPStatus.NO_CONTENT, {"ETag": content.etag})
