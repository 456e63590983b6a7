"""``kalends serve``: gunicorn's master process, on listeners that Kalends has opened.

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
from kalends.server.http1.limits import ConnectionLimits
from kalends.server.http1.worker_load import WorkerLoadTable
from kalends.server.request_log import AccessLogger
from kalends.server.sockets import BACKLOG, require_certificate, wait_for
from kalends.server.worker import BoundedWorker, WorkerSetup
from kalends.store.engine import open_database

if TYPE_CHECKING:
    from kalends.app.metrics import Metrics

_log = logging.getLogger("kalends.server")

GRACEFUL_SECONDS = 20
"""How long a stop waits for requests in progress."""

HANGING_SECONDS = 30
"""How long the main thread of a worker may hang before it is replaced; see `STUCK_SECONDS`."""

# The second is that of a trusted proxy; the HTTP server does not know which proxies are trusted.
_LOGIN_FIELDS = frozenset({b"authorization", b"x-remote-user"})
_METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class ServerLogger(Logger):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn's logger, which leaves its records to Kalends' handlers."""

    def setup(self, cfg: Any) -> None:
        """Let gunicorn's warnings and errors propagate to Kalends' log."""
        self.cfg = cfg
        self.error_log.setLevel(logging.WARNING)
        self.error_log.propagate = True


class ReloadingArbiter(Arbiter):  # type: ignore[misc] # gunicorn is not typed
    """gunicorn's master; on SIGHUP new workers take over, and old ones finish their requests."""

    def reload(self) -> None:
        """Reload the configuration; one that cannot be used changes nothing."""
        try:
            self.app.reload_configuration()
        except KalendsError as error:
            _log.error("not reloaded: %s; the previous configuration stays in use", error)
            return
        super().reload()


class Server(BaseApplication):  # type: ignore[misc] # gunicorn is not typed
    """The gunicorn application, configured by Kalends' settings.

    Args:
        loaded: the configuration.
        listeners: the listening sockets; empty if systemd passes them.
        announce: returns a text to print after the first line, given the server's URL.
    """

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
        # A reload does not change the roles, since the listeners stay open.
        self._roles = loaded.settings.roles
        # One byte: the worker that reads it announces that the server answers.
        self._announcer, announcer_end = os.pipe2(os.O_NONBLOCK)
        os.write(announcer_end, b"1")
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options; none is read from its own files or variables."""
        settings = self._settings
        options: dict[str, Any] = {
            "bind": self._bind,
            "workers": settings.workers,
            "worker_class": BoundedWorker,
            "threads": settings.threads,
            "timeout": HANGING_SECONDS,
            "graceful_timeout": GRACEFUL_SECONDS,
            "backlog": BACKLOG,
            "logger_class": ServerLogger,
            "post_worker_init": self._worker_ready,
            "child_exit": self._worker_gone,
            "proc_name": "kalends",
            # No socket for commands.
            "control_socket_disable": True,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the WSGI application; each worker creates its own from the loaded configuration.

        Raises:
            KalendsError: the store or another file cannot be used.
        """
        database = open_database(self._settings.database)
        if not database.exists():  # it existed when the server started: do not create an empty one
            raise StoreGoneError(
                database.name,
                "it no longer exists; restore it, or restart Kalends to create a new one",
            )
        # The folder is missing if no admin listener was opened at the start.
        if self._settings.admin_hosts and _METRICS_FOLDER in os.environ:
            # Imported only if needed: that takes a tenth of a second.
            from kalends.app.metrics import Metrics

            self._metrics = Metrics()
        served = ApplicationStack(self._loaded, database, metrics=self._metrics)
        try:
            served.preload()
        except KalendsError:
            served.close()
            raise
        return served

    def worker_setup(self) -> WorkerSetup:
        """Return the setup of a worker, which asks for it after it has created its application."""
        limits = ConnectionLimits(
            header_seconds=self._settings.timeout,
            body=self._settings.max_content_length,
            login_fields=_LOGIN_FIELDS,
            connections=self._settings.max_connections,
            stuck_seconds=self._settings.stuck_seconds,
        )
        return WorkerSetup(
            limits, self._loads, self._roles, self._settings.tls, AccessLogger(self._metrics)
        )

    def reload_configuration(self) -> None:
        """Load the configuration file again, for the workers that start from now on.

        Raises:
            KalendsError: the file cannot be used; nothing has changed.
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
        """Serve until a signal stops the server."""
        try:
            ReloadingArbiter(self).run()
        except RuntimeError as error:
            sys.stderr.write(f"kalends: {error}\n")
            sys.exit(1)

    def _worker_ready(self, worker: Any) -> None:
        worker.wsgi.start()
        try:
            os.read(self._announcer, 1)
        except BlockingIOError:
            return
        threading.Thread(
            target=self._print_address, args=worker.main_address(), daemon=True
        ).start()

    def _worker_gone(self, _arbiter: Any, worker: Any) -> None:
        self._loads.remove(worker.age)

    def _print_address(self, address: Any, tls: bool) -> None:
        url = wait_for(address, tls)
        sys.stdout.write(f"Kalends serves {url}\n{self._announce(url)}")
        sys.stdout.flush()


def serve(
    loaded: loader.LoadedConfiguration,
    listeners: Sequence[socket.socket],
    announce: Callable[[str], str],
) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        loaded: the configuration.
        listeners: the sockets from ``sockets.open_listeners``.
        announce: returns a text to print after the first line, given the server's URL.
    """
    with _metrics_folder(loaded.settings):
        Server(loaded, listeners, announce).run()


@contextmanager
def _metrics_folder(settings: Settings) -> Iterator[None]:
    """Create the folder in which workers share metrics, if they are on; delete it at the end."""
    if not settings.admin_hosts:
        yield
        return
    master = os.getpid()
    folder = tempfile.mkdtemp(prefix="kalends-metrics-")
    os.environ[_METRICS_FOLDER] = folder
    try:
        yield
    finally:
        if os.getpid() == master:  # workers leave this block as well
            shutil.rmtree(folder, ignore_errors=True)
