"""What the application answers, as octets (RFC 9112): the head, and how the body is delimited."""

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
    """The application did not answer as WSGI says: our bug."""


class ApplicationResponse:
    """The answer to one request, as the application gives it.

    Args:
        message: the request.
        keep_alive: whether the connection may go on after it.
    """

    def __init__(self, message: Message, *, keep_alive: bool) -> None:
        self._message = message
        self.keep_alive = keep_alive
        self.status = ""
        """The status line's code and phrase."""
        self.sent = 0
        """Octets of the body that were handed to the network."""
        self._headers: list[tuple[str, str]] = []
        self._written: list[bytes] = []

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        """WSGI's ``start_response``."""
        if self.status and not exc_info:
            raise BrokenResponseError("the answer was begun twice")
        if not _STATUS.fullmatch(status):
            raise BrokenResponseError("that is no status")
        self.status = status
        self._headers = headers
        return self._written.append

    def octets(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """The whole answer in pieces; the first holds the head.

        Args:
            body: what the application returned.

        Raises:
            BrokenAnswerError: there is no status, or a header could not be sent as one.
        """
        blocks = iter(body)
        first = next(blocks, b"")
        if not self.status:
            raise BrokenResponseError("no status before the body")
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

    def _head(self, known: int | None) -> tuple[bytes, bool, bool]:
        """The head, whether the body is chunked, and whether there is one (RFC 9112 section 6)."""
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
            if known is not None:
                lines.append(f"Content-Length: {known}")
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


def refusal(status: HTTPStatus) -> bytes:
    """A short answer to what is no request, after which the connection ends."""
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
"""What a client waits for that has asked whether its body is wanted."""


def _joined(lines: list[str]) -> bytes:
    text = "\r\n".join(lines)
    # A line end or NUL within a header would begin another one, or another answer.
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
        raise BrokenResponseError("a header holds a line end")
    return (text + "\r\n\r\n").encode("latin-1")


def _chunk(block: bytes) -> bytes:
    return b"%X\r\n%b\r\n" % (len(block), block) if block else b""


def _date() -> str:
    return _date_of(int(time.time()))


@lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return http_date(second)
