"""Disk spool for large request bodies, with a quota for all of a worker's connections together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from threading import Lock
from typing import TypeVar

from kalends.limit_names import Limit

Done = TypeVar("Done")


class RequestRefusedError(Exception):
    """A request that cannot be served; the connection ends after an error response.

    Args:
        status: the status of that response.
        limit: the limit that the request exceeds, or None.
    """

    def __init__(self, status: HTTPStatus, limit: Limit | None = None) -> None:
        self.status = status
        self.limit = limit
        super().__init__(status.phrase)


class BodySpoolQuota:
    """Disk quota for spooled bodies; their senders are not authenticated yet.

    Args:
        octets: the octets that all bodies together may take.
    """

    def __init__(self, octets: int) -> None:
        self._left = octets
        self._lock = Lock()

    def reserve(self, octets: int) -> None:
        """Reserve some octets of the quota.

        Raises:
            RequestRefusedError: fewer octets are left.
        """
        with self._lock:
            if octets > self._left:
                raise RequestRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, Limit.SPOOLED_BODIES)
            self._left -= octets

    def release(self, octets: int) -> None:
        """Return reserved octets to the quota."""
        with self._lock:
            self._left += octets


class LargeBody:
    """A request body in an unnamed temporary file.

    Attributes:
        file: the temporary file.

    Raises:
        RequestRefusedError: the file cannot be created.
    """

    def __init__(self, quota: BodySpoolQuota) -> None:
        self.file = self._in_file(tempfile.TemporaryFile)  # closed with the request
        self._quota = quota
        self._reserved = 0

    def write(self, data: bytes | bytearray) -> None:
        """Append octets.

        Raises:
            RequestRefusedError: the quota is used up, or the disk is full.
        """
        self._quota.reserve(len(data))
        self._reserved += len(data)
        self._in_file(lambda: self.file.write(data))

    def rewind(self) -> None:
        """Go to the beginning of the file, for the application to read it.

        Raises:
            RequestRefusedError: the disk did not take all of it.
        """
        self._in_file(lambda: self.file.seek(0))

    def _in_file(self, do: Callable[[], Done]) -> Done:
        try:
            return do()
        except OSError:
            raise RequestRefusedError(HTTPStatus.INSUFFICIENT_STORAGE, Limit.DISK) from None

    def close(self) -> None:
        """Delete the file and release its part of the quota."""
        with suppress(OSError):  # a full disk refuses buffered octets that are no longer needed
            self.file.close()
        self._quota.release(self._reserved)
        self._reserved = 0
