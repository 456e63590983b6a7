"""Whether a POST comes from our own page: what browsers say of the page that sends it. Pure.

A browser adds the login to whatever another site's page makes it send, so a right login tells
nothing of who wanted the change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from kalends.webui.base_url import BaseUrl


def is_own(environ: Mapping[str, Any], outside: BaseUrl) -> bool:
    """Whether every header that tells the sender's origin tells ours, and at least one does.

    Sec-Fetch-Site is the browser's own word (Fetch Metadata); Origin (RFC 6454) and Referer come
    over plain http too, where browsers leave the first one out.
    """
    told = []
    if site := environ.get("HTTP_SEC_FETCH_SITE"):
        told.append(site == "same-origin")
    if origin := environ.get("HTTP_ORIGIN"):
        told.append(origin == outside.origin)
    elif referer := environ.get("HTTP_REFERER"):
        told.append(_origin_of(referer) == outside.origin)
    return bool(told) and all(told)


def _origin_of(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}"
