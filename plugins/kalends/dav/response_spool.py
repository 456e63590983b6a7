"""The body of an answer while it is made: in memory up to a bound, in a file without name beyond.

So a slow client holds neither the snapshot that its answer came from nor a worker's memory.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import BinaryIO, Protocol, Self, cast

IN_MEMORY = 1 << 20
"""Octets of one answer that stay in memory."""

_PIECES = 1 << 16
_BLOCK = 1 << 16
_WORTH_GZIP = 1000
_LEVEL = 4


class _Coder(Protocol):
    """What `zlib.compressobj` gives, whose type has no public name."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes: ...


class ResponseBuffer:
    """Takes text, and gives the octets of it when all is there.

    Args:
        gzip: whether the client takes gzip; a short text is not worth it.
    """

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._pieces: list[str] = []
        self._held = 0
        self._is_answer = False
        self._file: BinaryIO | None = None
        self._coder: _Coder | None = None
        self.length = 0
        """The octets there are, once it is finished."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of what is there if it did not become an answer."""
        if not self._is_answer:
            self.close()

    def write(self, text: str) -> None:
        """Take the next piece."""
        self._pieces.append(text)
        self._held += len(text)
        if self._held > _PIECES:
            self._flush()

    def finish(self) -> Iterable[bytes]:
        """The octets in blocks; a WSGI server closes what it is given."""
        self._is_answer = True
        if self._file is None:
            return [self._whole()]
        self._flush()
        if self._coder:
            self.length += self._file.write(self._coder.flush())
        self._file.seek(0)
        return self

    @property
    def is_gzip(self) -> bool:
        """Whether the octets are gzip's, once it is finished."""
        return self._coder is not None

    def __iter__(self) -> Iterator[bytes]:
        assert self._file is not None
        return iter(partial(self._file.read, _BLOCK), b"")

    def close(self) -> None:
        """Let go of the file."""
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
            # Whoever is given the answer closes it.
            self._file = cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
            self._coder = _coder() if self._gzip else None
        data = "".join(self._pieces).encode("utf-8")
        self._pieces, self._held = [], 0
        if self._coder:
            data = self._coder.compress(data)
        self.length += self._file.write(data)


def _coder() -> _Coder:
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
