"""``kalends serve``: workers that gunicorn starts, on our own listeners, no secret in a log.

Why gunicorn: see "The HTTP server" in ``plugins/README.md``.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from kalends.app import container
from kalends.app.logging_setup import configure_logging
from kalends.app.stack import ApplicationStack
from kalends.config import loader
from kalends.config.settings import Settings
from kalends.errors import KalendsError, StoreGoneError
from kalends.server.http1.connection_manager import ConnectionLimits
from kalends.server.http1.worker_load import WorkerLoadTable
from kalends.server.request_log import AccessLogger
from kalends.server.sockets import BACKLOG, require_certificate, wait_for
from kalends.server.worker import BoundedWorker, WorkerSetup
from kalends.store.engine import open_database

if TYPE_CHECKING:
    from kalends.app.metrics import Metrics

_log = logging.getLogger("kalends.server")

GRACEFUL_SECONDS = 20
"""How long a stop waits for the requests that are being answered."""

KEEP_ALIVE_SECONDS = 75
"""How long a connection without a request is kept: longer than proxies keep theirs."""

_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_CONNECTIONS = 1000


class ServerLogger(Logger):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn's own log, left to our handlers."""

    def setup(self, cfg: Any) -> None:
        """Let what gunicorn says of errors go where our own log goes."""
        self.cfg = cfg
        self.error_log.setLevel(logging.WARNING)
        self.error_log.propagate = True


class ReloadingArbiter(Arbiter):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn's master: on SIGHUP new workers take over, and the old ones finish what they do."""

    def reload(self) -> None:
        """Read the configuration again; what cannot be used changes nothing."""
        try:
            self.app.read_again()
        except KalendsError as error:
            _log.error("not reloaded: %s; what was read before is still served", error)
            return
        super().reload()


class Server(BaseApplication):  # type: ignore[misc] # gunicorn is not typed
    """Gunicorn, told everything by our settings."""

    def __init__(
        self,
        loaded: loader.LoadedConfiguration,
        listeners: Sequence[socket.socket],
        announce: Callable[[str], str],
    ) -> None:
        self._loaded = loaded
        self._settings = loaded.settings
        self._bind = [f"fd://{listener.detach()}" for listener in listeners]
        self._announce = announce
        self._metrics: Metrics | None = None
        self._loads = WorkerLoadTable()
        # What the listeners are for stays as it was when they were opened.
        self._roles = loaded.settings.roles
        # One byte for one worker: whoever takes it tells the person that the server answers.
        self._first, self._token = os.pipe2(os.O_NONBLOCK)
        os.write(self._token, b"1")
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options; none is read from its own files or variables."""
        settings = self._settings
        options: dict[str, Any] = {
            "bind": self._bind,
            "workers": settings.workers,
            "worker_class": BoundedWorker,
            "threads": settings.threads,
            # A worker whose main loop stands still for so long is replaced.
            "timeout": 60,
            "graceful_timeout": GRACEFUL_SECONDS,
            "backlog": BACKLOG,
            "logger_class": ServerLogger,
            "post_worker_init": self._worker_ready,
            "child_exit": self._worker_gone,
            "proc_name": "kalends",
            # No socket beside ours that takes commands.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The WSGI application, made in each worker of what the master has read.

        Raises:
            KalendsError: something in the store or in other files is not as it must be.
        """
        database = open_database(self._settings.database)
        if not database.exists():  # it was there when the server started: make no empty one
            raise StoreGoneError(database.name, "it is not there any more")
        # Without the folder nobody listened when the listeners were opened.
        if self._settings.admin_hosts and _METRICS_FOLDER in os.environ:
            # Not loaded where nobody asks for it: that takes a tenth of a second.
            from kalends.app.metrics import Metrics

            self._metrics = Metrics()
        served = ApplicationStack(self._loaded, database, metrics=self._metrics)
        try:
            served.look()
        except KalendsError:
            served.close()
            raise
        return served

    def worker_setup(self) -> WorkerSetup:
        """Return what a worker is given, which asks for it after its application is made."""
        limits = ConnectionLimits(
            header_seconds=self._settings.timeout,
            idle_seconds=KEEP_ALIVE_SECONDS,
            body=self._settings.max_content_length,
            connections=_CONNECTIONS,
        )
        return WorkerSetup(
            limits, self._loads, self._roles, self._settings.tls, AccessLogger(self._metrics)
        )

    def read_again(self) -> None:
        """Take the configuration as it is now, for the workers to come.

        Raises:
            KalendsError: it cannot be used; nothing has changed.
        """
        loaded = loader.load(self._settings.path)
        with container.opened(loaded) as built:
            built.require_readable()
            built.migrate()
            require_certificate(loaded.settings)
        self._loaded = loaded
        self._settings = loaded.settings
        configure_logging(self._loaded)

    def run(self) -> None:
        """Serve until told to stop."""
        try:
            ReloadingArbiter(self).run()
        except RuntimeError as error:
            sys.stderr.write(f"kalends: {error}\n")
            sys.exit(1)

    def _worker_ready(self, worker: Any) -> None:
        worker.wsgi.start()
        try:
            os.read(self._first, 1)
        except BlockingIOError:
            return
        threading.Thread(target=self._tell, args=worker.main_address(), daemon=True).start()

    def _worker_gone(self, _arbiter: Any, worker: Any) -> None:
        self._loads.remove(worker.age)

    def _tell(self, address: Any, tls: bool) -> None:
        url = wait_for(address, tls)
        sys.stdout.write(f"Kalends serves {url}\n{self._announce(url)}")
        sys.stdout.flush()


def serve(
    loaded: loader.LoadedConfiguration,
    listeners: Sequence[socket.socket],
    announce: Callable[[str], str],
) -> None:
    """Serve until told to stop (SIGTERM, SIGINT).

    Args:
        loaded: the configuration.
        listeners: from ``opening.open_listeners``.
        announce: what to say of a server that answers at this URL, after the first line.
    """
    with _folder_of_metrics(loaded.settings):
        Server(loaded, listeners, announce).run()


@contextmanager
def _folder_of_metrics(settings: Settings) -> Iterator[None]:
    """Where workers count for each other, if anybody is to read it; gone with the server."""
    if not settings.admin_hosts:
        yield
        return
    ours = os.getpid()
    folder = tempfile.mkdtemp(prefix="kalends-metrics-")
    os.environ[_METRICS_FOLDER] = folder
    try:
        yield
    finally:
        if os.getpid() == ours:  # workers leave this block as well
            shutil.rmtree(folder, ignore_errors=True)
