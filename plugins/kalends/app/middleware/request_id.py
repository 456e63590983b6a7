"""A name for each request, which its lines in the log and its answer carry."""

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

    The answer tells the name in ``X-Request-ID``.

    Args:
        app: the application behind; in front of this stands what decides whom to believe.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on under its name."""
        name: str = environ.get(REQUEST_ID_KEY) or os.urandom(8).hex()
        environ[REQUEST_ID_KEY] = name
        # It stays when the answer is read from the iterable, and ends with the next request.
        _current.name = name

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, [*headers, (_HEADER, name)], exc_info)

        return self._app(environ, start)


def current() -> str:
    """The name of the request that this thread is at; empty outside of any."""
    return getattr(_current, "name", "")
