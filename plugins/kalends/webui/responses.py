"""Responses with a page: security headers, compression, and no body for HEAD."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Sequence
from hashlib import sha256
from http import HTTPStatus

from kalends.common.http import takes_gzip
from kalends.common.wsgi import Environ, Headers, StartResponse, respond

_MIN_COMPRESSED = 1000
"""The least octets of a page that is compressed."""


def security_headers(
    *,
    styles: Sequence[str] = (),
    embedded_by: Sequence[str] = (),
    connect: bool = False,
    referrer: str = "no-referrer",
) -> Headers:
    """Return headers that forbid a browser everything that the page does not need.

    Args:
        styles: the texts of the ``<style>`` blocks in the page.
        embedded_by: the sources that may show it in a frame (``https://example.org``, ``*``), by
            default none (Content Security Policy Level 3, ``frame-ancestors``).
        connect: whether its scripts may send requests to this server.
        referrer: the Referrer Policy. With ``no-referrer`` browsers send forms with
            ``Origin: null``.
    """
    hashes = "".join(
        f" 'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'" for text in styles
    )
    policy = [
        "default-src 'none'",
        f"style-src 'self'{hashes}",
        "script-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        f"frame-ancestors {' '.join(embedded_by) or chr(39) + 'none' + chr(39)}",
    ]
    if connect:
        policy.append("connect-src 'self'")
    headers = [
        ("Content-Security-Policy", "; ".join(policy)),
        ("Referrer-Policy", referrer),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if not embedded_by:
        headers.append(("X-Frame-Options", "DENY"))
    return headers


def html(
    environ: Environ,
    start_response: StartResponse,
    status: HTTPStatus,
    body: bytes,
    headers: Iterable[tuple[str, str]],
) -> Iterable[bytes]:
    """Answer with a page, compressed if the client accepts that."""
    sent = [("Content-Type", "text/html; charset=utf-8"), ("Vary", "Accept-Encoding"), *headers]
    if len(body) >= _MIN_COMPRESSED and takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
        body = gzip.compress(body, 5, mtime=0)
        sent.append(("Content-Encoding", "gzip"))
    return respond(environ, start_response, status, body, sent)
