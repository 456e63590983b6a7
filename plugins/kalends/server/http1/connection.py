"""A client's connection: a non-blocking socket, its parser, and the response being sent."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from http import HTTPStatus
from select import EPOLLIN, EPOLLOUT

from kalends.common.wsgi import Environ
from kalends.server.http1.limits import TURN_SENT_OCTETS
from kalends.server.http1.parser import MessageReader

_NEVER = float("inf")
_RESET = struct.pack("ii", 1, 0)  # closing a socket resets the connection at once
_SMALL_PIECE = 1 << 12  # sending less costs as much as this


class Phase(Enum):
    """The phases of a connection, by what it waits for."""

    IDLE = "the next request"
    HEAD = "the rest of a header, or the first request"
    BODY = "the rest of a body"
    APPLICATION = "the application"
    RESPONSE = "the client, to take the response"
    CLOSING = "the client, to take the last response and close"


class Connection:
    """A connection and its state; one thread at a time handles it.

    Args:
        sock: an accepted, non-blocking socket; an SSLSocket shakes hands at its first read.
        environ: the part of the WSGI environ that all its requests share.
        reader: parses what is received.
    """

    __slots__ = (
        "_on_done",
        "_pieces",
        "_unsent",
        "_untold",
        "deadline",
        "environ",
        "is_aborted",
        "keep_alive",
        "phase",
        "progressed_at",
        "reader",
        "refused",
        "sock",
        "waits_for",
    )

    def __init__(self, sock: socket.socket, environ: Environ, reader: MessageReader) -> None:
        self.sock = sock
        self.environ = environ
        self.reader = reader
        self.phase = Phase.HEAD
        self.deadline = _NEVER
        """The end of its phase, by the monotonic clock."""
        self.waits_for = EPOLLIN
        """The epoll event that it needs to go on."""
        self.progressed_at = _NEVER
        """When the thread that handles it now began or last made progress, by that clock."""
        self.is_aborted = False
        """True after `abort`."""
        self.refused: HTTPStatus | None = None
        """The status of the error response to send, after which nothing more is read; or None."""
        self.keep_alive = True
        """True if it stays open after the response that is being sent."""
        self._untold: Environ | None = None
        self._pieces: Iterator[bytes] | None = None
        self._unsent: memoryview | bytes = b""
        self._on_done: Callable[[], None] | None = None

    @property
    def has_response(self) -> bool:
        """True if a response is being sent."""
        return self._pieces is not None

    def enter(self, phase: Phase, deadline: float = _NEVER) -> None:
        """Enter another phase, until ``deadline`` by the monotonic clock."""
        self.phase = phase
        self.deadline = deadline

    def begin_turn(self) -> None:
        """Note that a thread handles this connection from now on."""
        self.progressed_at = time.monotonic()

    def end_turn(self) -> None:
        """Note that no thread handles this connection any more."""
        self.progressed_at = _NEVER

    def note_progress(self, next_within: float) -> None:
        """Note that the application goes on, or waits for so many seconds at most."""
        self.progressed_at = time.monotonic() + next_within

    def yield_turn(self) -> None:
        """Have epoll report the connection again, behind those that are ready now.

        Both events: TLS may have read what is to be parsed next, or the parser may hold requests.
        """
        self.waits_for = EPOLLIN | EPOLLOUT

    def begin_request(self, environ: Environ) -> None:
        """Begin to answer a request."""
        self.enter(Phase.APPLICATION)
        self._untold = environ

    def take_untold_request(self) -> Environ | None:
        """Return the environ of the request that is being answered, once; otherwise None."""
        untold, self._untold = self._untold, None
        return untold

    def receive(self) -> bytes | None:
        """Return what has arrived; empty if the client has closed, None if there is nothing yet."""
        try:
            return self.sock.recv(self.reader.block)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.waits_for = EPOLLIN
        except ssl.SSLWantWriteError:
            self.waits_for = EPOLLOUT
        return None

    def is_drained(self) -> bool:
        """Return True if `receive` has returned all that TLS has read from the network.

        Then epoll reports when there is more, and reading before that would find nothing.
        """
        self.waits_for = EPOLLIN
        return not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending())

    def begin_response(
        self, first: bytes, pieces: Iterator[bytes], on_done: Callable[[], None]
    ) -> None:
        """Set the response that `send` sends.

        Args:
            first: its first octets.
            pieces: the rest of it.
            on_done: called once the response is sent, or cannot be sent.
        """
        self._unsent = first
        self._pieces = pieces
        self._on_done = on_done

    def send(self) -> bool:
        """Send as much of the response as the client takes, and as the connection may in a turn.

        Returns:
            True if all of it is sent.

        Raises:
            OSError: the client is gone.
            Exception: the application failed in the middle of its response.
        """
        assert self._pieces is not None
        in_turn = 0
        while in_turn < TURN_SENT_OCTETS:
            if not self._unsent:
                self._unsent = next(self._pieces, b"")
                if not self._unsent:
                    self._done()
                    return True
            sent = self._send(self._unsent)
            if not sent:
                return False
            in_turn += max(sent, _SMALL_PIECE)
            whole = sent == len(self._unsent)
            self._unsent = b"" if whole else memoryview(self._unsent)[sent:]
        self.yield_turn()
        return False

    def _send(self, data: memoryview | bytes) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.waits_for = EPOLLOUT
        except ssl.SSLWantReadError:
            self.waits_for = EPOLLIN
        return 0

    def _done(self) -> None:
        on_done, self._on_done, self._pieces = self._on_done, None, None
        self._untold = None
        if on_done:
            on_done()

    def abort(self) -> None:
        """Shut the socket down, from another thread; the thread that handles it then closes it.

        The plain socket's method: that of SSLSocket would drop TLS under the reading thread.
        """
        self.is_aborted = True
        with suppress(OSError):
            if self.phase is Phase.CLOSING:
                # Who still sends must be told that nobody reads; else its system waits for minutes.
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def shut_down_sending(self) -> None:
        """Send no more.

        What the client still sends is to be read and dropped: a socket that is closed with unread
        data resets the connection, and the client may lose the last response.
        """
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self) -> None:
        """Close the socket, and drop unfinished requests and the response."""
        self.sock.close()
        self.reader.close()
        self._done()
