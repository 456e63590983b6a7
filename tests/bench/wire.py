"""HTTP/1.1 for measuring: little work for each request, so that the server's time is what counts.

An answer's octets are collected until it is whole; a chunked body is put together only when it is
looked at, outside what is timed.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

LAST_CHUNK = b"0\r\n\r\n"


class BrokenAnswerError(Exception):
    """The octets of an answer are not what HTTP/1.1 says, or end too early."""


def request(method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """Return the octets of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


@dataclass
class Reply:
    """An answer: its status, and its body as it came."""

    status: int
    raw: bytes
    chunked: bool

    @property
    def body(self) -> bytes:
        """The body without the marks of its chunks."""
        if not self.chunked:
            return self.raw
        parts: list[bytes] = []
        place = 0
        while True:
            end = self.raw.index(b"\r\n", place)
            length = int(self.raw[place:end].split(b";")[0], 16)
            if not length:
                return b"".join(parts)
            parts.append(self.raw[end + 2 : end + 2 + length])
            place = end + 4 + length


class Reader:
    """Takes the octets of one answer as they come and says when it is whole."""

    def __init__(self) -> None:
        self.status = 0
        self.closes = False
        self._data = bytearray()
        self._body = -1  # where the body begins; unknown as long as the header is not whole
        self._length: int | None = None
        self._chunked = False

    @property
    def started(self) -> bool:
        """Whether any octet has come."""
        return bool(self._data)

    def feed(self, data: bytes) -> bool:
        """Take more octets (none: the server has closed); return whether the answer is whole."""
        self._data += data
        if self._body < 0:
            self._read_header()
        if self._body < 0:
            whole = False
        elif self._chunked:
            # A chunk's own data ends the same only if it looks like a last chunk, which no
            # answer of the bench does; `Reply.body` would stumble over it.
            whole = self._data.endswith(LAST_CHUNK)
        elif self._length is None:
            whole = not data
        else:
            whole = len(self._data) - self._body >= self._length
        if not data and not whole:
            raise BrokenAnswerError(f"closed after {bytes(self._data[:200])!r}")
        return whole

    def reply(self) -> Reply:
        """Return the answer when it is whole."""
        return Reply(self.status, bytes(self._data[self._body :]), self._chunked)

    def _read_header(self) -> None:
        end = self._data.find(b"\r\n\r\n")
        if end < 0:
            return
        lines = bytes(self._data[:end]).lower().split(b"\r\n")
        self._body = end + 4
        self.status = int(lines[0].split()[1])
        fields = dict(line.split(b":", 1) for line in lines[1:])
        self._chunked = b"chunked" in fields.get(b"transfer-encoding", b"")
        length = fields.get(b"content-length")
        if self.status in (204, 304):
            self._length = 0
        elif length is not None:
            self._length = int(length)
        connection = fields.get(b"connection", b"")
        self.closes = b"close" in connection or (
            lines[0].startswith(b"http/1.0") and b"keep-alive" not in connection
        )


class Connection:
    """One client's connection, kept as long as the server keeps it."""

    def __init__(self, port: int, timeout: float = 1800) -> None:
        self._address = ("127.0.0.1", port)
        self._timeout = timeout
        self._socket: socket.socket | None = None

    def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes | None = None
    ) -> Reply:
        """Send a request and read its answer whole."""
        octets = request(method, path, headers, body)
        kept = self._socket is not None
        try:
            return self._exchange(octets)
        except ConnectionError:
            if not kept:  # a kept connection may have been closed while nobody asked
                raise
        return self._exchange(octets)

    def _exchange(self, octets: bytes) -> Reply:
        reader = Reader()
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, self._timeout)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(octets)
            while True:
                # A server that leaves Nagle's algorithm on holds back the end of an answer until
                # we acknowledge what came before, which Linux puts off for 40 ms.
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                data = self._socket.recv(1 << 18)
                if not data and not reader.started:
                    raise ConnectionResetError("closed without an answer")
                if reader.feed(data):
                    break
        except OSError:
            self.close()
            raise
        if reader.closes:
            self.close()
        return reader.reply()

    def close(self) -> None:
        """Close it; the next request makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
