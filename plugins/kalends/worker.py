"""A gunicorn worker that serves by our own threads: gunicorn starts, watches and stops it."""

from __future__ import annotations

import os
import select
import time
from typing import ClassVar

from gunicorn.workers.base import Worker

from kalends.httpserver.crew import Crew, Limits
from kalends.httpserver.shares import Shares
from kalends.httpserver.tls import Certificate

LINGER_SECONDS = 0.5
"""How long a stopping worker keeps idle connections: a request may be on its way already."""


class BoundedWorker(Worker):  # type: ignore[misc] # gunicorn is not typed
    """A worker process; what a client may take of it is bounded."""

    limits: ClassVar[Limits]
    """Set before the workers start."""

    shares: ClassVar[Shares]
    """Made before the workers start."""

    def run(self) -> None:
        """Serve until told to stop."""
        certificate = None
        if self.cfg.is_ssl:
            certificate = Certificate(self.cfg.certfile, self.cfg.keyfile)
        crew = Crew(
            self.wsgi,
            self.log,
            self.sockets,
            self.limits,
            threads=self.cfg.threads,
            certificate=certificate,
            shares=self.shares,
            number=self.age,
        )
        crew.start()
        waiting = select.poll()
        waiting.register(self.PIPE[0], select.POLLIN)  # a signal has come
        waiting.register(crew.bell, select.POLLIN)
        self._tend(crew, waiting)
        crew.stop()
        self._see_out(crew, waiting)

    def _tend(self, crew: Crew, waiting: select.poll) -> None:
        tidied = 0.0
        while self.alive and self.ppid == os.getppid():
            now = time.monotonic()
            if now - tidied >= 1:
                tidied = now
                self.notify()
                crew.tidy()
            waiting.poll(crew.watch() * 1000)

    def _see_out(self, crew: Crew, waiting: select.poll) -> None:
        """Let connections end, for as long as a graceful stop may take."""
        now = time.monotonic()
        until, linger = now + self.cfg.graceful_timeout, now + LINGER_SECONDS
        while not crew.is_idle and time.monotonic() < until:
            self.notify()
            crew.tidy()
            if time.monotonic() > linger:
                crew.end_idle()
            waiting.poll(min(crew.watch(), 0.05) * 1000)
