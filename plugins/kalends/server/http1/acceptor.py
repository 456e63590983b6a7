"""Acceptor of connections on the listening sockets of a worker process."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kalends.config.listener_roles import Role
from kalends.server.http1.leader_follower import WATCH_SECONDS
from kalends.server.http1.tls import Certificate

_log = logging.getLogger("kalends.server")

_ARMED = select.EPOLLIN | select.EPOLLONESHOT


@dataclass(frozen=True)
class Listener:
    """A listening socket.

    Attributes:
        role: what the listener offers.
        certificate: the certificate to present to clients, or None for plain http.
    """

    socket: socket.socket
    role: Role
    certificate: Certificate | None


class Acceptor:
    """The listening sockets of a worker process.

    Args:
        listeners: the sockets to accept on.
        epoll: the epoll that reports connections to accept.
        should_defer: returns True if another worker should take the next connection.
        on_accept: takes an accepted socket, its client's address and its listener.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        epoll: select.epoll,
        should_defer: Callable[[], bool],
        on_accept: Callable[[socket.socket, Any, Listener], None],
    ) -> None:
        self._listeners = {listener.socket.fileno(): listener for listener in listeners}
        self._epoll = epoll
        self._should_defer = should_defer
        self._on_accept = on_accept
        self._paused: dict[int, float] = {}
        self._may_defer = True
        self._is_open = False

    def open(self) -> None:
        """Start to accept connections."""
        self._is_open = True
        for fd, listener in self._listeners.items():
            listener.socket.setblocking(False)
            self._epoll.register(fd, _ARMED)

    def close(self) -> None:
        """Stop accepting connections."""
        self._is_open = False
        self._paused = {}
        for fd in self._listeners:
            self._epoll.unregister(fd)

    def __contains__(self, fd: int) -> bool:
        return fd in self._listeners

    def accept(self, fd: int) -> bool:
        """Accept one connection; return False if the listener is paused until `resume`.

        Args:
            fd: the descriptor of the listening socket.
        """
        if not self._is_open:
            return True
        if self._may_defer and self._should_defer():
            self._pause(fd)  # a worker with fewer connections may take it meanwhile
            return False
        self._may_defer = True
        listener = self._listeners[fd]
        try:
            sock, client = listener.socket.accept()
        except BlockingIOError:  # another worker has it
            pass
        except OSError as error:
            _log.error("cannot accept a connection: %s", error.strerror or error)
            self._pause(fd)
            return False
        else:
            self._on_accept(sock, client, listener)
        if self._is_open:
            self._epoll.modify(fd, _ARMED)
        return True

    def resume(self) -> bool:
        """Resume the listeners whose pause is over; return True if others are still paused."""
        if self._paused:
            now = time.monotonic()
            for fd in [fd for fd, until in self._paused.items() if until <= now]:
                del self._paused[fd]
                self._may_defer = False
                self._epoll.modify(fd, _ARMED)
        return bool(self._paused)

    def _pause(self, fd: int) -> None:
        self._paused[fd] = time.monotonic() + WATCH_SECONDS
