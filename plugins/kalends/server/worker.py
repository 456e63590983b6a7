"""Gunicorn worker that serves with Kalends' own HTTP server; gunicorn starts and stops it."""

from __future__ import annotations

import gc
import logging
import os
import resource
import select
import sys
import time
from dataclasses import dataclass
from typing import Any

from gunicorn.workers.base import Worker

from kalends.config.listener_roles import Role, Roles
from kalends.config.tls import TlsSettings
from kalends.errors import KalendsError
from kalends.server.allocator import give_large_blocks_back
from kalends.server.http1.acceptor import Listener
from kalends.server.http1.connection_manager import ConnectionManager
from kalends.server.http1.limits import ConnectionLimits
from kalends.server.http1.tls import Certificate
from kalends.server.http1.worker_load import WorkerLoadTable
from kalends.server.request_log import AccessLogger

_log = logging.getLogger("kalends.server")

_LONGEST_PAUSE_SECONDS = 10.0
_STUCK_STATUS = 1  # gunicorn would end all workers after 3 or 4

LINGER_SECONDS = 0.5
"""How long a stopping worker keeps idle connections: a request may be on its way already."""


@dataclass(frozen=True)
class WorkerSetup:
    """The objects that the server gives to a worker.

    Attributes:
        limits: the limits for clients.
        loads: the connections of each worker.
        roles: the roles of the listeners.
        tls: the TLS options; None for plain http.
        log: logs each answered request.
    """

    limits: ConnectionLimits
    loads: WorkerLoadTable
    roles: Roles
    tls: TlsSettings | None
    log: AccessLogger


class BoundedWorker(Worker):  # type: ignore[misc] # gunicorn is not typed
    """A worker process with limits for its clients.

    gunicorn creates it with the ``Server`` as its ``app``, which provides the setup.
    """

    def load_wsgi(self) -> None:
        """Create the application; retry until that succeeds.

        Other workers serve meanwhile. If this one ended instead, gunicorn would end all of them.
        """
        pause = 1.0
        while self.alive and self.ppid == os.getppid():
            self.notify()
            try:
                super().load_wsgi()
                self._setup: WorkerSetup = self.app.worker_setup()
            except KalendsError as error:
                _log.error("a worker cannot start yet: %s", error)
            else:
                return
            select.select([self.PIPE[0]], [], [], pause)  # a signal has come
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        sys.exit(0)

    def run(self) -> None:
        """Serve until gunicorn stops this worker."""
        _allow_files(4 * self._setup.limits.connections)
        give_large_blocks_back()
        # Objects that exist by now stay until the end; scanning them in each garbage collection
        # took a sixth of the time of a page of 8,000 events.
        gc.collect()
        gc.freeze()
        connections = ConnectionManager(
            self.wsgi,
            self._setup.log,
            self._listeners(),
            self._setup.limits,
            threads=self.cfg.threads,
            loads=self._setup.loads,
            number=self.age,
        )
        connections.start()
        poller = select.poll()
        poller.register(self.PIPE[0], select.POLLIN)  # a signal has come
        poller.register(connections.wakeup_fd, select.POLLIN)
        self._maintain(connections, poller)
        connections.stop()
        self._drain(connections, poller)

    def main_address(self) -> tuple[Any, bool]:
        """Return the address of the first listener that offers all, and True if it has TLS."""
        addresses = [sock.getsockname() for sock in self.sockets]
        offering_all = (x for x in addresses if self._setup.roles.of_socket(x) is Role.ALL)
        address = next(offering_all, addresses[0])
        return address, self._has_tls(address)

    def _listeners(self) -> list[Listener]:
        certificate = Certificate(self._setup.tls) if self._setup.tls else None
        found = []
        for sock in self.sockets:
            address = sock.getsockname()
            presented = certificate if self._has_tls(address) else None
            found.append(Listener(sock, self._setup.roles.of_socket(address), presented))
        return found

    def _has_tls(self, address: object) -> bool:
        """Return True if a listener has TLS: TCP listeners that offer all have it."""
        is_main = self._setup.roles.of_socket(address) is Role.ALL
        return self._setup.tls is not None and is_main and isinstance(address, tuple)

    def _maintain(self, connections: ConnectionManager, poller: select.poll) -> None:
        closed_at = 0.0
        while self.alive and self.ppid == os.getppid():
            now = time.monotonic()
            if now - closed_at >= 1:
                closed_at = now
                self.notify()
                connections.close_expired()
                if connections.has_stuck_threads_only():
                    self._give_up()
            poller.poll(connections.watch() * 1000)

    def _give_up(self) -> None:
        """End this process at once, for gunicorn to start another: its threads cannot be ended."""
        _log.critical("all %d threads of this worker are stuck: it is replaced", self.cfg.threads)
        os._exit(_STUCK_STATUS)

    def _drain(self, connections: ConnectionManager, poller: select.poll) -> None:
        """Wait until the connections have ended, for at most the time of a graceful stop."""
        now = time.monotonic()
        until, linger = now + self.cfg.graceful_timeout, now + LINGER_SECONDS
        while not connections.is_idle and time.monotonic() < until:
            self.notify()
            connections.close_expired()
            if time.monotonic() > linger:
                connections.close_idle()
            poller.poll(min(connections.watch(), 0.05) * 1000)


def _allow_files(wanted: int) -> None:
    """Raise the limit of open files, for all connections and the files of their responses."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
