"""The conditions of a write, If-Match and If-None-Match (RFC 9110 sections 13.1.1 and 13.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kalends.common.http import EntityTags


def holds(environ: Mapping[str, Any], etag: str | None) -> bool:
    """Return True if a write may go ahead, by what its sender knows of the target.

    Args:
        environ: the WSGI environment.
        etag: the target's strong entity tag, quoted; None if nothing is there.
    """
    if_match = environ.get("HTTP_IF_MATCH")
    if if_match is not None and (
        etag is None or not EntityTags.read(if_match).match_strongly(etag)
    ):
        return False
    return etag is None or not EntityTags.known_to(environ).match_weakly(etag)
