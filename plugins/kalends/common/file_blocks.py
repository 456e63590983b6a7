"""The body of an answer that is a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

_BLOCK = 1 << 18


class FileBlocks:
    """A file in blocks; the server closes it at the end or when the client has gone.

    Args:
        file: the file, open for reading.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(_BLOCK), b"")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
