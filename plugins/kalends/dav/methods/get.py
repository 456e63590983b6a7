"""GET and HEAD of an object or a whole collection (RFC 9110 9.3.1, RFC 4791 section 5.3.4)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from radicale.xmlutils import OBJECT_MIMETYPES

from kalends.common.http import http_date
from kalends.dav import conditional
from kalends.dav.context import Reading
from kalends.dav.message import Response
from kalends.dav.methods.free_busy_view import free_busy_view, wants_free_busy_view
from kalends.dav.methods.get_collection import get_collection
from kalends.dav.resource import Kind

# No file of a user's may run in the pages of this server.
_HARMLESS = {
    "Content-Disposition": "attachment",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def get(call: Reading) -> Response | Callable[[], Response]:
    """Return an object as it was stored, a calendar's busy times, or 304.

    A whole collection follows when the snapshot is closed: its cache takes a newer one.
    """
    query = call.request.header("QUERY_STRING")
    if query and wants_free_busy_view(query):
        return free_busy_view(call, int(time.time()))
    row = call.resource.object
    if row is None:
        return partial(get_collection, call.context.whole, call.request, call.resource.collection)
    headers = {"ETag": row.etag, "Last-Modified": http_date(row.changed / 1_000_000)}
    if conditional.is_current(call.request.environ, conditional.version_of(call.resource)):
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    if call.resource.kind is Kind.FILE:
        headers |= {"Content-Type": row.component, **_HARMLESS}
    else:
        headers["Content-Type"] = f"{OBJECT_MIMETYPES[row.kind]}; charset=utf-8"
    headers["Content-Length"] = str(len(row.data))
    return Response(HTTPStatus.OK, headers, [row.data])
