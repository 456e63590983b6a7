"""HTTP/1.1 client for measuring, which does little work, so that the server's time is measured.

The octets of an answer are collected until it is complete; a chunked body is decoded only when it
is read, outside the measured time.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

LAST_CHUNK = b"0\r\n\r\n"


class BrokenAnswerError(Exception):
    """An answer that is not valid HTTP/1.1, or ends too early."""


def request(method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """Return the octets of a request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


@dataclass
class Reply:
    """An answer: its status, and its body as received."""

    status: int
    raw: bytes
    chunked: bool

    @property
    def body(self) -> bytes:
        """The body, decoded if it is chunked."""
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
    """Parser of one answer, which recognises its end."""

    def __init__(self) -> None:
        self.status = 0
        self.closes = False
        self._data = bytearray()
        self._body = -1  # the start of the body; unknown until the header is complete
        self._length: int | None = None
        self._chunked = False

    @property
    def started(self) -> bool:
        """True if any octet was received."""
        return bool(self._data)

    def add(self, data: bytes) -> bool:
        """Add received octets; return True if the answer is complete.

        Args:
            data: the octets; empty if the server has closed the connection.

        Returns:
            True if the answer is complete.

        Raises:
            BrokenAnswerError: the connection was closed within the answer.
        """
        self._data += data
        if self._body < 0:
            self._read_header()
        if self._body < 0:
            whole = False
        elif self._chunked:
            # The data of a chunk could end like this too, but in no answer of the bench; if it
            # did, `Reply.body` would raise an error.
            whole = self._data.endswith(LAST_CHUNK)
        elif self._length is None:
            whole = not data
        else:
            whole = len(self._data) - self._body >= self._length
        if not data and not whole:
            raise BrokenAnswerError(f"closed after {bytes(self._data[:200])!r}")
        return whole

    def reply(self) -> Reply:
        """Return the complete answer."""
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
        """Send a request and read the whole answer."""
        octets = request(method, path, headers, body)
        kept = self._socket is not None
        try:
            return self._exchange(octets)
        except ConnectionError:
            if not kept:  # the server may have closed a kept connection while it was idle
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
                # A server with Nagle's algorithm delays the end of an answer until the client
                # acknowledges the beginning, which Linux delays by 40 ms.
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                data = self._socket.recv(1 << 18)
                if not data and not reader.started:
                    raise ConnectionResetError("closed without an answer")
                if reader.add(data):
                    break
        except OSError:
            self.close()
            raise
        if reader.closes:
            self.close()
        return reader.reply()

    def close(self) -> None:
        """Close the connection; the next request opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
