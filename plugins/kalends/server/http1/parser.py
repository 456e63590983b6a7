"""Octets of a client to requests (RFC 9112), without I/O; httptools reads the grammar."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import IO

import httptools

from kalends.server.http1.body_spool import BodySpoolQuota, LargeBody, RequestRefusedError

HEAD_LIMIT = 1 << 16
"""The octets that a request line and the header fields may have together."""

TARGET_LIMIT = 8190
"""The octets that a request target may have, as in Apache's LimitRequestLine."""

_IN_MEMORY = 1 << 17


@dataclass(slots=True)
class Message:
    """One request as it came.

    Attributes:
        target: the request target, as the client wrote it.
        version: ``1.1`` or ``1.0``.
        fields: names and values of the header; names as they were written.
        length: octets of the body.
        keep_alive: whether the client wants to go on with the connection.
        large: the body, if it is too large for the memory.
    """

    method: str = ""
    target: bytes = b""
    version: str = "1.1"
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: IO[bytes] | None = None
    length: int = 0
    keep_alive: bool = True
    large: LargeBody | None = None

    def close(self) -> None:
        """Let go of the body."""
        if self.large is not None:
            self.large.close()


class MessageReader:
    """Takes octets as they come and gives whole requests.

    Args:
        body_limit: the octets that a body may have.
        room: for large ones.
    """

    def __init__(self, body_limit: int, room: BodySpoolQuota) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body_limit = body_limit
        self._room = room
        self._refused: HTTPStatus | None = None
        self._message = Message()
        self._in_head = False
        self._head_octets = 0
        self._expects = False
        self._has_host = False
        self._pieces: list[bytes] = []
        self.whole: deque[Message] = deque()
        """Requests that are there whole and were not taken yet."""
        self.is_within = False
        """Whether a request has begun that is not whole."""
        self.is_in_body = False
        """Whether of that request the body is coming."""

    def feed(self, data: bytes) -> None:
        """Take the next octets.

        Raises:
            RefusedError: they are no request; what was whole before them is in `whole`.
        """
        if self._in_head or not self.is_within:
            self._head_octets += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # We stay with HTTP/1.1 (RFC 9110 section 7.8), but what follows may be something else.
            if self.whole:
                self.whole[-1].keep_alive = False
        except httptools.HttpParserCallbackError:
            raise RequestRefusedError(self._refused or HTTPStatus.BAD_REQUEST) from None
        except httptools.HttpParserInvalidMethodError:
            raise RequestRefusedError(HTTPStatus.NOT_IMPLEMENTED) from None
        except httptools.HttpParserError:
            raise RequestRefusedError(HTTPStatus.BAD_REQUEST) from None
        if self._in_head and self._head_octets > HEAD_LIMIT:
            raise RequestRefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def wants_continue(self) -> bool:
        """Whether the client waits for "100 Continue" (RFC 9110 section 10.1.1); true once."""
        wanted = self._expects and self.is_in_body
        self._expects = False
        return wanted

    # What httptools calls:

    def on_message_begin(self) -> None:
        """A request begins."""
        self._message = Message()
        self._pieces = []
        self.is_within = self._in_head = True
        self._expects = False
        self._has_host = False

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._message.target += url
        if len(self._message.target) > TARGET_LIMIT:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the header, or of a trailer, which counts for nothing."""
        if self._in_head:
            self._message.fields.append((name, value))
            look = _LOOKED_AT.get(name.lower())
            if look is not None:
                look(self, value)

    def on_headers_complete(self) -> None:
        """The header is whole."""
        message, parser = self._message, self._parser
        self._in_head = False
        self._head_octets = 0
        self.is_in_body = True
        message.version = parser.get_http_version()
        if message.version not in ("1.1", "1.0"):
            self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        message.method = parser.get_method().decode("ascii")
        message.keep_alive = parser.should_keep_alive()
        self._expects = self._expects and message.version == "1.1"

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        message = self._message
        message.length += len(data)
        if message.length > self._body_limit:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if message.large is None and message.length <= _IN_MEMORY:
            self._pieces.append(data)
            return
        try:
            self._write_large(message, data)
        except RequestRefusedError as error:
            message.close()
            self._refuse(error.status)

    def _write_large(self, message: Message, data: bytes) -> None:
        if message.large is None:
            message.large = LargeBody(self._room)
            message.large.write(b"".join(self._pieces))
            self._pieces = []
        message.large.write(data)

    def on_message_complete(self) -> None:
        """The request is whole."""
        message = self._message
        if message.large is None:
            message.body = BytesIO(b"".join(self._pieces))
        else:
            try:
                message.large.rewind()
            except RequestRefusedError as error:
                self._refuse(error.status)
            message.body = message.large.file
        self._pieces = []
        self.is_within = self.is_in_body = False
        self.whole.append(message)

    def close(self) -> None:
        """Let go of what is there of bodies."""
        for message in (self._message, *self.whole):
            message.close()
        self.whole.clear()

    def _look_at_host(self, _value: bytes) -> None:
        if self._has_host:
            self._refuse(HTTPStatus.BAD_REQUEST)
        self._has_host = True

    def _look_at_length(self, value: bytes) -> None:
        if value.isdigit() and int(value) > self._body_limit:  # what else it is, the parser says
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def _look_at_expect(self, value: bytes) -> None:
        if value.lower() != b"100-continue":
            self._refuse(HTTPStatus.EXPECTATION_FAILED)
        self._expects = True

    def _refuse(self, status: HTTPStatus) -> None:
        self._refused = status
        raise RequestRefusedError(status)


_LOOKED_AT = {
    b"host": MessageReader._look_at_host,
    b"content-length": MessageReader._look_at_length,
    b"expect": MessageReader._look_at_expect,
}
