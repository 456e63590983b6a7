"""What each of our listeners offers, and by which of them a request came."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

ROLE_KEY = "kalends.listener"
"""Where the environ holds the `Role` of the listener that took the connection."""


class Role(Enum):
    """What a listener is for."""

    ALL = "calendars, feeds and pages; the only one with TLS"
    FEEDS = "feeds and nothing else, for programs without TLS"
    ADMIN = "health and numbers, for the administrator's machine"


class Roles:
    """Which listener offers what; the port tells.

    A socket of systemd's for another address than the configuration names is so none the less for
    feeds alone. A Unix socket has no port and offers all.

    Args:
        feeds: the ports that offer nothing but feeds.
        admin: the ports for administrators.
    """

    def __init__(self, feeds: Collection[int], admin: Collection[int]) -> None:
        self._roles = dict.fromkeys(map(str, feeds), Role.FEEDS)
        self._roles |= dict.fromkeys(map(str, admin), Role.ADMIN)

    def of_socket(self, address: object) -> Role:
        """The role of a listening socket.

        Args:
            address: what the socket says that it is bound to: ``(host, port, …)`` or a path.
        """
        port = str(address[1]) if isinstance(address, tuple) else ""
        return self._roles.get(port, Role.ALL)

    def of_request(self, environ: Mapping[str, Any]) -> Role:
        """The role of the listener that a request came by.

        Our own server has noted it. Of another server the port is that of the accepting socket,
        which no header of a client or proxy can change until somebody believes such headers. What
        comes over a Unix socket has no port of its own, only what its client says.
        """
        told = environ.get(ROLE_KEY)
        if isinstance(told, Role):
            return told
        if not environ.get("REMOTE_ADDR"):
            return Role.ALL
        return self._roles.get(environ["SERVER_PORT"], Role.ALL)
