"""Entity tags of pages of feeds."""

from __future__ import annotations

import threading
from hashlib import sha256

from cachetools import LRUCache

from kalends.common.http import EntityTags
from kalends.common.wsgi import Environ, Headers

_KEPT = 4096
"""The most pages whose entity tags are kept; each takes some 300 octets."""


def page_etag(body: bytes, headers: Headers) -> str:
    """Return the weak entity tag of a page with its headers.

    It follows their octets alone, so that a reader does not learn that something was
    changed which the feed does not show. It is weak because of the content codings.
    """
    return f'W/"{sha256(body + repr(headers).encode()).hexdigest()[:32]}"'


class PageTags:
    """The entity tags of the last pages, by a key of everything that a page depends on.

    With them, a client that has the page is answered without making it. Safe to share between
    threads.
    """

    def __init__(self) -> None:
        self._tags: LRUCache[str, str] = LRUCache(_KEPT)
        self._lock = threading.Lock()

    def add(self, key: str, etag: str) -> None:
        """Keep the entity tag of a page."""
        with self._lock:
            self._tags[key] = etag

    def known(self, environ: Environ, key: str) -> str:
        """Return the entity tag of a page if the client has it, and otherwise an empty text."""
        sent = EntityTags.known_to(environ)
        with self._lock:
            etag = self._tags.get(key, "")
        return etag if etag and sent.match_weakly(etag) else ""
