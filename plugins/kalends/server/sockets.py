"""Listening sockets of the server, and the wait until it answers on one."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from kalends.config.settings import Settings
from kalends.errors import ConfigurationError
from kalends.server.http1.tls import require_usable

BACKLOG = 1024
"""How many connections may wait to be accepted."""


def open_listeners(settings: Settings) -> list[socket.socket]:
    """Open the addresses of ``[server] hosts``, ``[kalends] feeds_hosts`` and ``admin_hosts``.

    Returns:
        the listening sockets; none if systemd passes sockets to this process.

    Raises:
        ConfigurationError: an address is in use or not one of this host, or the certificate
            cannot be used.
    """
    opened: list[socket.socket] = []
    require_certificate(settings)
    if os.environ.get("LISTEN_FDS"):
        return opened
    for host in (*settings.hosts, *settings.feeds_hosts, *settings.admin_hosts):
        try:
            opened.append(_listen(host))
        except OSError as error:
            for listener in opened:
                listener.close()
            why = f"cannot listen on {host}: {error.strerror or error}"
            raise ConfigurationError(str(settings.path), why) from None
    return opened


def require_certificate(settings: Settings) -> None:
    """Check that the TLS options can be used, if TLS is on.

    Raises:
        ConfigurationError: they cannot be used.
    """
    if settings.tls:
        require_usable(settings.tls, settings.path)


def _listen(host: str) -> socket.socket:
    if host.startswith("unix:"):
        path = Path(host.removeprefix("unix:"))
        if path.is_socket():
            if _is_served(path):
                raise OSError(0, "another server is listening there; stop it first")
            path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o117)  # never open to others, not even for a moment
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        path.chmod(0o660)
    else:
        name, _, port = host.rpartition(":")
        family, _, _, _, address = socket.getaddrinfo(
            name.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    listener.listen(BACKLOG)
    return listener


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def wait_for(address: Any, tls: bool) -> str:
    """Wait until the server answers, and return its URL for the administrator.

    Args:
        address: an address that the server listens on, as ``socket.getsockname`` returns it.
        tls: True if the server has TLS there.
    """
    if isinstance(address, str):
        connection: http.client.HTTPConnection = _UnixConnection(address)
        url = f"unix:{address}"
    else:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address[0], address[0])  # noqa: S104
        connection = (
            http.client.HTTPSConnection(host, address[1], context=_unverified())
            if tls
            else http.client.HTTPConnection(host, address[1])
        )
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        url = f"http{'s' if tls else ''}://{shown}:{address[1]}/"
    # A server that requires a client certificate or an old protocol answers by a refusal.
    refusals = (ssl.SSLError, ConnectionError) if tls else ()
    with suppress(*refusals):
        connection.request("OPTIONS", "/", headers={"Connection": "close"})
        connection.getresponse().read()
    connection.close()
    return url


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the server's own certificate, which is for another name
    return context


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)
