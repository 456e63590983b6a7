"""The server's side of TLS: its certificate and what clients must have, read again when renewed."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import warnings
from contextlib import suppress
from pathlib import Path

from kalends.config.tls import TlsSettings, Versions, are_all_old
from kalends.errors import ConfigurationError

_log = logging.getLogger("kalends.server")

# What OpenSSL calls what can be wrong, for people.
_REASONS = {
    "KEY_VALUES_MISMATCH": "it belongs to another certificate",
    None: "one of the two is not in PEM, or not whole",
}
# How to leave a version out that is between the oldest and the newest.
_WITHOUT = {
    ssl.TLSVersion.TLSv1_1: ssl.OP_NO_TLSv1_1,
    ssl.TLSVersion.TLSv1_2: ssl.OP_NO_TLSv1_2,
}
_MOST_ROUNDS = 5
"""Turns of both sides until a handshake of any version has ended."""


class LockedKeyError(OSError):
    """A key asks for a passphrase, and nobody is there to tell it."""

    def __init__(self) -> None:
        super().__init__("it is protected by a passphrase; write it again without one")


class AuthorityError(OSError):
    """The file of the client certificates' authority holds no certificate."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} holds no certificate in PEM")


_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate chain, its key and the authority of clients, as they are at each connection.

    Raises:
        OSError: a file cannot be read, or certificate and key do not fit each other.
    """

    def __init__(self, tls: TlsSettings) -> None:
        self._tls = tls
        self._files = [path for path in (tls.certificate, tls.key, tls.authority) if path]
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._context = server_context(tls)

    def context(self) -> ssl.SSLContext:
        """Return what to shake hands with; a renewal that cannot be used leaves the one before."""
        with self._lock:
            try:
                seen = self._stamp()
                if seen != self._seen:
                    self._seen = seen
                    self._context = server_context(self._tls)
            except OSError as error:
                _log.error("certificate %s: %s; the one before stays", self._tls.certificate, error)
            return self._context

    def _stamp(self) -> _Stamp:
        found = [os.stat(path) for path in self._files]  # noqa: PTH116 - at each connection
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in found)


def server_context(tls: TlsSettings) -> ssl.SSLContext:
    """Return a context for the server's side of connections.

    Raises:
        OSError: a file cannot be read, or certificate and key do not fit each other.
    """
    context = _context_for_anybody(tls)
    if tls.authority:
        try:
            context.load_verify_locations(tls.authority)
        except ssl.SSLError:
            raise AuthorityError(tls.authority) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context_for_anybody(tls: TlsSettings) -> ssl.SSLContext:
    """Return a context that asks clients for no certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(tls.certificate, tls.key, _nobody_knows)
    if tls.versions:
        _accept_only(context, tls.versions)
    if tls.ciphers:
        context.set_ciphers(tls.ciphers)
    return context


def _accept_only(context: ssl.SSLContext, versions: Versions) -> None:
    with warnings.catch_warnings():
        # Python warns of old versions; they are the administrator's choice.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = min(versions)
        context.maximum_version = max(versions)
        for version, option in _WITHOUT.items():
            if version not in versions:
                context.options |= option


def _nobody_knows() -> bytes:
    raise LockedKeyError


def require_usable(tls: TlsSettings, path: Path) -> None:
    """Check that clients can connect with these files, versions and ciphers.

    Args:
        path: the configuration file, which errors of its options name.

    Raises:
        ConfigurationError: a file cannot be read, two do not fit each other, or no handshake
            succeeds.
    """
    for file in (tls.certificate, tls.key):
        if why := _unreadable(file):
            raise ConfigurationError(str(file), f"cannot be read: {why}")
    if tls.authority and (why := _unreadable(tls.authority)):
        why = f"[server] certificate_authority cannot be read: {why}; name the file of a CA in PEM"
        raise ConfigurationError(str(tls.authority), why)
    try:
        server_context(tls)
    except LockedKeyError as error:
        raise ConfigurationError(str(tls.key), str(error)) from None
    except AuthorityError:
        why = "[server] certificate_authority: it holds no certificate; write the CA's as PEM"
        raise ConfigurationError(str(tls.authority), why) from None
    except ssl.SSLError as error:
        reason = _REASONS.get(error.reason, str(error))
        raise ConfigurationError(
            str(tls.certificate), f"cannot be used with the key {tls.key}: {reason}"
        ) from None
    if tls.versions or tls.ciphers:
        _require_handshake(tls, path)


def _unreadable(path: Path) -> str | None:
    try:
        path.open("rb").close()
    except OSError as error:
        return error.strerror
    return None


def _require_handshake(tls: TlsSettings, path: Path) -> None:
    """Shake hands in memory with a client that takes everything."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = _context_for_anybody(tls).wrap_bio(to_server, to_client, server_side=True)
    client = _undemanding_client().wrap_bio(to_client, to_server)
    try:
        for _ in range(_MOST_ROUNDS):
            for side in (client, server):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLError as error:
        why = f"[server] protocol and ciphersuite let no client connect ({error.reason})"
        if are_all_old(tls.versions):
            why += "; TLSv1 and TLSv1.1 need ciphersuite = DEFAULT:@SECLEVEL=0"
        else:
            why += "; take one of them out, or name ciphers that fit the certificate"
        raise ConfigurationError(str(path), why) from None


def _undemanding_client() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    _accept_only(context, frozenset({ssl.TLSVersion.TLSv1, *_WITHOUT, ssl.TLSVersion.TLSv1_3}))
    return context
