"""Who is believed about the outside: headers that only a trusted proxy may send."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]

_BELIEVED_OF_A_PROXY = ("HTTP_X_FORWARDED_", "HTTP_X_REMOTE_", "HTTP_X_SCRIPT_", "HTTP_FORWARDED")


class TrustedProxies:
    """WSGI middleware that takes X-Remote-User, X-Script-Name and X-Forwarded-* from strangers.

    Args:
        app: the application behind.
        trusted: the addresses of the proxies; ``unix`` stands for a Unix socket.
    """

    def __init__(self, app: App, trusted: frozenset[str]) -> None:
        self._app = app
        self._trusted = trusted

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on with what its sender may say."""
        if (environ.get("REMOTE_ADDR") or "unix") not in self._trusted:
            for name in [n for n in environ if n.startswith(_BELIEVED_OF_A_PROXY)]:
                del environ[name]
        return self._app(environ, start_response)
