"""GET and HEAD of an object (RFC 9110 section 9.3.1, RFC 4791 section 5.3.4)."""

from __future__ import annotations

from http import HTTPStatus

from radicale.xmlutils import OBJECT_MIMETYPES

from kalends.common.http import EntityTags, http_date
from kalends.dav.message import Request, Response
from kalends.dav.reader import Reader
from kalends.store.objects import read


def get_object(reader: Reader, request: Request) -> Response | None:
    """Return an object as it was stored, or 304; None leaves the request to Radicale."""
    parent, name = request.split()
    if not reader.may_read_objects(request.user, parent):
        return None
    with reader.snapshot() as connection:
        row = read.get_object_at(connection, parent, name)
    if row is None:
        return None
    headers = {"ETag": row.etag, "Last-Modified": http_date(row.changed / 1_000_000)}
    if EntityTags.known_to(request.environ).match_weakly(row.etag):
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    headers["Content-Type"] = f"{OBJECT_MIMETYPES[row.kind]}; charset=utf-8"
    headers["Content-Length"] = str(len(row.data))
    return Response(HTTPStatus.OK, headers, [row.data])
