"""A firewall between two hosts that can lose its state."""

from __future__ import annotations

import contextlib
import select
import socket
import threading


class Firewall:
    """A forwarder of connections from a free port to another one.

    Args:
        port: the target, a port of 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._generation = 0
        threading.Thread(target=self._take, daemon=True).start()

    def forget(self) -> None:
        """Cut off each present connection as soon as data is sent on it."""
        self._generation += 1

    def close(self) -> None:
        """Accept no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _take(self) -> None:
        with contextlib.suppress(OSError):  # raised by accept() once it is closed
            while True:
                inside, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(inside,), daemon=True).start()

    def _pass_on(self, inside: socket.socket) -> None:
        generation = self._generation
        outside = socket.create_connection(("127.0.0.1", self._target))
        other = {inside: outside, outside: inside}
        with inside, outside, contextlib.suppress(OSError):
            while True:
                for ready in select.select([inside, outside], [], [])[0]:
                    data = ready.recv(1 << 16)
                    if not data or generation != self._generation:
                        return
                    other[ready].sendall(data)
