"""The line of each answered request in the access log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kalends.app import access_log
from kalends.common.wsgi import REQUEST_ID_KEY, Environ

if TYPE_CHECKING:
    from kalends.app.metrics import Metrics

_SECRET_PATH = re.compile(r"(/feeds/+s/+)[^/ ?]+")


class AccessLogger:
    """One line per request: who, what, the status, the octets and the microseconds.

    Args:
        metrics: counts requests as well; None if nothing does.
    """

    def __init__(self, metrics: Metrics | None) -> None:
        self._metrics = metrics

    def access(self, resp: Any, req: Any, environ: Environ, request_time: Any) -> None:
        """Write the line; the secret of an address and the query are left out."""
        path = _SECRET_PATH.sub(r"\1***", environ.get("PATH_INFO") or "")
        status = str(resp.status).partition(" ")[0]
        seconds = request_time.total_seconds()
        if self._metrics is not None:
            self._metrics.answered(environ["REQUEST_METHOD"], status, seconds)
        access_log.tell(
            environ.get("REMOTE_ADDR") or "-",
            _in_one_line(environ.get("kalends.user") or "-"),
            environ["REQUEST_METHOD"],
            _in_one_line(path),
            environ["SERVER_PROTOCOL"],
            status,
            resp.sent,
            int(seconds * 1_000_000),
            _in_one_line(environ.get("HTTP_USER_AGENT") or "-"),
            environ.get(REQUEST_ID_KEY) or "-",
        )


def _in_one_line(text: str) -> str:
    """What a client sent, with nothing in it that ends a line or a quotation."""
    if text.isprintable() and '"' not in text:
        return text
    escaped = text.encode("unicode_escape").decode("ascii")
    return escaped.replace('"', '\\"')
