"""Roles of the listeners: what each offers, and which one accepted a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

ROLE_KEY = "kalends.listener"
"""The environ key of the `Role` of the listener that accepted the connection."""


class Role(Enum):
    """The roles that a listener can have."""

    ALL = "calendars, feeds and pages; the only one with TLS"
    FEEDS = "feeds and nothing else, for programs without TLS"
    ADMIN = "health and numbers, for the administrator's machine"


class Roles:
    """The role of each listener, by its port.

    By the port alone, so that a socket from systemd on another address than the configuration
    names has the role of its port, too. A Unix socket has no port and offers all.

    Args:
        feeds: the ports that offer nothing but feeds.
        admin: the ports for administrators.
    """

    def __init__(self, feeds: Collection[int], admin: Collection[int]) -> None:
        self._roles = dict.fromkeys(map(str, feeds), Role.FEEDS)
        self._roles |= dict.fromkeys(map(str, admin), Role.ADMIN)

    def of_socket(self, address: object) -> Role:
        """Return the role of a listening socket.

        Args:
            address: the address that it is bound to: ``(host, port, …)`` or a path.
        """
        port = str(address[1]) if isinstance(address, tuple) else ""
        return self._roles.get(port, Role.ALL)

    def of_request(self, environ: Mapping[str, Any]) -> Role:
        """Return the role of the listener that accepted a request.

        Kalends' own server stores it in the environ. Under another server it follows from
        ``SERVER_PORT``, the port of the accepting socket; this must be called before the headers
        of a trusted proxy replace it. A request over a Unix socket has no port but its client's
        claim, so it gets the role that offers all.
        """
        stored = environ.get(ROLE_KEY)
        if isinstance(stored, Role):
            return stored
        if not environ.get("REMOTE_ADDR"):
            return Role.ALL
        return self._roles.get(environ["SERVER_PORT"], Role.ALL)
