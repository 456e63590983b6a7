"""What a worker process does with its connections: takes them, reads, has answered, sends."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from kalends.common.wsgi import App, Environ
from kalends.server.http1 import response
from kalends.server.http1.acceptor import Acceptor, Listener
from kalends.server.http1.body_spool import BodySpoolQuota, RequestRefusedError
from kalends.server.http1.connection import Connection, Phase
from kalends.server.http1.environ import connection_environ, request_environ
from kalends.server.http1.leader_follower import WATCH_SECONDS, LeaderFollowerPool
from kalends.server.http1.parser import Message, MessageReader
from kalends.server.http1.response import ApplicationResponse
from kalends.server.http1.worker_load import WorkerLoadTable

_log = logging.getLogger("kalends.server")

_WHOLE = 10
"""How many times as long as the header the whole request may take, and the whole answer."""

_LARGEST_BODIES = 4
"""As many of the largest bodies may be on their way at a time."""

_GOODBYE_SECONDS = 2
_ONCE = select.EPOLLONESHOT

LogRequest = Callable[[ApplicationResponse, Message, Environ, timedelta], None]
"""Called with each request that was answered, and how long that took."""


@dataclass(frozen=True)
class ConnectionLimits:
    """What clients may take.

    Attributes:
        header_seconds: for a header; for the whole request, and for its answer, ten times that.
        idle_seconds: between two requests.
        body: octets of one.
        links: connections at a time.
    """

    header_seconds: float
    idle_seconds: float
    body: int
    links: int


class ConnectionManager:
    """The connections of one worker process.

    Args:
        app: the WSGI application.
        log_request: called with each request that was answered.
        listeners: where connections come from.
        threads: how many requests are worked at, at a time.
        number: the worker's, among those that share ``shares``.
    """

    def __init__(
        self,
        app: App,
        log_request: LogRequest,
        listeners: Sequence[Listener],
        limits: ConnectionLimits,
        *,
        threads: int,
        shares: WorkerLoadTable,
        number: int,
    ) -> None:
        self._app = app
        self._log_request = log_request
        self._limits = limits
        self._room = BodySpoolQuota(limits.body * _LARGEST_BODIES)
        self._shares = shares
        self._number = number
        self._links: dict[int, Connection] = {}
        self._alive = True
        self._errors = _Errors()
        self._epoll = select.epoll()
        self._doors = Acceptor(listeners, self._epoll, self._has_most, self._welcome)
        self._crew = LeaderFollowerPool(self._epoll, self._deal_with, threads)

    def start(self) -> None:
        """Begin to accept connections."""
        self._shares.tell(self._number, 0)
        self._doors.open()
        self._crew.start()

    @property
    def ear(self) -> int:
        """A file descriptor that is readable when `watch` should be called."""
        return self._crew.ear

    def watch(self) -> float:
        """Look after the threads; for the process's main thread.

        Returns:
            in how many seconds to call it again, if `ear` tells nothing before.
        """
        wait = self._crew.watch()
        return min(wait, WATCH_SECONDS) if self._doors.reopen() else wait

    def tidy(self) -> None:
        """Cut the connections whose time is over; to be called every second or so."""
        now = time.monotonic()
        for link in list(self._links.values()):
            if link.deadline < now:
                link.cut()

    def stop(self) -> None:
        """Accept nothing more; each connection ends with the answer it is at."""
        self._alive = False
        self._shares.leave(self._number)
        self._doors.close()

    def end_idle(self) -> None:
        """Cut the connections that wait for a request."""
        for link in list(self._links.values()):
            if link.phase is Phase.IDLE:
                link.cut()

    @property
    def is_idle(self) -> bool:
        """Whether no connection is left."""
        return not self._links

    def _deal_with(self, fd: int) -> None:
        if fd in self._doors:
            if not self._doors.answer(fd):
                self._crew.ring()  # the door must be opened again
            return
        link = self._links.get(fd)
        if link is None:
            return
        try:
            goes_on = self._advance(link)
        except OSError:  # the client is gone
            goes_on = False
        except Exception:  # noqa: BLE001 - a bug of ours ends the connection, and is logged
            _log.exception("an error of ours in the middle of an answer")
            goes_on = False
        if goes_on:
            self._epoll.modify(fd, link.waits_for | _ONCE)
        else:
            self._part_from(fd, link)

    def _has_most(self) -> bool:
        return self._shares.has_most(len(self._links))

    def _welcome(self, sock: socket.socket, client: Any, listener: Listener) -> None:
        try:
            if len(self._links) >= self._limits.links:
                self._make_room()
            sock.setblocking(False)
            own = sock.getsockname()  # the listener's may be a wildcard
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            scheme = "http"
            if listener.certificate:
                scheme = "https"
                sock = listener.certificate.context().wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
        except OSError:  # it is gone already
            sock.close()
            return
        environ = connection_environ(client, own, listener.role, scheme, self._errors)
        link = Connection(sock, environ, MessageReader(self._limits.body, self._room))
        link.enter(Phase.HEAD, time.monotonic() + self._limits.header_seconds)
        self._links[sock.fileno()] = link
        self._shares.tell(self._number, len(self._links))
        self._epoll.register(sock.fileno(), select.EPOLLIN | _ONCE)

    def _make_room(self) -> None:
        """Cut the connection that has waited longest for its client's next word."""
        waiting = [x for x in self._links.values() if x.phase in (Phase.IDLE, Phase.HEAD)]
        if waiting:
            min(waiting, key=lambda link: link.deadline).cut()

    def _part_from(self, fd: int, link: Connection) -> None:
        del self._links[fd]
        link.close()
        if self._alive:
            self._shares.tell(self._number, len(self._links))

    def _advance(self, link: Connection) -> bool:
        """Go on with a connection until it has to wait; false if it is at its end."""
        while True:
            if link.has_answer:
                if not link.push():
                    return True
                if not link.keep or not self._alive:
                    self._say_goodbye(link)
                else:
                    link.enter(Phase.IDLE, time.monotonic() + self._limits.idle_seconds)
                if not link.reader.whole and link.is_drained():
                    return True
            elif link.reader.whole and link.phase is not Phase.GOODBYE:
                self._answer(link, link.reader.whole.popleft())
            elif link.refused:
                refusal = response.refusal(link.refused)
                link.keep, link.refused = False, None
                link.answer(refusal, iter(()), lambda: None)
            else:
                data = link.receive()
                if data is None:
                    return True
                if not data:
                    return False
                if link.phase is not Phase.GOODBYE:
                    self._take(link, data)

    def _say_goodbye(self, link: Connection) -> None:
        link.say_goodbye()
        link.enter(Phase.GOODBYE, time.monotonic() + _GOODBYE_SECONDS)

    def _take(self, link: Connection, data: bytes) -> None:
        reader = link.reader
        try:
            reader.feed(data)
        except RequestRefusedError as error:
            link.refused = error.status
            return
        if reader.is_in_body:
            if link.phase is not Phase.BODY:
                seconds = self._limits.header_seconds * _WHOLE
                link.enter(Phase.BODY, time.monotonic() + seconds)
            if reader.wants_continue():
                link.sock.send(response.CONTINUE)
        elif reader.is_within and link.phase is Phase.IDLE:
            link.enter(Phase.HEAD, time.monotonic() + self._limits.header_seconds)

    def _answer(self, link: Connection, message: Message) -> None:
        """Let the application answer a request."""
        link.enter(Phase.WORK)
        began = time.perf_counter()
        answer = ApplicationResponse(message, keep_alive=message.keep_alive and self._alive)
        environ = request_environ(link.environ, message)
        body: Iterable[bytes] = ()
        try:
            body = self._app(environ, answer.start)
            pieces = answer.octets(body)
            first = next(pieces)
        except Exception:  # noqa: BLE001 - a bug of ours is a traceback in the log and a 500
            _log.exception("an error of ours in a %s", message.method)
            answer = ApplicationResponse(message, keep_alive=False)
            answer.status = "500 Internal Server Error"
            first, pieces = response.refusal(HTTPStatus.INTERNAL_SERVER_ERROR), iter(())

        def done() -> None:
            seconds = time.perf_counter() - began
            try:
                self._log_request(answer, message, environ, timedelta(seconds=seconds))
            finally:
                message.close()
                if hasattr(body, "close"):
                    body.close()

        link.keep = answer.keep_alive
        link.enter(Phase.ANSWER, time.monotonic() + self._limits.header_seconds * _WHOLE)
        link.answer(first, pieces, done)


class _Errors:
    """``wsgi.errors``: what the application writes there is in the log."""

    def write(self, text: str) -> None:
        if text.strip():
            _log.error("%s", text.rstrip())

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing is held back."""
