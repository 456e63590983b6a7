"""A gunicorn thread worker that bounds how long a client may hold a thread.

gunicorn's own thread worker reads requests from, and writes answers to, a blocking socket without
any limit, so that as many stalled clients as there are threads stop a worker for ever. Here the
worker's main loop, which turns at least once a second, shuts down the socket of a connection that
has been at one request for too long: the blocked thread wakes up and is free again. That covers
the TLS handshake, the header, the body and the answer, each also when it comes in single octets.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

from gunicorn.workers import gthread

HEADER_SECONDS = 5.0
REQUEST_SECONDS = 10.0


class BoundedWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no annotations
    """gunicorn's thread worker in which each request has an end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.deadlines: dict[gthread.TConn, float] = {}

    def handle(self, conn: gthread.TConn) -> Any:
        """Serve one request; a connection that has sent nothing yet waits without a thread."""
        if not conn.initialized and not conn.wait_for_data(0):
            return gthread._DEFER
        self.deadlines[conn] = time.monotonic() + HEADER_SECONDS
        try:
            return super().handle(conn)
        finally:
            self.deadlines.pop(conn, None)

    def handle_request(self, req: Any, conn: gthread.TConn) -> Any:
        """Run the application: from here on body and answer have their own time."""
        self.deadlines[conn] = time.monotonic() + REQUEST_SECONDS
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Shut down what is over time; called at each turn of the worker's main loop."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self.deadlines.items()):
            if deadline < now:
                # socket.socket's own method: SSLSocket's would drop TLS under the reading thread
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)
