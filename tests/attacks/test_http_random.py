"""Random octets on a connection: what comes back is an answer or a refusal, and others go on."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.httpserver import Running, echo, exchange

PIECES = st.lists(
    st.sampled_from(
        [
            b"GET / HTTP/1.1\r\n",
            b"PUT /a HTTP/1.1\r\n",
            b"PUT /a HTTP/1.0\r\n",
            b"Host: x\r\n",
            b"Content-Length: 5\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\n",
            b"Connection: close\r\n",
            b"Connection: upgrade\r\nUpgrade: x\r\n",
            b"\r\n",
            b"hello",
            b"5\r\nhello\r\n",
            b"5;a=b\r\nhello\r\n",
            b"0\r\n\r\n",
            b"X: " + b"y" * 70_000,
            b"1\r\nx\r\n" * 1000,
            b"\r\n" * 40_000,
        ]
    )
    | st.binary(max_size=20),
    max_size=12,
).map(b"".join)
STATUS = re.compile(rb"^HTTP/1\.[01] ([0-9]{3}) ", re.MULTILINE)
POSSIBLE = {b"100", b"200", b"400", b"413", b"414", b"417", b"431", b"501", b"505"}


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with closing(Running(echo)) as started:
        yield started


class Bugs(logging.Handler):
    """Log records of the HTTP server, which logs bugs only."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(scope="module")
def bugs() -> Iterator[Bugs]:
    log, handler = logging.getLogger("kalends.server"), Bugs()
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


@settings(max_examples=100)
@given(sent=PIECES)
def test_random_octets_are_answered_or_refused(running: Running, bugs: Bugs, sent: bytes) -> None:
    answer = exchange(running, sent)
    assert set(STATUS.findall(answer)) <= POSSIBLE
    good = b"GET /good HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert exchange(running, good).startswith(b"HTTP/1.1 200 ")
    assert not bugs.records
