"""Addresses in header fields, as paths of this server (RFC 4918 sections 8.3 and 10.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from kalends.authn.apache.htfiles import decode_name
from kalends.dav.message import Request, sanitize
from kalends.errors import HeaderRefusedError

# As a client wrote them, these do not name the segment that they stand for (RFC 3986 section 3.3).
_NO_SEGMENT = re.compile(r"/(?:\.|%2e){2}(?=[/?#]|\Z)|%2f", re.IGNORECASE)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def names_no_segment(address: str) -> bool:
    """Return True if an address has a segment of two dots, or a slash within a segment."""
    return _NO_SEGMENT.search(address) is not None


def path_of(request: Request, address: str) -> str:
    """Return the path of an address on this server: decoded, below the prefix, with a slash first.

    Args:
        request: the request that names it.
        address: a ``Simple-ref``: an absolute URI, or a path with a slash first.

    Raises:
        HeaderRefusedError: it is malformed (400), of another server (502), or not ours (403).
    """
    try:
        split = urlsplit(address)
        is_absolute = bool(split.scheme)
        is_ours = not is_absolute or _is_ours(request.environ, split)
        # WSGI passes the octets of a header field as ISO-8859-1.
        octets = unquote_to_bytes(split.path.encode("latin-1"))
    except ValueError:
        raise _malformed("it is not an address") from None
    if split.netloc and not is_absolute:
        raise _malformed("it has a host without a scheme")
    if not is_ours:
        raise HeaderRefusedError(HTTPStatus.BAD_GATEWAY, "the address is of another server")
    if not split.path.startswith("/") or "?" in address or "#" in address:
        raise _malformed("it is not an address without a query and a fragment")
    if names_no_segment(split.path):
        raise _malformed("it has a segment of two dots, or a slash within a segment (%2F)")
    path = sanitize(decode_name(octets))
    if request.prefix and not f"{path}/".startswith(f"{request.prefix}/"):
        raise HeaderRefusedError(HTTPStatus.FORBIDDEN, "the address is outside of this server")
    if not path.isprintable():
        raise _malformed("it has characters that cannot be written")
    return path[len(request.prefix) :] or "/"


def _is_ours(environ: Mapping[str, Any], address: SplitResult) -> bool:
    # The port is looked at, since only that tells if it is a number.
    if address.port == 0 or address.scheme not in _DEFAULT_PORTS:
        return False
    default = _DEFAULT_PORTS[address.scheme]
    named = address.netloc.lower().removesuffix(default)
    host = str(environ.get("HTTP_HOST") or environ["SERVER_NAME"]).lower().removesuffix(default)
    return bool(named) and named in (host, f"{host}:{environ['SERVER_PORT']}")


def _malformed(why: str) -> HeaderRefusedError:
    return HeaderRefusedError(HTTPStatus.BAD_REQUEST, f"an address of the request: {why}")
