"""The conditions of requests, for every method (RFC 9110 section 13, RFC 4918 section 10.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kalends.common.http import EntityTags, parse_http_date
from kalends.dav.if_header import State, read_if
from kalends.dav.resource import Resource
from kalends.errors import ConditionFailedError
from kalends.store.sync_tokens import ctag_of, sync_token_of

StateAt = Callable[[str], State]
"""Returns the state of the resource at an address that an ``If`` header names."""


@dataclass(frozen=True, slots=True)
class Version:
    """The values that the conditions of RFC 9110 compare.

    Attributes:
        etag: the strong entity tag, quoted; None if nothing is there.
        changed: the time of the last change, microseconds since 1970; None if nothing is there.
    """

    etag: str | None
    changed: int | None


def state_of(resource: Resource) -> State:
    """Return the entity tag and the state tokens of a resource (RFC 6578 section 5)."""
    if resource.row is not None:
        return State(ctag_of(resource.row), frozenset({sync_token_of(resource.row)}))
    return State(resource.object.etag if resource.object else None, frozenset())


def version_of(resource: Resource) -> Version:
    """Return what conditions compare of a resource."""
    found = resource.row or resource.object
    return Version(state_of(resource).etag, found.changed if found else None)


def check_write(environ: Mapping[str, Any], resource: Resource, state_at: StateAt) -> None:
    """Check all conditions of a request that changes something, within its transaction.

    Args:
        environ: the WSGI environ.
        resource: the resource of the request, as it is now.
        state_at: returns the state of another resource.

    Raises:
        ConditionFailedError: one does not hold (412).
        HeaderRefusedError: the ``If`` header is malformed (400).
    """
    check_if(environ, resource, state_at)
    if _is_known(environ, version_of(resource)):
        raise ConditionFailedError("If-None-Match")


def check_if(environ: Mapping[str, Any], resource: Resource, state_at: StateAt) -> None:
    """Check the ``If`` header, which holds if one of its lists does.

    Args:
        environ: the WSGI environ.
        resource: the resource of the request, which untagged lists are about.
        state_at: returns the state of another resource.

    Raises:
        ConditionFailedError: it does not hold (412).
        HeaderRefusedError: it is malformed (400).
    """
    header = environ.get("HTTP_IF")
    if header is None:
        return
    own = state_of(resource)
    lists = read_if(header)
    states = {tag: own if tag is None else state_at(tag) for tag in {one.tag for one in lists}}
    if not any(one.holds(states[one.tag]) for one in lists):
        raise ConditionFailedError("If")


def is_current(environ: Mapping[str, Any], version: Version) -> bool:
    """Return True if a GET or HEAD is to be answered by 304: the client has this version.

    Args:
        environ: the WSGI environ.
        version: of the representation.

    Raises:
        ConditionFailedError: If-Match or If-Unmodified-Since does not hold (412).
    """
    if _is_known(environ, version):
        return True
    if "HTTP_IF_NONE_MATCH" in environ or version.changed is None:
        return False
    since = _date(environ, "HTTP_IF_MODIFIED_SINCE")
    return since is not None and version.changed // 1_000_000 <= since


def _is_known(environ: Mapping[str, Any], version: Version) -> bool:
    """Return True if If-None-Match does not hold (RFC 9110 section 13.2.2, steps 1 to 3)."""
    etag, changed = version.etag, version.changed
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None:
        if etag is None or not EntityTags.read(if_match).match_strongly(etag):
            raise ConditionFailedError("If-Match")
    elif changed is not None:
        since = _date(environ, "HTTP_IF_UNMODIFIED_SINCE")
        if since is not None and changed // 1_000_000 > since:
            raise ConditionFailedError("If-Unmodified-Since")
    return etag is not None and EntityTags.known_to(environ).match_weakly(etag)


def _date(environ: Mapping[str, Any], name: str) -> int | None:
    """Return the date of a header field; None if it has none, which is ignored."""
    text = environ.get(name)
    return None if text is None else parse_http_date(text)
