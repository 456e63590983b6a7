"""The HTTP server of a worker with an application of a test, in the test's own process."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from kalends.config.listener_roles import Role
from kalends.server.http1.acceptor import Listener
from kalends.server.http1.connection_manager import ConnectionManager
from kalends.server.http1.limits import ConnectionLimits
from kalends.server.http1.tls import Certificate
from kalends.server.http1.worker_load import WorkerLoadTable

BODY_LIMIT = 4 << 20
START = Callable[..., Callable[[bytes], object]]


class Running:
    """A connection manager with an application of the test, on a port of its own.

    `changed` are limits other than the usual ones of these tests.
    """

    def __init__(
        self,
        app: Any,
        *,
        threads: int = 1,
        certificate: Certificate | None = None,
        **changed: Any,
    ) -> None:
        self.lines: list[tuple[str, str, int]] = []
        self.limits: list[str] = []
        self.stuck_paths: list[str] = []
        listener = socket.create_server(("127.0.0.1", 0))
        self.address = listener.getsockname()
        usual = ConnectionLimits(
            header_seconds=60, idle_seconds=60, body=BODY_LIMIT, connections=20
        )
        limits = replace(usual, **changed)
        self.manager = ConnectionManager(
            app,
            self,
            [Listener(listener, Role.ALL, certificate)],
            limits,
            threads=threads,
            loads=WorkerLoadTable(),
            number=1,
        )
        self.manager.start()
        self._stopping = False
        self._thread = threading.Thread(target=self._maintain, daemon=True)
        self._thread.start()
        self._listener = listener

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> None:
        self.lines.append((req.method, resp.status, resp.sent))

    def refused(self, limit: str) -> None:
        self.limits.append(limit)

    def stuck(self, environ: dict[str, Any], seconds: float) -> None:
        self.stuck_paths.append(environ["PATH_INFO"])

    def _maintain(self) -> None:
        poller = select.poll()
        poller.register(self.manager.wakeup_fd, select.POLLIN)
        while not self._stopping:
            self.manager.close_expired()
            poller.poll(min(self.manager.watch(), 0.1) * 1000)
        self.manager.stop()
        self.manager.close_idle()

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, 30)

    def close(self) -> None:
        self._stopping = True
        self._thread.join()
        self._listener.close()


def echo(environ: dict[str, Any], start: START) -> Iterable[bytes]:
    """Answer with the request's path, query, method and body."""
    body = environ["wsgi.input"].read()
    start("200 OK", [("X-Path", environ["PATH_INFO"]), ("X-Query", environ["QUERY_STRING"])])
    return [environ["REQUEST_METHOD"].encode(), b" ", body]


def until_closed(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def exchange(running: Running, octets: bytes) -> bytes:
    """Send octets and end of input; return all that the server answers."""
    with running.connect() as sock:
        sock.sendall(octets)
        sock.shutdown(socket.SHUT_WR)
        return until_closed(sock)
