"""How a page goes out: its security headers, its coding, and no body for HEAD."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Sequence
from hashlib import sha256
from http import HTTPStatus

from kalends.common.http import takes_gzip
from kalends.common.wsgi import Environ, Headers, StartResponse, respond

_WORTH_PACKING = 1000
"""Octets from which on a page is compressed."""


def security_headers(
    *,
    styles: Sequence[str] = (),
    embedded_by: Sequence[str] = (),
    connect: bool = False,
    referrer: str = "no-referrer",
) -> Headers:
    """What a browser must not do with a page: everything but what it needs from us.

    Args:
        styles: the texts of the ``<style>`` blocks in the page.
        embedded_by: the sources that may show it in a frame (``https://example.org``, ``*``);
            without any nobody may (Content Security Policy Level 3, ``frame-ancestors``).
        connect: whether its scripts may ask us.
        referrer: whom its address is told (Referrer Policy). Under ``no-referrer`` browsers send
            forms with ``Origin: null``.
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
    """Answer with a page; compressed where the client takes that."""
    given = [("Content-Type", "text/html; charset=utf-8"), ("Vary", "Accept-Encoding"), *headers]
    if len(body) >= _WORTH_PACKING and takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
        body = gzip.compress(body, 5, mtime=0)
        given.append(("Content-Encoding", "gzip"))
    return respond(environ, start_response, status, body, given)
