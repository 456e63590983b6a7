"""Parser of requests (RFC 9112) on httptools, without I/O but for large bodies."""

from __future__ import annotations

from collections import deque
from http import HTTPStatus
from io import BytesIO
from typing import IO

import httptools

from kalends.limit_names import Limit
from kalends.server.http1.body_spool import BodySpoolQuota, LargeBody, RequestRefusedError
from kalends.server.http1.grammar import is_chunked_alone, is_host, status_of
from kalends.server.http1.limits import (
    BODY_BLOCK_OCTETS,
    BODY_IN_MEMORY_OCTETS,
    CHUNK_CONTENT_RATIO,
    CHUNK_FRAMING_OCTETS,
    HEAD_BLOCK_OCTETS,
    HEAD_OCTETS,
    HEADER_FIELDS,
    TARGET_OCTETS,
)

_DIGITS = 20  # a Content-Length with more is beyond any limit


class Message:
    """One request as received.

    Attributes:
        method: the request method.
        target: the request target, as the client wrote it.
        version: ``1.1`` or ``1.0``.
        fields: names and values of the header fields, as the client wrote them.
        body: the body, once the request is complete; empty if it was dropped.
        length: the length of the body, in octets.
        keep_alive: True if the client wants to keep the connection.
        large: the body on disk, if it is too large for memory.
    """

    __slots__ = ("body", "fields", "keep_alive", "large", "length", "method", "target", "version")

    def __init__(self) -> None:
        self.method = ""
        self.target = b""
        self.version = "1.1"
        self.fields: list[tuple[bytes, bytes]] = []
        self.body: IO[bytes] | None = None
        self.length = 0
        self.keep_alive = True
        self.large: LargeBody | None = None

    def close(self) -> None:
        """Close the body."""
        if self.large is not None:
            self.large.close()


