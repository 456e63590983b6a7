"""GET and HEAD of a whole calendar or address book (RFC 9110 section 9.3.1)."""

from __future__ import annotations

import os
import time
from http import HTTPStatus
from urllib.parse import quote

from radicale.xmlutils import MIMETYPES

from kalends.common.file_blocks import FileBlocks
from kalends.common.http import http_date, parse_http_date, takes_gzip
from kalends.dav import conditional, errors
from kalends.dav.message import Request, Response
from kalends.feeds.collection_cache import CollectionCache, CollectionGoneError, etag_of
from kalends.feeds.version import FeedVersion
from kalends.store.collections import CollectionRow
from kalends.store.sync_tokens import ctag_of

_TITLES = {"VCALENDAR": ("Calendar", ".ics"), "VADDRESSBOOK": ("Address book", ".vcf")}


def get_collection(cache: CollectionCache, request: Request, row: CollectionRow) -> Response:
    """Return a calendar or an address book as one file, or 304."""
    coding = "gzip" if takes_gzip(request.header("HTTP_ACCEPT_ENCODING") or "") else ""
    known = cache.known_version(row)
    # Its date is that of a version, not that of the last change: see `FeedVersion`.
    is_known = conditional.is_current(request.environ, conditional.Version(ctag_of(row), None))
    if is_known or (known and _is_known_by_date(request, known)):
        cache.keep(row)
        return Response(HTTPStatus.NOT_MODIFIED, _headers(etag_of(row, coding), known))
    try:
        version, file = cache.open_whole(row, coding)
    except CollectionGoneError:
        return errors.as_answer(errors.plain(HTTPStatus.NOT_FOUND))
    headers = _headers(etag_of(version, coding), version)
    if _is_known_by_date(request, version):
        file.close()
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    headers["Content-Type"] = f"{MIMETYPES[row.tag]}; charset=utf-8"
    headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
    headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(_file_name(row))}"
    if coding:
        headers["Content-Encoding"] = coding
    if request.method == "HEAD":
        file.close()
        return Response(HTTPStatus.OK, headers)
    return Response(HTTPStatus.OK, headers, FileBlocks(file))


def _headers(etag: str, version: FeedVersion | None) -> dict[str, str]:
    headers = {
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding",
    }
    if version and version.modified is not None:
        headers["Last-Modified"] = http_date(min(version.modified, time.time()))
    return headers


def _is_known_by_date(request: Request, version: FeedVersion) -> bool:
    """Return True if If-Modified-Since counts, and the client has this version."""
    if request.header("HTTP_IF_NONE_MATCH") is not None:
        return False
    moment = parse_http_date(request.header("HTTP_IF_MODIFIED_SINCE") or "")
    return moment is not None and version.is_known_since(moment, time.time())


def _file_name(row: CollectionRow) -> str:
    title, suffix = _TITLES[row.tag]
    name = row.props.get("D:displayname") or title
    return name if name.lower().endswith(suffix) else f"{name}{suffix}"
