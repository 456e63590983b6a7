"""Connection loop of a worker: accept, read, call the application, write."""

from __future__ import annotations

import logging
import select
import socket
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Protocol

from kalends.common import progress
from kalends.common.wsgi import App, Environ
from kalends.limit_names import Limit
from kalends.server.http1.acceptor import Acceptor, Listener
from kalends.server.http1.body_spool import BodySpoolQuota, RequestRefusedError
from kalends.server.http1.connection import Connection, Phase
from kalends.server.http1.environ import ErrorStream, connection_environ, request_environ
from kalends.server.http1.leader_follower import WATCH_SECONDS, LeaderFollowerPool
from kalends.server.http1.limits import (
    CLOSING_SECONDS,
    SPOOLED_BODIES,
    TURN_OCTETS,
    WHOLE_FACTOR,
    ConnectionLimits,
)
from kalends.server.http1.parser import Message, MessageReader
from kalends.server.http1.response import CONTINUE, ApplicationResponse, error_response
from kalends.server.http1.worker_load import WorkerLoadTable

_log = logging.getLogger("kalends.server")

_ONCE = select.EPOLLONESHOT
_UNHURRIED = (Phase.IDLE, Phase.HEAD)
_LATE = {
    Phase.HEAD: Limit.HEADER_TIME,
    Phase.BODY: Limit.BODY_TIME,
    Phase.RESPONSE: Limit.RESPONSE_TIME,
}


class RequestLog(Protocol):
    """Record of the requests of a worker."""

    def access(
        self, resp: ApplicationResponse, req: Message, environ: Environ, request_time: timedelta
    ) -> None:
        """Record an answered request and the time that it took."""

    def refused(self, limit: Limit) -> None:
        """Count a request or connection that ended because of a limit."""

    def stuck(self, environ: Environ, seconds: float) -> None:
        """Record a request whose work has made no progress for so many seconds."""


