"""A gunicorn worker that serves by our own threads: gunicorn starts, watches and stops it."""

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
from kalends.server.http1.acceptor import Listener
from kalends.server.http1.connection_manager import ConnectionLimits, ConnectionManager
from kalends.server.http1.tls import Certificate
from kalends.server.http1.worker_load import WorkerLoadTable
from kalends.server.request_log import AccessLogger

_log = logging.getLogger("kalends.server")

_LONGEST_PAUSE_SECONDS = 10.0

LINGER_SECONDS = 0.5
"""How long a stopping worker keeps idle connections: a request may be on its way already."""


@dataclass(frozen=True)
class WorkerSetup:
    """What the server gives to a worker.

    Attributes:
        limits: what clients may take.
        loads: how much each worker has to do.
        roles: what the listeners are for.
        tls: how TLS is done; None for plain http.
        log: is told of each answered request.
    """

    limits: ConnectionLimits
    loads: WorkerLoadTable
    roles: Roles
    tls: TlsSettings | None
    log: AccessLogger


class BoundedWorker(Worker):  # type: ignore[misc] # gunicorn is not typed
    """A worker process; what a client may take of it is bounded.

    gunicorn makes it, and gives it the ``Server``, which has its setup.
    """

    def load_wsgi(self) -> None:
        """Make the application, as soon as it can be made.

        Others serve meanwhile. To end instead, as gunicorn would, would end all of them.
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
        """Serve until told to stop."""
        _allow_files(4 * self._setup.limits.connections)
        # What is there by now stays. To look it all over again and again took a sixth of the time
        # of a page of 8,000 events.
        gc.collect()
        gc.freeze()
        service = ConnectionManager(
            self.wsgi,
            self._setup.log.access,
            self._listeners(),
            self._setup.limits,
            threads=self.cfg.threads,
            loads=self._setup.loads,
            number=self.age,
        )
        service.start()
        waiting = select.poll()
        waiting.register(self.PIPE[0], select.POLLIN)  # a signal has come
        waiting.register(service.wakeup_fd, select.POLLIN)
        self._tend(service, waiting)
        service.stop()
        self._see_out(service, waiting)

    def main_address(self) -> tuple[Any, bool]:
        """The first listener's address that offers all, and whether it has TLS."""
        addresses = [sock.getsockname() for sock in self.sockets]
        offering_all = (x for x in addresses if self._setup.roles.of_socket(x) is Role.ALL)
        address = next(offering_all, addresses[0])
        return address, self._has_tls(address)

    def _listeners(self) -> list[Listener]:
        """Where connections come from."""
        certificate = Certificate(self._setup.tls) if self._setup.tls else None
        found = []
        for sock in self.sockets:
            address = sock.getsockname()
            shown = certificate if self._has_tls(address) else None
            found.append(Listener(sock, self._setup.roles.of_socket(address), shown))
        return found

    def _has_tls(self, address: object) -> bool:
        """Whether a listener shows the certificate: each TCP port of those that offer all."""
        is_main = self._setup.roles.of_socket(address) is Role.ALL
        return self._setup.tls is not None and is_main and isinstance(address, tuple)

    def _tend(self, service: ConnectionManager, waiting: select.poll) -> None:
        tidied = 0.0
        while self.alive and self.ppid == os.getppid():
            now = time.monotonic()
            if now - tidied >= 1:
                tidied = now
                self.notify()
                service.close_expired()
            waiting.poll(service.watch() * 1000)

    def _see_out(self, service: ConnectionManager, waiting: select.poll) -> None:
        """Let connections end, for as long as a graceful stop may take."""
        now = time.monotonic()
        until, linger = now + self.cfg.graceful_timeout, now + LINGER_SECONDS
        while not service.is_idle and time.monotonic() < until:
            self.notify()
            service.close_expired()
            if time.monotonic() > linger:
                service.close_idle()
            waiting.poll(min(service.watch(), 0.05) * 1000)


def _allow_files(wanted: int) -> None:
    """Let all connections be open at once, and the files that are answered with beside them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
