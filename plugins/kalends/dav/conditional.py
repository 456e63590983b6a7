"""If-Match and If-None-Match (RFC 9110 sections 13.1.1 and 13.1.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_TAG = re.compile(r'\s*((?:W/)?"[^"]*"|[^",\s]+)\s*(?:,|$)')


def holds(environ: Mapping[str, Any], etag: str | None) -> bool:
    """Whether a write may go ahead, by what its sender knows of the target.

    Args:
        environ: the WSGI environment.
        etag: the target's strong entity tag, quoted; None if nothing is there.
    """
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None and not _match(if_match, etag):
        return False
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    return if_none_match is None or not _match(if_none_match, etag, weak=True)


def is_known(environ: Mapping[str, Any], etag: str) -> bool:
    """Whether a reader says that it has what it asks for."""
    if_none_match = environ.get("HTTP_IF_NONE_MATCH")
    return if_none_match is not None and _match(if_none_match, etag, weak=True)


def _match(header: str, etag: str | None, *, weak: bool = False) -> bool:
    if etag is None:
        return False
    if header.strip() == "*":
        return True
    tags = [match[1] for match in _TAG.finditer(header)]
    if weak:
        tags = [tag.removeprefix("W/") for tag in tags]
    return etag in tags