class ConnectionManager:
    """The connections of one worker process.

    Args:
        app: the WSGI application.
        log: the record of its requests.
        listeners: the sockets to accept on.
        limits: the limits for clients.
        threads: the number of requests that the application answers at a time.
        loads: the connections of each worker.
        number: this worker's number in ``loads``.
    """

    def __init__(
        self,
        app: App,
        log: RequestLog,
        listeners: Sequence[Listener],
        limits: ConnectionLimits,
        *,
        threads: int,
        loads: WorkerLoadTable,
        number: int,
    ) -> None:
        self._app = app
        self._log = log
        self._limits = limits
        self._threads = threads
        self._spool_quota = BodySpoolQuota(limits.body * SPOOLED_BODIES)
        self._loads = loads
        self._number = number
        self._connections: dict[int, Connection] = {}
        self._alive = True
        self._errors = ErrorStream()
        self._epoll = select.epoll()
        self._acceptor = Acceptor(listeners, self._epoll, self._has_most, self._add)
        self._pool = LeaderFollowerPool(self._epoll, self._handle_ready, threads)

    def start(self) -> None:
        """Start to accept connections."""
        self._loads.record(self._number, 0)
        self._acceptor.open()
        self._pool.start()

    @property
    def wakeup_fd(self) -> int:
        """A file descriptor that is readable when `watch` should be called."""
        return self._pool.wakeup_fd

    def watch(self) -> float:
        """Keep the threads and listeners going; for the process's main thread.

        Returns:
            the seconds after which to call it again, unless `wakeup_fd` is readable before.
        """
        wait = self._pool.watch()
        return min(wait, WATCH_SECONDS) if self._acceptor.resume() else wait

    def close_expired(self) -> None:
        """Close the connections whose time is over; to be called about every second."""
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.deadline < now and not connection.is_aborted:
                limit = _LATE.get(connection.phase)
                if limit and (connection.has_response or connection.reader.is_mid_request):
                    self._log.refused(limit)
                connection.abort()

    def has_stuck_threads_only(self) -> bool:
        """Tell the log which requests are stuck; return True if all threads are at such requests.

        A slow request is not stuck as long as it reports progress. To be called about every second.
        """
        now = time.monotonic()
        stuck = 0
        for connection in list(self._connections.values()):
            seconds = now - connection.progressed_at
            if seconds > self._limits.stuck_seconds:
                stuck += 1
                request = connection.take_untold_request()
                if request is not None:
                    self._log.stuck(request, seconds)
        return stuck >= self._threads

    def stop(self) -> None:
        """Stop accepting; each connection ends after the response that it is at."""
        self._alive = False
        self._loads.remove(self._number)
        self._acceptor.close()

    def close_idle(self) -> None:
        """Close the connections that wait for a request."""
        for connection in list(self._connections.values()):
            if connection.phase is Phase.IDLE:
                connection.abort()

    @property
    def is_idle(self) -> bool:
        """True if no connection is left."""
        return not self._connections

    def _handle_ready(self, fd: int) -> None:
        if fd in self._acceptor:
            if not self._acceptor.accept(fd):
                self._pool.request_watch()  # the listener is to be resumed
            return
        connection = self._connections.get(fd)
        if connection is None:
            return
        connection.begin_turn()
        try:
            goes_on = self._advance(connection)
        except OSError:  # the client is gone
            goes_on = False
        except Exception:  # noqa: BLE001 - a bug in Kalends ends the connection and is logged
            _log.exception("internal error in the middle of a response")
            goes_on = False
        connection.end_turn()
        if goes_on:
            self._epoll.modify(fd, connection.waits_for | _ONCE)
        else:
            self._remove(fd, connection)

    def _has_most(self) -> bool:
        return self._loads.has_most(len(self._connections))

    def _add(self, sock: socket.socket, client: Any, listener: Listener) -> None:
        try:
            if len(self._connections) >= self._limits.connections and not self._make_room():
                sock.close()
                return
            sock.setblocking(False)
            local = sock.getsockname()  # the listener's may be a wildcard
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            scheme = "http"
            if listener.certificate:
                scheme = "https"
                sock = listener.certificate.context().wrap_socket(
                    sock, server_side=True, do_handshake_on_connect=False
                )
        except OSError:  # the client is gone
            sock.close()
            return
        environ = connection_environ(client, local, listener.role, scheme, self._errors)
        limits = self._limits
        reader = MessageReader(limits.body, self._spool_quota, limits.login_fields)
        connection = Connection(sock, environ, reader)
        connection.enter(Phase.HEAD, time.monotonic() + self._limits.header_seconds)
        self._connections[sock.fileno()] = connection
        self._loads.record(self._number, len(self._connections))
        self._epoll.register(sock.fileno(), select.EPOLLIN | _ONCE)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for its client; return False if none waits.

        First come those that have not begun to send a body or to take a response.
        """
        self._log.refused(Limit.CONNECTIONS)
        waiting = [
            (x.phase not in _UNHURRIED, x.deadline, fd)
            for fd, x in list(self._connections.items())
            if x.phase is not Phase.APPLICATION and not x.is_aborted
        ]
        if waiting:
            self._connections[min(waiting)[2]].abort()
        return bool(waiting)

    def _remove(self, fd: int, connection: Connection) -> None:
        del self._connections[fd]
        connection.close()
        if self._alive:
            self._loads.record(self._number, len(self._connections))

    def _advance(self, connection: Connection) -> bool:
        """Advance a connection until it has to wait or its turn is over.

        Returns:
            False if it is at its end.
        """
        octets = 0
        while octets < TURN_OCTETS:
            if connection.has_response:
                if not connection.send():
                    return True
                if not connection.keep_alive or not self._alive:
                    self._begin_closing(connection)
                elif connection.reader.complete:
                    connection.enter(Phase.HEAD, time.monotonic() + self._limits.header_seconds)
                    break
                else:
                    connection.enter(Phase.IDLE, time.monotonic() + self._limits.idle_seconds)
                if connection.is_drained():
                    return True
            elif connection.reader.complete and connection.phase is not Phase.CLOSING:
                self._run_application(connection, connection.reader.complete.popleft())
            elif connection.refused:
                refusal = error_response(connection.refused)
                connection.keep_alive, connection.refused = False, None
                connection.begin_response(refusal, iter(()), lambda: None)
            else:
                data = connection.receive()
                if data is None:
                    return True
                if not data:
                    return False
                octets += len(data)
                if connection.phase is not Phase.CLOSING:
                    self._parse(connection, data)
        connection.yield_turn()
        return True

    def _begin_closing(self, connection: Connection) -> None:
        connection.shut_down_sending()
        connection.enter(Phase.CLOSING, time.monotonic() + CLOSING_SECONDS)

    def _parse(self, connection: Connection, data: bytes) -> None:
        reader = connection.reader
        try:
            reader.receive(data)
        except RequestRefusedError as error:
            connection.refused = error.status
            if error.limit:
                self._log.refused(error.limit)
            return
        if reader.is_in_body:
            if connection.phase is not Phase.BODY:
                seconds = self._limits.header_seconds * WHOLE_FACTOR
                connection.enter(Phase.BODY, time.monotonic() + seconds)
            if reader.wants_continue():
                connection.sock.send(CONTINUE)
        elif reader.is_mid_request and connection.phase is Phase.IDLE:
            connection.enter(Phase.HEAD, time.monotonic() + self._limits.header_seconds)

    def _run_application(self, connection: Connection, message: Message) -> None:
        """Have the application answer a request."""
        began = time.perf_counter()
        response = ApplicationResponse(message, keep_alive=message.keep_alive and self._alive)
        environ = request_environ(connection.environ, message)
        connection.begin_request(environ)
        body: Iterable[bytes] = ()
        try:
            with progress.reported_to(connection.note_progress):
                body = self._app(environ, response.start)
                pieces = response.octets(body)
                first = next(pieces)
        except Exception:  # noqa: BLE001 - a bug in Kalends is a traceback in the log and a 500
            _log.exception("internal error in a %s", message.method)
            response = ApplicationResponse(message, keep_alive=False)
            response.status = "500 Internal Server Error"
            first, pieces = error_response(HTTPStatus.INTERNAL_SERVER_ERROR), iter(())

        def done() -> None:
            seconds = time.perf_counter() - began
            try:
                self._log.access(response, message, environ, timedelta(seconds=seconds))
            finally:
                message.close()
                if hasattr(body, "close"):
                    body.close()

        connection.keep_alive = response.keep_alive
        connection.enter(
            Phase.RESPONSE, time.monotonic() + self._limits.header_seconds * WHOLE_FACTOR
        )
        connection.begin_response(first, pieces, done)
