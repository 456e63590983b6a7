"""``/.health`` and ``/.metrics``, on separate listeners for administrators."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from kalends.app import health
from kalends.app.container import Container
from kalends.app.metrics import CONTENT_TYPE, Gauge, Metrics
from kalends.common.wsgi import Environ, StartResponse, respond
from kalends.errors import KalendsError
from kalends.store import statistics

_log = logging.getLogger("kalends")


class AdminApplication:
    """WSGI application with these two addresses only.

    Args:
        container: the installation.
        metrics: the numbers of all workers.
    """

    def __init__(self, container: Container, metrics: Metrics) -> None:
        self._container = container
        self._metrics = metrics

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path not in ("/.health", "/.metrics"):
            status, kind, body = HTTPStatus.NOT_FOUND, "text/plain", b"/.health or /.metrics\n"
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            status, kind, body = HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b"GET or HEAD\n"
        elif path == "/.health":
            status, kind, body = self._health()
        else:
            status, kind, body = HTTPStatus.OK, CONTENT_TYPE, self._metrics.text(self._gauges())
        headers = [("Content-Type", kind), ("Cache-Control", "no-store")]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        return respond(environ, start_response, status, body, headers)

    def _health(self) -> tuple[HTTPStatus, str, bytes]:
        failures = dict(health.failures(self._container))
        report = {"status": "failing" if failures else "ok", "failures": failures}
        status = HTTPStatus.SERVICE_UNAVAILABLE if failures else HTTPStatus.OK
        return status, "application/json", json.dumps(report, indent=1).encode() + b"\n"

    def _gauges(self) -> Iterator[Gauge]:
        """Yield the current values; those that cannot be read are logged and left out."""
        container = self._container
        try:
            collections, objects = health.store_counts(container)
            yield "collections", "Homes, calendars and address books.", collections
            yield "objects", "Calendar objects and cards.", objects
            yield (
                "store_bytes",
                "Octets of the database.",
                statistics.store_octets(container.database),
            )
            yield "accounts", "Accounts that may log in.", len(container.accounts.names())
            behind = health.feeds_behind(container)
        except KalendsError as error:
            _log.error("metrics: %s", error)
        else:
            yield "feed_places", "Files and servers where feeds are published.", behind.places
            yield "feed_places_behind", "Those that do not have the newest version.", behind.behind
            yield "feed_servers_failing", "Other servers that refused a feed.", behind.failing
            yield "feed_staleness_seconds", "Age of the oldest unpublished change.", behind.seconds
        try:
            free = min(health.free_octets(container).values(), default=None)
        except OSError as error:
            _log.error("metrics: %s: %s", error.filename, error.strerror)
        else:
            if free is not None:
                yield "disk_free_bytes", "Free octets of the fullest disk that is used.", free
