"""A table in a file that all workers of one host map into memory."""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEY_BYTES = 16
HEADER_BYTES = 96

# Magic, the boot that it belongs to, the time when it was created (milliseconds), a key.
_HEADER = struct.Struct(f"<8s36sQ{KEY_BYTES}s")


class MappedTable:
    """Octets that processes share, all zero at first, and after each restart of the machine.

    Args:
        path: the file, which is created if there is none; None for memory of this process alone.
        magic: eight octets that name the layout.
        size: octets in the table.
        now: seconds since 1970, the creation time of a new table.
        boot: identifies this boot of the machine; read from the system if None.

    Attributes:
        octets: the header, of `HEADER_BYTES`, and the table.
        created_at: milliseconds since 1970.
        key: random octets, which are renewed with the table.

    Raises:
        OSError: the file cannot be created or written.
    """

    def __init__(
        self, path: Path | None, magic: bytes, size: int, now: float, *, boot: str | None = None
    ) -> None:
        self._lock = threading.Lock()
        self._descriptor = -1
        size += HEADER_BYTES
        if path is None:
            self.octets = mmap.mmap(-1, size)
            self._find_or_create(magic, size, now, "", fits=False)
            return
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with self.locked(0, HEADER_BYTES):
            fits = os.fstat(self._descriptor).st_size == size
            os.ftruncate(self._descriptor, size)
            self.octets = mmap.mmap(self._descriptor, size)
            boot = _boot_id() if boot is None else boot
            self._find_or_create(magic, size, now, boot, fits=fits)

    def close(self) -> None:
        """Close the file."""
        self.octets.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    @contextmanager
    def locked(self, start: int, length: int) -> Iterator[None]:
        """Lock these octets against all other threads and processes."""
        with self._lock:
            if self._descriptor < 0:
                yield
                return
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, length, start)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, length, start)

    def _find_or_create(
        self, magic: bytes, size: int, now: float, boot: str, *, fits: bool
    ) -> None:
        """Take the table in the file if it is one of this boot, and a new one otherwise."""
        found, of_boot, created_at, key = _HEADER.unpack_from(self.octets)
        if not fits or (found, of_boot.rstrip(b"\0")) != (magic, boot.encode()):
            created_at, key = round(now * 1000), secrets.token_bytes(KEY_BYTES)
            self.octets[HEADER_BYTES:] = bytes(size - HEADER_BYTES)
            _HEADER.pack_into(self.octets, 0, magic, boot.encode(), created_at, key)
        self.created_at: int = created_at
        self.key: bytes = key


def _boot_id() -> str:
    """Return the identifier of this boot; a constant where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
