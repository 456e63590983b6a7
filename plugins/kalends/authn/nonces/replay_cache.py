"""The nonce key and the nonce counts that the workers of one host share for HTTP Digest."""

from __future__ import annotations

import enum
import os
import secrets
import stat
import struct
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from kalends.authn.mapped_table import HEADER_BYTES, MappedTable
from kalends.authn.nonces.signing import Nonce
from kalends.errors import ConfigurationError

KEY_BYTES = 32
WINDOW = 64
"""The number of counts below a nonce's highest that may still arrive, over parallel connections."""


def load_key(path: Path) -> bytes:
    """Read the key that signs nonces; create it, for its owner alone, if there is none yet.

    Raises:
        ConfigurationError: it cannot be created or read, is not a key, or is open to others.
    """
    try:
        with suppress(FileExistsError):
            _make_key(path)
        key = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigurationError(str(path), f"{error.strerror}: the nonce key") from None
    if len(key) != KEY_BYTES:
        raise ConfigurationError(
            str(path), "is not a nonce key; remove it, and a new one is created"
        )
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigurationError(str(path), "others have access to this nonce key: chmod 600 it")
    return key


def _make_key(path: Path) -> None:
    """Write a key to a temporary file, and link it to the name unless another was faster."""
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
    """The outcome of using a count of a nonce."""

    FIRST = "this count was not used before"
    AGAIN = "this count was used before"
    UNKNOWN = "the record of used counts is gone"


class NonceCounts(Protocol):
    """A record of the used counts of nonces, shared by all workers and hosts that accept them."""

    def floor(self) -> int:
        """Return the time up to which no nonce counts as new, milliseconds since 1970.

        A new nonce has to be dated later to be accepted.
        """

    def use(self, nonce: Nonce, count: int) -> NonceUse:
        """Record a count of a genuine nonce, for a request whose response was right.

        Args:
            nonce: the nonce.
            count: from 1 to 2**32 - 1.
        """


_MAGIC = b"KALNC\0\0\2"
# Issued (milliseconds since 1970), highest count, a bit for each of the 64 up to it, the MAC.
_SLOT = struct.Struct("<QIQ20s")
_WAYS = 8
_BUCKET_BYTES = _WAYS * _SLOT.size


class SharedNonceCounts:
    """Nonce counts in a file that all workers of one host map into memory.

    The table is divided into buckets of eight nonces. When a bucket is full, the nonce that was
    issued first is evicted; so an unknown nonce that is older than all of a full bucket may have
    been there, and does not count as new. Neither does one that is older than the table, which is
    cleared after a restart of the machine, since the last writes may be lost then.

    Args:
        path: the file; created if there is none.
        now: seconds since 1970, the creation time of a new table.
        buckets: their number; each has 320 bytes.
        boot: identifies this boot of the machine; read from the system if None.

    Raises:
        ConfigurationError: the file cannot be created or written.
    """

    def __init__(
        self, path: Path, now: float, *, buckets: int = 2048, boot: str | None = None
    ) -> None:
        self._buckets = buckets
        try:
            self._table = MappedTable(path, _MAGIC, buckets * _BUCKET_BYTES, now, boot=boot)
        except OSError as error:
            raise ConfigurationError(str(path), f"{error.strerror}: the nonce counts") from None

    def close(self) -> None:
        """Close the file."""
        self._table.close()

    def floor(self) -> int:
        """See `NonceCounts.floor`."""
        return self._table.created_at

    def use(self, nonce: Nonce, count: int) -> NonceUse:
        """See `NonceCounts.use`."""
        number = int.from_bytes(nonce.mac[:8], "big") % self._buckets
        start = HEADER_BYTES + number * _BUCKET_BYTES
        with self._table.locked(start, _BUCKET_BYTES):
            return self._use_in(start, nonce, count)

    def _use_in(self, start: int, nonce: Nonce, count: int) -> NonceUse:
        issued = _milliseconds(nonce.issued)
        oldest, oldest_at = issued, -1
        for at in range(start, start + _BUCKET_BYTES, _SLOT.size):
            slot_issued, highest, used, mac = _SLOT.unpack_from(self._table.octets, at)
            if mac == nonce.mac:
                outcome, highest, used = _after(highest, used, count)
                _SLOT.pack_into(self._table.octets, at, issued, highest, used, mac)
                return outcome
            if oldest_at < 0 or slot_issued < oldest:
                oldest, oldest_at = slot_issued, at
        if issued <= max(oldest, self._table.created_at):
            return NonceUse.UNKNOWN
        _SLOT.pack_into(self._table.octets, oldest_at, issued, count, 1, nonce.mac)
        return NonceUse.FIRST


def _after(highest: int, used: int, count: int) -> tuple[NonceUse, int, int]:
    """Add a count to a window (bit 0 is the highest count); return its outcome and the window."""
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