class MessageReader:
    """Incremental parser of the octets of one connection.

    The large body of a request that carries no login is parsed, but not stored, and a client that
    asks first is not told to send it: the answer does not depend on it.

    Args:
        body_limit: the largest body, in octets.
        quota: the disk quota for large bodies.
        login_fields: the names of header fields that carry a login, lower case; empty if large
            bodies are stored in any case.
    """

    def __init__(
        self,
        body_limit: int,
        quota: BodySpoolQuota,
        login_fields: frozenset[bytes] = frozenset(),
    ) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body_limit = body_limit
        self._quota = quota
        self._login_fields = login_fields
        self._refused: RequestRefusedError | None = None
        self._message = Message()
        self._fields = self._message.fields
        self._in_head = False
        self._overhead = 0  # octets since the last header or piece of content was complete
        self._body_octets = 0  # with the framing of chunks
        self._length = 0  # as the header says
        self._trailers = 0
        self._expects = False
        self._is_encoded = False
        self._host: bytes | None = None
        self._valid_host = b""
        self._buffer: bytes | bytearray = b""  # what is in memory of the body
        self.complete: deque[Message] = deque()
        """Complete requests, which the caller removes."""
        self.is_mid_request = False
        """True after the beginning of a request that is not complete."""
        self.is_in_body = False
        """True after the header of a request that is not complete."""

    @property
    def block(self) -> int:
        """How many octets to read next, so that few requests are read at once."""
        if self.is_in_body and self._length:
            return min(BODY_BLOCK_OCTETS, self._length - self._message.length)
        return HEAD_BLOCK_OCTETS

    def receive(self, data: bytes) -> None:
        """Parse the next octets.

        Raises:
            RequestRefusedError: they are not a request that can be served; requests that were
                complete before them are in `complete`.
        """
        self._overhead += len(data)
        if self.is_in_body:
            self._body_octets += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # HTTP/1.1 goes on (RFC 9110 section 7.8), but what follows may be another protocol.
            if self.complete:
                self.complete[-1].keep_alive = False
        except httptools.HttpParserCallbackError:
            raise self._refused or RequestRefusedError(HTTPStatus.BAD_REQUEST) from None
        except httptools.HttpParserError as error:
            raise RequestRefusedError(status_of(error)) from None
        if self._overhead > HEAD_OCTETS or len(self._fields) > HEADER_FIELDS:
            raise RequestRefusedError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Limit.HEAD)
        if self.is_in_body:
            self._check_framing()

    def _check_framing(self) -> None:
        content = self._message.length
        allowed = CHUNK_FRAMING_OCTETS + content // CHUNK_CONTENT_RATIO
        if self._body_octets - content > allowed:
            raise RequestRefusedError(HTTPStatus.BAD_REQUEST, Limit.CHUNK_FRAMING)

    def wants_continue(self) -> bool:
        """Return True, once a request, if the client waits for 100 Continue (RFC 9110 10.1.1)."""
        wanted = self._expects and self.is_in_body
        self._expects = False
        return wanted

    # Callbacks of httptools:

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._message = message = Message()
        self._fields = message.fields
        self.is_mid_request = self._in_head = True
        self._expects = self._is_encoded = False
        self._host = None
        self._length = 0

    def on_url(self, url: bytes) -> None:
        """Add a piece of the target."""
        self._message.target += url
        if len(self._message.target) > TARGET_OCTETS:
            self._refuse(HTTPStatus.REQUEST_URI_TOO_LONG, Limit.TARGET)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a field of the header; count and ignore those of a trailer."""
        if self._in_head:
            self._fields.append((name, value))
            check = _CHECKS.get(name.lower())
            if check is not None:
                check(self, value)
        else:
            self._trailers += 1
            if len(self._fields) + self._trailers > HEADER_FIELDS:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Limit.HEAD)

    def on_headers_complete(self) -> None:
        """End the header."""
        message, parser = self._message, self._parser
        self._in_head = False
        if self._overhead > HEAD_OCTETS:  # with what follows in the block
            self._check_head_octets(message)
        self._overhead = self._body_octets = self._trailers = 0
        self.is_in_body = True
        message.version = version = parser.get_http_version()
        if version != "1.1" or self._host != self._valid_host:
            self._check_head(message)
        if len(self._fields) > HEADER_FIELDS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Limit.HEAD)
        message.method = parser.get_method().decode("ascii")
        message.keep_alive = parser.should_keep_alive()
        if self._expects and not self._stores_large_body():
            message.keep_alive = self._expects = False
            self._end(BytesIO())

    def _check_head_octets(self, message: Message) -> None:
        fields = sum(len(name) + len(value) for name, value in self._fields)
        if len(message.target) + fields > HEAD_OCTETS:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, Limit.HEAD)

    def _check_head(self, message: Message) -> None:
        """Check the version, and the fields that depend on it (RFC 9112 sections 2.3 and 3.2)."""
        if message.version not in ("1.1", "1.0"):
            self._refuse(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
        if message.version == "1.0":
            self._expects = False
            if self._is_encoded:
                self._refuse(HTTPStatus.BAD_REQUEST)
        elif self._host is None:
            self._refuse(HTTPStatus.BAD_REQUEST)

    def on_body(self, data: bytes) -> None:
        """Add a piece of the body."""
        message = self._message
        if message.body is not None:  # answered already
            return
        self._overhead = 0
        message.length += len(data)
        if message.length > self._body_limit:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Limit.BODY)
        if not self._buffer:
            self._buffer = data
            return
        if isinstance(self._buffer, bytes):
            self._buffer = bytearray(self._buffer)
        self._buffer += data
        if len(self._buffer) > BODY_IN_MEMORY_OCTETS:
            self._empty_buffer(message)

    def _empty_buffer(self, message: Message) -> None:
        """Write what is in memory of a large body to the disk, or drop it."""
        if self._stores_large_body():
            try:
                if message.large is None:
                    message.large = LargeBody(self._quota)
                message.large.write(self._buffer)
            except RequestRefusedError as error:
                message.close()
                self._refuse(error.status, error.limit)
        self._buffer = b""

    def _stores_large_body(self) -> bool:
        names = self._login_fields
        return not names or any(name.lower() in names for name, _ in self._fields)

    def on_message_complete(self) -> None:
        """End the request."""
        message = self._message
        if message.body is not None:  # answered already
            return
        if message.length <= BODY_IN_MEMORY_OCTETS:
            self._end(BytesIO(self._buffer))
        else:
            self._empty_buffer(message)
            if message.large is None:
                message.length = 0
                self._end(BytesIO())
            else:
                self._rewind(message.large)
                self._end(message.large.file)
        self._buffer = b""

    def _rewind(self, large: LargeBody) -> None:
        try:
            large.rewind()
        except RequestRefusedError as error:
            self._refuse(error.status, error.limit)

    def _end(self, body: IO[bytes]) -> None:
        self._message.body = body
        self.is_mid_request = self.is_in_body = False
        self.complete.append(self._message)

    def close(self) -> None:
        """Close the bodies of all requests."""
        for message in (self._message, *self.complete):
            message.close()
        self.complete.clear()

    def _check_host(self, value: bytes) -> None:
        if self._host is not None:
            self._refuse(HTTPStatus.BAD_REQUEST)
        self._host = value
        if value != self._valid_host:  # few clients name another in each request
            if not is_host(value):
                self._refuse(HTTPStatus.BAD_REQUEST)
            self._valid_host = value

    def _check_length(self, value: bytes) -> None:
        if not value.isdigit():  # for httptools to refuse
            return
        self._length = int(value) if len(value) < _DIGITS else self._body_limit + 1
        if self._length > self._body_limit:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, Limit.BODY)

    def _check_encoding(self, value: bytes) -> None:
        if self._is_encoded or not is_chunked_alone(value):  # the lines of a field are one list
            self._refuse(HTTPStatus.NOT_IMPLEMENTED)
        self._is_encoded = True

    def _check_expect(self, value: bytes) -> None:
        if value.lower() != b"100-continue":
            self._refuse(HTTPStatus.EXPECTATION_FAILED)
        self._expects = True

    def _refuse(self, status: HTTPStatus, limit: Limit | None = None) -> None:
        self._refused = RequestRefusedError(status, limit)
        raise self._refused


_CHECKS = {
    b"host": MessageReader._check_host,
    b"content-length": MessageReader._check_length,
    b"transfer-encoding": MessageReader._check_encoding,
    b"expect": MessageReader._check_expect,
}
