"""The body of a request, read once, up to a limit."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, BinaryIO

from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit

_BLOCK = 1 << 16


def read_body(environ: Mapping[str, Any], limit: int, name: Limit = Limit.BODY) -> bytes:
    """Read the whole body of a request, chunked or with a length.

    Args:
        environ: the WSGI environment; servers pass a chunked body without CONTENT_LENGTH.
        limit: the largest body that is accepted, octets.
        name: the name of that limit.

    Raises:
        BodyRefusedError: it is larger (413), has an unsupported coding (415), is partial content
            (400, RFC 9110 section 14.4), or ended before its length (400).
    """
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in ("", "identity"):
        raise BodyRefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if environ.get("HTTP_CONTENT_RANGE"):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST)
    stated = environ.get("CONTENT_LENGTH") or ""
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    if not stated and not (chunked or environ.get("wsgi.input_terminated")):
        return b""
    if stated and not (stated.isascii() and stated.isdigit()):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST)
    length = int(stated) if stated and not chunked else None
    if length is not None and length > limit:
        raise _too_large(limit, name)
    body = _read(environ["wsgi.input"], length, limit, name)
    if length is not None and len(body) < length:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST)
    return body


def _read(stream: BinaryIO, length: int | None, limit: int, name: Limit) -> bytes:
    blocks = []
    got = 0
    while length is None or got < length:
        block = stream.read(_BLOCK if length is None else min(_BLOCK, length - got))
        if not block:
            break
        got += len(block)
        if got > limit:
            raise _too_large(limit, name)
        blocks.append(block)
    return b"".join(blocks)


def _too_large(limit: int, name: Limit) -> BodyRefusedError:
    why = f"the body of this request may have {limit:,} octets at most"
    return BodyRefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why, limit=name)
