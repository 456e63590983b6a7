"""How much disk the bodies that are on their way may take, all together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from threading import Lock
from typing import IO


class RequestRefusedError(Exception):
    """What a client sent is no request that can be served; the connection ends with an answer."""

    def __init__(self, status: HTTPStatus) -> None:
        self.status = status
        super().__init__(status.phrase)


class BodySpoolQuota:
    """Disk for large bodies: whoever sends them need not have logged in yet.

    Args:
        octets: how many there may be.
    """

    def __init__(self, octets: int) -> None:
        self._left = octets
        self._lock = Lock()

    def take(self, octets: int) -> None:
        """Have room for some more.

        Raises:
            RefusedError: there is none now.
        """
        with self._lock:
            if octets > self._left:
                raise RequestRefusedError(HTTPStatus.SERVICE_UNAVAILABLE)
            self._left -= octets

    def give_back(self, octets: int) -> None:
        """Need it no more."""
        with self._lock:
            self._left += octets


class LargeBody:
    """A body on the disk, in a file that has no name.

    Attributes:
        file: what was written.
    """

    def __init__(self, room: BodySpoolQuota) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the request
        self._room = room
        self._taken = 0

    def write(self, data: bytes) -> None:
        """Take the next octets.

        Raises:
            RefusedError: there is no room for them.
        """
        self._room.take(len(data))
        self._taken += len(data)
        self._in_file(lambda: self.file.write(data))

    def rewind(self) -> None:
        """Let it be read from its beginning.

        Raises:
            RefusedError: the disk did not take all of it.
        """
        self._in_file(lambda: self.file.seek(0))

    def _in_file(self, do: Callable[[], object]) -> None:
        try:
            do()
        except OSError:
            raise RequestRefusedError(HTTPStatus.INSUFFICIENT_STORAGE) from None

    def close(self) -> None:
        """Give back what it took."""
        with suppress(OSError):  # a full disk does not take the rest, which nobody wants any more
            self.file.close()
        self._room.give_back(self._taken)
        self._taken = 0
