"""A buffer for the body of a response: in memory up to a limit, in an unnamed file beyond it.

So a slow client holds neither the snapshot of its response nor the memory of a worker.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO, Protocol, Self, cast

IN_MEMORY = 1 << 20
"""Octets of one response that stay in memory."""

_PIECES = 1 << 16
_BLOCK = 1 << 16
_WORTH_GZIP = 1000
_LEVEL = 4


class _Coder(Protocol):
    """The interface of `zlib.compressobj`, whose type has no public name."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class ResponseBuffer:
    """A writer of text that returns the encoded octets when it is finished.

    Args:
        gzip: True if the client accepts gzip; a short text stays uncompressed.
    """

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._pieces: list[str] = []
        self._held = 0
        self._is_response = False
        self._file: BinaryIO | None = None
        self._coder: _Coder | None = None
        self.length = 0
        """The number of octets, once it is finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file if the buffer did not become a response."""
        if not self._is_response:
            self.close()

    def write(self, text: str) -> None:
        """Append a piece of text."""
        self._pieces.append(text)
        self._held += len(text)
        if self._held > _PIECES:
            self._flush()

    def finish(self) -> Iterable[bytes]:
        """Return the octets in blocks; the WSGI server closes the iterable."""
        self._is_response = True
        if self._file is None:
            return [self._whole()]
        self._flush()
        if self._coder:
            self.length += self._file.write(self._coder.flush())
        self._file.seek(0)
        return self

    @property
    def is_gzip(self) -> bool:
        """True if the octets are compressed, once it is finished."""
        return self._coder is not None

    def __iter__(self) -> Iterator[bytes]:
        assert self._file is not None
        return iter(partial(self._file.read, _BLOCK), b"")

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    def _whole(self) -> bytes:
        data = "".join(self._pieces).encode("utf-8")
        if self._gzip and len(data) >= _WORTH_GZIP:
            self._coder = _coder()
            data = self._coder.compress(data) + self._coder.flush()
        self.length = len(data)
        return data

    def _flush(self) -> None:
        if self._file is None:
            # The WSGI server closes it with the response.
            self._file = cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
            self._coder = _coder() if self._gzip else None
        data = "".join(self._pieces).encode("utf-8")
        self._pieces, self._held = [], 0
        if self._coder:
            data = self._coder.compress(data)
        self.length += self._file.write(data)


def _coder() -> _Coder:
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
