"""Parser of requests (RFC 9112) on httptools, without I/O but for large bodies."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import IO

import httptools

from kalends.server.http1.body_spool import BodySpoolQuota, LargeBody, RequestRefusedError

HEAD_LIMIT = 1 << 16
"""The largest request line and header fields together, in octets."""

TARGET_LIMIT = 8190
"""The largest request target, in octets, as in Apache's LimitRequestLine."""

_IN_MEMORY = 1 << 17


@dataclass(slots=True)
class Message:
    """One request as received.

    Attributes:
        method: the request method.
        target: the request target, as the client wrote it.
        version: ``1.1`` or ``1.0``.
        fields: names and values of the header fields, as the client wrote them.
        body: the body, once the request is complete.
        length: the length of the body, in octets.
        keep_alive: True if the client wants to keep the connection.
        large: the body on disk, if it is too large for memory.
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
        """Close the body."""
        if self.large is not None:
            self.large.close()


class MessageReader:
    """Incremental parser of the octets of one connection.

    Args:
        body_limit: the largest body, in octets.
        quota: the disk quota for large bodies.
    """

    def __init__(self, body_limit: int, quota: BodySpoolQuota) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body_limit = body_limit
        self._quota = quota
        self._refused: HTTPStatus | None = None
        self._message = Message()
        self._in_head = False
        self._head_octets = 0
        self._expects = False
        self._has_host = False
        self._pieces: list[bytes] = []
        self.complete: deque[Message] = deque()
        """Complete requests, which the caller removes."""
        self.is_mid_request = False
        """True after the beginning of a request that is not complete."""
        self.is_in_body = False
        """True after the header of a request that is not complete."""

    def receive(self, data: bytes) -> None:
        """Parse the next octets.

        Raises:
            RequestRefusedError: they are not a request that can be served; requests that were
                complete before them are in `complete`.
        """
        if self._in_head or not self.is_mid_request:
            self._head_octets += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # HTTP/1.1 goes on (RFC 9110 section 7.8), but what follows may be another protocol.
            if self.complete:
                self.complete[-1].keep_alive = False
        except httptools.HttpParserCallbackError:
            raise RequestRefusedError(self._refused or HTTPStatus.BAD_REQUEST) from None
        except httptools.HttpParserInvalidMethodError:
            raise RequestRefusedError(HTTPStatus.NOT_IMPLEMENTED) from None
        except httptools.HttpParserError:
            raise RequestRefusedError(HTTPStatus.BAD_REQUEST) from None
        if self._in_head and self._head_octets > HEAD_LIMIT:
            raise RequestRefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def wants_continue(self) -> bool:
        """Return True, once a request, if the client waits for 100 Continue (RFC 9110 10.1.1)."""
        wanted = self._expects and self.is_in_body
        self._expects = False
        return wanted

    # Callbacks of httptools:

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._message = Message()
        self._pieces = []
        self.is_mid_request = self._in_head = True
        self._expects = False
        self._has_host = False

    def on_url(self, url: bytes) -> None:
        """Add a piece of the target."""
        self._message.target += url
        if len(self._message.target) > TARGET_LIMIT:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a field of the header; ignore those of a trailer."""
        if self._in_head:
            self._message.fields.append((name, value))
            check = _CHECKS.get(name.lower())
            if check is not None:
                check(self, value)

    def on_headers_complete(self) -> None:
        """End the header."""
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
        """Add a piece of the body."""
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
            message.large = LargeBody(self._quota)
            message.large.write(b"".join(self._pieces))
            self._pieces = []
        message.large.write(data)

    def on_message_complete(self) -> None:
        """End the request."""
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
        self.is_mid_request = self.is_in_body = False
        self.complete.append(message)

    def close(self) -> None:
        """Close the bodies of all requests."""
        for message in (self._message, *self.complete):
            message.close()
        self.complete.clear()

    def _check_host(self, _value: bytes) -> None:
        if self._has_host:
            self._refuse(HTTPStatus.BAD_REQUEST)
        self._has_host = True

    def _check_length(self, value: bytes) -> None:
        if (
            value.isdigit() and int(value) > self._body_limit
        ):  # other values are for httptools to refuse
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def _check_expect(self, value: bytes) -> None:
        if value.lower() != b"100-continue":
            self._refuse(HTTPStatus.EXPECTATION_FAILED)
        self._expects = True

    def _refuse(self, status: HTTPStatus) -> None:
        self._refused = status
        raise RequestRefusedError(status)


_CHECKS = {
    b"host": MessageReader._check_host,
    b"content-length": MessageReader._check_length,
    b"expect": MessageReader._check_expect,
}
