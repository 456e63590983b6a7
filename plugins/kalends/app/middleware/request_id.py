"""Request IDs: a name for each request, which is in its log lines and in its answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from typing import Any

from kalends.common.wsgi import REQUEST_ID_KEY, App, Environ, StartResponse

_HEADER = "X-Request-ID"
_current = threading.local()


class RequestIds:
    """WSGI middleware that names each request, unless a trusted proxy has named it.

    The answer has the name in ``X-Request-ID``.

    Args:
        app: the application behind. `TrustedProxies` must be in front.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on under its name."""
        name: str = environ.get(REQUEST_ID_KEY) or os.urandom(8).hex()
        environ[REQUEST_ID_KEY] = name
        # Kept while the answer is read from the iterable; the next request replaces it.
        _current.name = name

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, (_HEADER, name)], exc_info)

        return self._app(environ, start)


def current_request_id() -> str:
    """Return the name of the request that this thread handles; empty if there is none."""
    return getattr(_current, "name", "")
