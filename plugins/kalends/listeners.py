"""By which of our listeners a request came."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def came_by(environ: Mapping[str, Any], ports: Collection[str]) -> bool:
    """Whether a request came by a listener on one of these ports.

    The port is that of the socket that took the connection: of TCP no header of a client or proxy
    can change it, until somebody believes such headers. What comes over a Unix socket has no port
    of its own, only what its client says, and never came by such a listener.
    """
    return bool(environ.get("REMOTE_ADDR")) and environ["SERVER_PORT"] in ports
