"""Where connections come in, and when the next one is taken."""

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
    """A socket that listens.

    Attributes:
        role: what it is for.
        certificate: what it shows to its clients, or None for plain http.
    """

    socket: socket.socket
    role: Role
    certificate: Certificate | None


class Acceptor:
    """The listening sockets of a worker process.

    Args:
        epoll: where they tell that somebody is there.
        is_fuller: whether another worker should rather take the next connection.
        welcome: takes a connection that was accepted, its client's address and its listener.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        epoll: select.epoll,
        is_fuller: Callable[[], bool],
        welcome: Callable[[socket.socket, Any, Listener], None],
    ) -> None:
        self._listeners = {listener.socket.fileno(): listener for listener in listeners}
        self._epoll = epoll
        self._is_fuller = is_fuller
        self._welcome = welcome
        self._shut: dict[int, float] = {}
        self._patient = True
        self._are_open = False

    def open(self) -> None:
        """Begin to take connections."""
        self._are_open = True
        for fd, listener in self._listeners.items():
            listener.socket.setblocking(False)
            self._epoll.register(fd, _ARMED)

    def close(self) -> None:
        """Take no more."""
        self._are_open = False
        self._shut = {}
        for fd in self._listeners:
            self._epoll.unregister(fd)

    def __contains__(self, fd: int) -> bool:
        return fd in self._listeners

    def answer(self, fd: int) -> bool:
        """Let somebody in; false if this door now stays shut for a moment, until `reopen`."""
        if not self._are_open:
            return True
        if self._patient and self._is_fuller():
            self._shut_for_now(fd)  # a worker with fewer connections may take it meanwhile
            return False
        self._patient = True
        listener = self._listeners[fd]
        try:
            sock, client = listener.socket.accept()
        except BlockingIOError:  # another worker has it
            pass
        except OSError as error:
            _log.error("cannot take a connection: %s", error.strerror or error)
            self._shut_for_now(fd)
            return False
        else:
            self._welcome(sock, client, listener)
        if self._are_open:
            self._epoll.modify(fd, _ARMED)
        return True

    def reopen(self) -> bool:
        """Open the doors whose moment is over; whether some are still shut."""
        if self._shut:
            now = time.monotonic()
            for fd in [fd for fd, until in self._shut.items() if until <= now]:
                del self._shut[fd]
                self._patient = False
                self._epoll.modify(fd, _ARMED)
        return bool(self._shut)

    def _shut_for_now(self, fd: int) -> None:
        self._shut[fd] = time.monotonic() + WATCH_SECONDS
