"""One client's connection: a socket that never blocks, and what is on its way through it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import Enum
from http import HTTPStatus
from select import EPOLLIN, EPOLLOUT

from kalends.common.wsgi import Environ
from kalends.server.http1.parser import MessageReader

_BLOCK = 1 << 16
_NEVER = float("inf")


class Phase(Enum):
    """What a connection waits for."""

    IDLE = "the next request"
    HEAD = "the rest of a header, or the first request"
    BODY = "the rest of a body"
    WORK = "the application"
    ANSWER = "the client, to take the answer"
    GOODBYE = "the client, to take the last answer and close"


class Connection:
    """A connection and its state; one thread at a time has it.

    Args:
        sock: accepted, and not blocking; an SSLSocket shakes hands by itself at its first read.
        environ: the WSGI environ of all its requests.
        reader: takes its octets.
    """

    __slots__ = (
        "_after",
        "_pieces",
        "_unsent",
        "deadline",
        "environ",
        "keep",
        "phase",
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
        """When its phase is over, by the monotonic clock."""
        self.waits_for = EPOLLIN
        """What the socket must be ready for before it goes on."""
        self.refused: HTTPStatus | None = None
        """Why nothing more is read from it."""
        self.keep = True
        """Whether it goes on after the answer that is on its way."""
        self._pieces: Iterator[bytes] | None = None
        self._unsent: memoryview | bytes = b""
        self._after: Callable[[], None] | None = None

    @property
    def has_answer(self) -> bool:
        """Whether an answer is on its way."""
        return self._pieces is not None

    def enter(self, phase: Phase, deadline: float = _NEVER) -> None:
        """Begin to wait for something else."""
        self.phase = phase
        self.deadline = deadline

    def receive(self) -> bytes | None:
        """What has come; nothing if the client has closed, None if there is nothing yet."""
        try:
            return self.sock.recv(_BLOCK)
        except (BlockingIOError, ssl.SSLWantReadError):
            self.waits_for = EPOLLIN
        except ssl.SSLWantWriteError:
            self.waits_for = EPOLLOUT
        return None

    def is_drained(self) -> bool:
        """Whether nothing was read from the network that `receive` has not given yet.

        Then the socket itself tells when there is more, and need not be asked in vain.
        """
        self.waits_for = EPOLLIN
        return not (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending())

    def answer(self, first: bytes, pieces: Iterator[bytes], after: Callable[[], None]) -> None:
        """Take an answer; `push` sends it.

        Args:
            after: is called when the answer is through, or cannot get through.
        """
        self._unsent = first
        self._pieces = pieces
        self._after = after

    def push(self) -> bool:
        """Send as much as the client takes; whether all is sent.

        Raises:
            OSError: the client is gone.
            Exception: what the application raises in the middle of its answer.
        """
        assert self._pieces is not None
        while True:
            while self._unsent:
                sent = self._send(self._unsent)
                if sent == len(self._unsent):
                    break
                if not sent:
                    return False
                self._unsent = memoryview(self._unsent)[sent:]
            self._unsent = next(self._pieces, b"")
            if not self._unsent:
                self._done()
                return True

    def _send(self, data: memoryview | bytes) -> int:
        try:
            return self.sock.send(data)
        except (BlockingIOError, ssl.SSLWantWriteError):
            self.waits_for = EPOLLOUT
        except ssl.SSLWantReadError:
            self.waits_for = EPOLLIN
        return 0

    def _done(self) -> None:
        after, self._after, self._pieces = self._after, None, None
        if after:
            after()

    def cut(self) -> None:
        """Let whoever has it, or waits for it, find it closed; for other threads.

        The socket's own method: an SSLSocket's would drop TLS under the reading thread.
        """
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

    def say_goodbye(self) -> None:
        """Send no more; what still comes is read away, lest the network drop the last answer."""
        with suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self) -> None:
        """End it, with whatever is on its way."""
        self.sock.close()
        self.reader.close()
        self._done()
