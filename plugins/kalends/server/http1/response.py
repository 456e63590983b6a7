"""Response of the application as octets (RFC 9112): its head, and how the body is delimited."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from kalends.common.http import http_date
from kalends.server.http1.parser import Message

_STATUS = re.compile(r"[1-5][0-9]{2} [\t\x20-\x7e]*")
_OF_THE_CONNECTION = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "trailer", "date", "server"}
)
_LAST_CHUNK = b"0\r\n\r\n"


class BrokenResponseError(Exception):
    """A response that does not conform to WSGI: a bug in Kalends."""


class ApplicationResponse:
    """The application's response to one request.

    Args:
        message: the request.
        keep_alive: False to close the connection after the response.
    """

    def __init__(self, message: Message, *, keep_alive: bool) -> None:
        self._message = message
        self.keep_alive = keep_alive
        self.status = ""
        """The code and phrase of the status line."""
        self.sent = 0
        """The octets of the body that were handed over for sending."""
        self._headers: list[tuple[str, str]] = []
        self._written: list[bytes] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """Set status and headers, as WSGI's ``start_response``."""
        if self.status and not exc_info:
            raise BrokenResponseError("start_response was called twice")
        if not _STATUS.fullmatch(status):
            raise BrokenResponseError("start_response was called with an invalid status")
        self.status = status
        self._headers = headers
        return self._written.append

    def octets(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the whole response in pieces; the first contains the head.

        Args:
            body: the iterable that the application returned.

        Yields:
            the octets to send.

        Raises:
            BrokenResponseError: start_response was not called, or a header contains a line end.
        """
        blocks = iter(body)
        first = next(blocks, b"")
        if not self.status:
            raise BrokenResponseError("the body came before start_response was called")
        if self._written:
            first = b"".join([*self._written, first])
        single = isinstance(body, list | tuple) and len(body) < 2 and not self._written
        head, chunked, has_body = self._head(len(first) if single else None)
        if not has_body:
            yield head
            return
        self.sent += len(first)
        yield head + (_chunk(first) if chunked else first)
        for block in blocks:
            if block:
                self.sent += len(block)
                yield _chunk(block) if chunked else block
        if chunked:
            yield _LAST_CHUNK

    def _head(self, length: int | None) -> tuple[bytes, bool, bool]:
        """Return the head, and two flags: a chunked body, any body (RFC 9112 section 6).

        Args:
            length: the length of the body in octets, if it is known without the application's word.
        """
        code = self.status[:3]
        lines = [f"HTTP/{self._message.version} {self.status}", "Server: kalends"]
        lines.append(f"Date: {_date()}")
        has_length = False
        for name, value in self._headers:
            lower = name.lower()
            if lower in _OF_THE_CONNECTION:
                continue
            if lower == "content-length":
                if code == "204":
                    continue
                has_length = True
            lines.append(f"{name}: {value}")
        is_empty = code in ("204", "304") or code[0] == "1"
        has_body = not is_empty and self._message.method != "HEAD"
        chunked = False
        if not has_length and not is_empty:
            if length is not None:
                lines.append(f"Content-Length: {length}")
            elif self._message.version == "1.1":
                chunked = True
                lines.append("Transfer-Encoding: chunked")
            elif has_body:
                self.keep_alive = False
        if not self.keep_alive:
            lines.append("Connection: close")
        elif self._message.version == "1.0":
            lines.append("Connection: keep-alive")
        return _joined(lines), chunked, has_body


def error_response(status: HTTPStatus) -> bytes:
    """Return a short error response, after which the connection ends."""
    text = f"{status.phrase}\n".encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Server: kalends",
        f"Date: {_date()}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text)}",
        "Connection: close",
    ]
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        lines.append("Retry-After: 30")
    return _joined(lines) + text


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The interim response to ``Expect: 100-continue``."""


def _joined(lines: list[str]) -> bytes:
    text = "\r\n".join(lines)
    # A line end or NUL within a header would begin another header, or another response.
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise BrokenResponseError("a header contains a line end or NUL")
    return (text + "\r\n\r\n").encode("latin-1")


def _chunk(block: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(block), block) if block else b""


def _date() -> str:
    return _date_of(int(time.time()))


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return http_date(second)
