"""Origin check of a POST: the headers by which browsers name the page that sends it. Pure.

A browser adds the login to any request that another site's page makes it send, so a valid login
does not prove that the user wanted the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from kalends.webui.base_url import BaseUrl


def is_same_origin(environ: Mapping[str, Any], base_url: BaseUrl) -> bool:
    """Return True if at least one header names the sender's origin, and all of them name ours.

    Browsers send Sec-Fetch-Site (Fetch Metadata) over https only; Origin (RFC 6454) and Referer
    over plain http too.
    """
    matches = []
    if site := environ.get("HTTP_SEC_FETCH_SITE"):
        matches.append(site == "same-origin")
    if origin := environ.get("HTTP_ORIGIN"):
        matches.append(origin == base_url.origin)
    elif referer := environ.get("HTTP_REFERER"):
        matches.append(_origin_of(referer) == base_url.origin)
    return bool(matches) and all(matches)


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
