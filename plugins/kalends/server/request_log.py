"""Record of the requests of a worker: lines in the logs, and counts in the metrics."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from kalends.app import access_log
from kalends.common.failures import LIMIT_KEY
from kalends.common.masking import mask_addresses, mask_path
from kalends.common.wsgi import REQUEST_ID_KEY, Environ
from kalends.limit_names import Limit

if TYPE_CHECKING:
    from kalends.app.metrics import Metrics

_log = logging.getLogger("kalends.server")


class AccessLogger:
    """Record of answered, refused and stuck requests.

    An answered one has a line: client, request, status, octets and microseconds.

    Args:
        metrics: counts the requests as well; None if metrics are off.
    """

    def __init__(self, metrics: Metrics | None) -> None:
        self._metrics = metrics

    def access(self, resp: Any, req: Any, environ: Environ, request_time: Any) -> None:
        """Write the line of a request, without its query and without secrets; count it.

        Args:
            resp: the response.
            req: the request.
            environ: the WSGI environ of the request.
            request_time: how long the request took.
        """
        path = mask_path(environ.get("PATH_INFO") or "")
        status = str(resp.status).partition(" ")[0]
        seconds = request_time.total_seconds()
        if self._metrics is not None:
            self._metrics.count_request(environ["REQUEST_METHOD"], status, seconds)
            if limit := environ.get(LIMIT_KEY):
                self._metrics.count_refusal(limit)
        access_log.write(
            environ.get("REMOTE_ADDR") or "-",
            _in_one_line(environ.get("kalends.user") or "-"),
            environ["REQUEST_METHOD"],
            _in_one_line(path),
            environ["SERVER_PROTOCOL"],
            status,
            resp.sent,
            int(seconds * 1_000_000),
            _in_one_line(mask_addresses(environ.get("HTTP_USER_AGENT") or "-")),
            environ.get(REQUEST_ID_KEY) or "-",
        )

    def refused(self, limit: Limit) -> None:
        """Count a request or connection that ended because of a limit of the HTTP server."""
        if self._metrics is not None:
            self._metrics.count_refusal(limit)

    def stuck(self, environ: Environ, seconds: float) -> None:
        """Log and count a request whose work has made no progress for so many seconds."""
        if self._metrics is not None:
            self._metrics.count_stuck()
        _log.error(
            "%s of %s by %s [%s] is stuck: it has made no progress for %d seconds",
            environ["REQUEST_METHOD"],
            _in_one_line(mask_path(environ.get("PATH_INFO") or "")),
            _in_one_line(environ.get("kalends.user") or "-"),
            environ.get(REQUEST_ID_KEY) or "-",
            seconds,
        )


def _in_one_line(text: str) -> str:
    """Return a client's text with line ends, quotation marks and control characters escaped."""
    if text.isprintable() and '"' not in text:
        return text
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped.replace('"', '\\"')
