"""A fuzz target that sends octets on a connection to a running HTTP server."""

from __future__ import annotations

import atexit
import logging
import re
from functools import cache

from support.httpserver import Running, echo, exchange

POSSIBLE = {b"100", b"200", b"400", b"413", b"414", b"417", b"431", b"501", b"505"}
"""The statuses that may answer any octets."""

_STATUS = re.compile(rb"^HTTP/1\.[01] ([0-9]{3}) ", re.MULTILINE)
_GOOD = b"GET /good HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_MOST = 200_000


class Bugs(logging.Handler):
    """Log records of the HTTP server, which logs bugs only."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self.records.append(record)


@cache
def _server() -> tuple[Running, Bugs]:
    """Return a server that runs as long as this process."""
    running, bugs = Running(echo), Bugs()
    logging.getLogger("kalends.server").addHandler(bugs)
    atexit.register(running.close)
    return running, bugs


def http_connection(data: bytes) -> None:
    """Send octets, those after ``@REPEAT@`` again and again; then somebody else is answered."""
    beginning, _, repeated = data.partition(b"@REPEAT@")
    sent = beginning + repeated * (_MOST // len(repeated) if repeated else 0)
    running, bugs = _server()
    found = set(_STATUS.findall(exchange(running, sent)))
    assert found <= POSSIBLE, found
    assert exchange(running, _GOOD).startswith(b"HTTP/1.1 200 ")
    assert not bugs.records, [record.getMessage() for record in bugs.records]
