"""The certificate of the server, read anew when it was renewed."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from pathlib import Path

from kalends.errors import ConfigurationError

_log = logging.getLogger("kalends.server")

# What OpenSSL calls what can be wrong, for people.
_REASONS = {
    "KEY_VALUES_MISMATCH": "it belongs to another certificate",
    None: "one of the two is not in PEM, or not whole",
}


class LockedKeyError(OSError):
    """A key asks for a passphrase, and nobody is there to tell it."""

    def __init__(self) -> None:
        super().__init__("it is protected by a passphrase; write it anew without one")


_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate chain and its key, as they are at the next connection.

    Args:
        chain: PEM, the server's own certificate first.
        key: PEM.

    Raises:
        OSError: they cannot be read, or do not fit each other.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._context = self._made()

    def context(self) -> ssl.SSLContext:
        """What to shake hands with; a renewal that cannot be used yet leaves the old one."""
        with self._lock:
            try:
                seen = self._stamp()
                if seen != self._seen:
                    self._seen = seen
                    self._context = self._made()
            except OSError as error:
                _log.error("certificate %s: %s; the one before stays", self._chain, error)
            return self._context

    def _stamp(self) -> _Stamp:
        found = (os.stat(self._chain), os.stat(self._key))  # noqa: PTH116 - at each connection
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in found)

    def _made(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(self._chain, self._key, _nobody_knows)
        return context


def _nobody_knows() -> bytes:
    raise LockedKeyError


def require_usable(chain: Path, key: Path) -> None:
    """See to it that a certificate chain and its key can be used.

    Raises:
        ConfigurationError: one cannot be read, or they do not fit each other.
    """
    for path in (chain, key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise ConfigurationError(str(path), f"cannot be read: {error.strerror}") from None
    try:
        Certificate(chain, key)
    except LockedKeyError as error:
        raise ConfigurationError(str(key), str(error)) from None
    except ssl.SSLError as error:
        reason = _REASONS.get(error.reason, str(error))
        raise ConfigurationError(
            str(chain), f"cannot be used with the key {key}: {reason}"
        ) from None
