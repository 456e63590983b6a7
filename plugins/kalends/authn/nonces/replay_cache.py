"""What the workers of one host share for HTTP Digest: the key of nonces, and their counts."""

from __future__ import annotations

import enum
import fcntl
import mmap
import os
import secrets
import stat
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from kalends.authn.nonces.signing import Nonce
from kalends.errors import ConfigurationError

KEY_BYTES = 32
WINDOW = 64
"""How far behind the highest count of a nonce another may come: parallel connections overtake."""


def load_key(path: Path) -> bytes:
    """The key that signs nonces; made, for its owner alone, where there is none yet.

    Raises:
        ConfigurationError: it cannot be made or read, is no key, or is open to others.
    """
    try:
        with suppress(FileExistsError):
            _make_key(path)
        key = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(str(path), f"{error.strerror}: the nonce key") from None
    if len(key) != KEY_BYTES:
        raise ConfigurationError(str(path), "is no nonce key; remove it, and a new one is made")
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigurationError(str(path), "others can get at this nonce key: chmod 600 it")
    return key


def _make_key(path: Path) -> None:
    """Write a key beside, and give it the name if nobody has been faster."""
    if path.exists():
        return
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(descriptor)
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()


class NonceUse(enum.Enum):
    """What becomes of one use of a nonce."""

    FIRST = "this count was not used before"
    AGAIN = "this count was used before"
    UNKNOWN = "nobody knows any more which counts were used"


class NonceCounts(Protocol):
    """Remembers which counts of which nonces were used; shared by all who must agree on it."""

    def floor(self) -> int:
        """Return the time up to which no nonce is taken for new, milliseconds since 1970.

        A nonce has to be dated later to be of any use.
        """

    def use(self, nonce: Nonce, count: int) -> NonceUse:
        """Use a count of a genuine nonce, for a request whose response was right.

        Args:
            nonce: the nonce.
            count: from 1 to 2**32 - 1.
        """


# What it is, the run of the machine that it belongs to, when it was made (milliseconds).
_HEADER = struct.Struct("<8s36sQ")
_MAGIC = b"KALNC\0\0\1"
_HEADER_BYTES = 64
# Issued (milliseconds since 1970), highest count, which of the 64 below it were used, the MAC.
_SLOT = struct.Struct("<QIQ20s")
_WAYS = 8
_BUCKET_BYTES = _WAYS * _SLOT.size


class SharedNonceCounts:
    """Counts in a file that all workers of one host map into memory.

    The table is divided into buckets of eight nonces. When a bucket is full, the nonce that was
    issued first makes room; so an unknown nonce that is older than all of a full bucket may have
    been there, and is not taken for a new one. Nor is one that is older than the table, which is
    made anew when the machine was restarted, since what was last written may be lost then.

    Args:
        path: the file; made where there is none.
        now: seconds since 1970, for a table that is made new.
        buckets: how many; each is 320 bytes.
        boot: what names this run of the machine.

    Raises:
        ConfigurationError: the file cannot be made or written.
    """

    def __init__(
        self, path: Path, now: float, *, buckets: int = 2048, boot: str | None = None
    ) -> None:
        self._buckets = buckets
        self._lock = threading.Lock()
        size = _HEADER_BYTES + buckets * _BUCKET_BYTES
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with self._locked(0, _HEADER_BYTES):
                fits = os.fstat(self._descriptor).st_size == size
                os.ftruncate(self._descriptor, size)
                self._map = mmap.mmap(self._descriptor, size)
                run = (_boot() if boot is None else boot).encode()
                made_at = self._made(run) if fits else None
                if made_at is None:
                    made_at = _milliseconds(now)
                    self._map[_HEADER_BYTES:] = bytes(size - _HEADER_BYTES)
                    _HEADER.pack_into(self._map, 0, _MAGIC, run, made_at)
                self._made_at: int = made_at
        except OSError as error:
            raise ConfigurationError(str(path), f"{error.strerror}: the nonce counts") from None

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()
        os.close(self._descriptor)

    def floor(self) -> int:
        """See `NonceCounts.floor`."""
        return self._made_at

    def use(self, nonce: Nonce, count: int) -> NonceUse:
        """See `NonceCounts.use`."""
        number = int.from_bytes(nonce.mac[:8], "big") % self._buckets
        start = _HEADER_BYTES + number * _BUCKET_BYTES
        with self._locked(start, _BUCKET_BYTES):
            return self._use_in(start, nonce, count)

    def _use_in(self, start: int, nonce: Nonce, count: int) -> NonceUse:
        issued = _milliseconds(nonce.issued)
        oldest, oldest_at = issued, -1
        for at in range(start, start + _BUCKET_BYTES, _SLOT.size):
            slot_issued, highest, used, mac = _SLOT.unpack_from(self._map, at)
            if mac == nonce.mac:
                outcome, highest, used = _after(highest, used, count)
                _SLOT.pack_into(self._map, at, issued, highest, used, mac)
                return outcome
            if oldest_at < 0 or slot_issued < oldest:
                oldest, oldest_at = slot_issued, at
        if issued <= max(oldest, self._made_at):
            return NonceUse.UNKNOWN
        _SLOT.pack_into(self._map, oldest_at, issued, count, 1, nonce.mac)
        return NonceUse.FIRST

    def _made(self, run: bytes) -> int | None:
        """When the table in the file was made, if it is one, of this run of the machine."""
        magic, of, made_at = _HEADER.unpack_from(self._map)
        return int(made_at) if (magic, of.rstrip(b"\0")) == (_MAGIC, run) else None

    @contextmanager
    def _locked(self, start: int, length: int) -> Iterator[None]:
        """Alone with these bytes among threads and processes."""
        with self._lock:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, length, start)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, length, start)


def _after(highest: int, used: int, count: int) -> tuple[NonceUse, int, int]:
    """A window (bit 0 is the highest count) after one more count, and what became of that one."""
    ahead = count - highest
    if ahead > 0:
        shifted = used << ahead if ahead < WINDOW else 0
        return NonceUse.FIRST, count, (shifted | 1) & (1 << WINDOW) - 1
    if -ahead >= WINDOW:
        return NonceUse.UNKNOWN, highest, used
    bit = 1 << -ahead
    if used & bit:
        return NonceUse.AGAIN, highest, used
    return NonceUse.FIRST, highest, used | bit


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _boot() -> str:
    """The name of this run of the machine; the same for ever where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
