"""Listeners that offer nothing but feeds, for programs without TLS."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kalends.listeners import came_by
from kalends.proxies import App, Environ, StartResponse

_KEY = "kalends.feeds_listener"


class FeedsListener:
    """WSGI middleware that notes by which listener a request came.

    It stands in front of whatever believes a client's or a proxy's headers.

    Args:
        app: the application behind.
        ports: those that offer nothing but feeds.
    """

    def __init__(self, app: App, ports: Collection[int]) -> None:
        self._app = app
        self._ports = frozenset(map(str, ports))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on with the note."""
        environ[_KEY] = came_by(environ, self._ports)
        return self._app(environ, start_response)


def came_for_feeds(environ: Environ) -> bool:
    """Whether a request came by a listener that offers nothing but feeds."""
    came: bool = environ[_KEY]
    return came
