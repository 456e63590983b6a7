"""Grammar that httptools does not check (RFC 9110, RFC 9112)."""

from __future__ import annotations

import re
from http import HTTPStatus

import httptools

# uri-host and port of RFC 9110 section 7.2, in the grammar of RFC 3986.
_HOST = re.compile(
    rb"(?:[A-Za-z0-9_.~!$&'()*+,;=-]|%[0-9A-Fa-f]{2}){0,255}(?::[0-9]{0,5})?"
    rb"|\[[0-9A-Za-z.:]{1,64}\](?::[0-9]{0,5})?"
)
_WHITESPACE = b" \t"
_WRONG_VERSION = "Invalid HTTP version"  # httptools has a reason for it, but no class


def is_host(value: bytes) -> bool:
    """Return True if a value is one of the field Host (RFC 9112 section 3.2); it may be empty."""
    return _HOST.fullmatch(value.strip(_WHITESPACE)) is not None


def is_chunked_alone(value: bytes) -> bool:
    """Return False if a value of Transfer-Encoding has another coding before a last ``chunked``.

    httptools refuses all others than ``chunked`` (RFC 9112 section 6.3), but takes these.
    """
    _, comma, last = value.rpartition(b",")
    return not (comma and last.strip(_WHITESPACE).lower() == b"chunked")


def status_of(error: httptools.HttpParserError) -> HTTPStatus:
    """Return the status for octets that httptools does not accept as a request."""
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        return HTTPStatus.NOT_IMPLEMENTED
    if str(error) == _WRONG_VERSION:
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    return HTTPStatus.BAD_REQUEST
