"""Comparison of a Digest header's uri with the request's target (RFC 7616 section 3.4.6). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote_from_bytes, unquote_to_bytes

from kalends.common.wsgi import Environ

_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]*://([^/?#]*)(.*)", re.DOTALL)
_SLASH = re.compile(rb"(%2[fF])")


class _Target(NamedTuple):
    """A request target in comparable form: decoded, except for slashes within a segment."""

    path: tuple[bytes, ...]
    has_query: bytes
    query: bytes


def designates(uri: bytes, environ: Environ, prefix: str = "") -> bool:
    """Return True if a header's uri and the request's own target are the same.

    They are the same if they are equal as sent, or after percent-decoding; an escaped slash differs
    from a slash. An absolute uri has to name the request's host.

    Args:
        uri: as the client sent it.
        environ: of the request, with the raw target under REQUEST_URI or RAW_URI where the server
            provides it; otherwise the target is composed of the decoded path, in which an escaped
            slash is a slash.
        prefix: the part that a trusted proxy has cut off the client's target.
    """
    raw = environ.get("REQUEST_URI") or environ.get("RAW_URI")
    if raw is None:
        targets = [_composed(environ)]
        uri = _SLASH.sub(b"/", uri)
    else:
        target = raw.encode("latin-1")
        targets = [target, prefix.encode("latin-1") + target] if prefix else [target]
    host = environ.get("HTTP_HOST", "").encode("latin-1")
    return any(uri == target or _same(uri, target, host) for target in targets)


def _same(uri: bytes, target: bytes, host: bytes) -> bool:
    asked = _decoded(uri, host)
    return asked is not None and asked == _decoded(target, host)


def _decoded(uri: bytes, host: bytes) -> _Target | None:
    absolute = _ABSOLUTE.fullmatch(uri)
    if absolute is not None:
        if absolute[1].lower() != host.lower():
            return None
        uri = absolute[2] or b"/"
    if not uri.startswith(b"/"):
        return None
    path, has_query, query = uri.partition(b"?")
    parts = tuple(unquote_to_bytes(part) for part in _SLASH.split(path)[::2])
    return _Target(parts, has_query, unquote_to_bytes(query))


def _composed(environ: Environ) -> bytes:
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    query = environ.get("QUERY_STRING", "")
    target = quote_from_bytes(path.encode("latin-1")).encode()
    return target + b"?" + query.encode("latin-1") if query else target
