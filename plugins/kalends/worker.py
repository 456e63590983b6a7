"""A gunicorn thread worker that bounds how long a client may hold a thread, and stays with it.

gunicorn's own reads requests from, and writes answers to, a blocking socket without any limit, so
that as many stalled clients as there are threads stop a worker for ever. Here the worker's main
loop, which turns at least once a second, shuts down the socket of a connection that has been at one
request for too long: the blocked thread wakes up and is free again. That covers the TLS handshake,
the header, the body and the answer, each also when it comes in single octets.

Programs ask several things one after the other. Handing each request of a connection from the main
loop to a thread takes longer than many an answer, so a thread waits a moment for the next request
before it gives the connection back, while there are threads enough.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from typing import Any, ClassVar

from gunicorn.workers import gthread

_WHOLE = 10
"""How many times as long as the header may take the whole request may, its answer included."""


_LINGER_MILLISECONDS = 2


class BoundedWorker(gthread.ThreadWorker):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn's thread worker in which each request has an end."""

    header_seconds: ClassVar[float] = 30.0
    """How long a request's header may take; set before the workers start."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadlines: dict[Any, float] = {}

    def handle(self, conn: Any) -> Any:
        """Serve one request; a connection that has sent nothing yet waits without a thread."""
        if not conn.initialized and not conn.wait_for_data(0):
            return gthread._DEFER
        try:
            while True:
                self._deadlines[conn] = time.monotonic() + self.header_seconds
                keep = super().handle(conn)
                if keep is not True or not self._has_more(conn):
                    return keep
        finally:
            self._deadlines.pop(conn, None)

    def _has_more(self, conn: Any) -> bool:
        """Wait a moment for the next request, unless threads are getting scarce."""
        if not self.alive or 2 * len(self._deadlines) > self.cfg.threads:
            return False
        waiting = select.poll()
        waiting.register(conn.sock, select.POLLIN)
        return bool(waiting.poll(_LINGER_MILLISECONDS))

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Run the application: from here on body and answer have their own time."""
        self._deadlines[conn] = time.monotonic() + self.header_seconds * _WHOLE
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Shut down what is over time; called at each turn of the worker's main loop."""
        super().murder_pending()
        now = time.monotonic()
        for conn, deadline in list(self._deadlines.items()):
            if deadline < now:
                # socket.socket's own method: SSLSocket's would drop TLS under the reading thread.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)
