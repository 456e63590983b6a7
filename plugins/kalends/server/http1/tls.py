"""Server side of TLS: the certificate, reloaded after a renewal, and the check of the options."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import warnings
from contextlib import suppress
from pathlib import Path

from kalends.config.tls import TlsSettings, Versions, are_all_legacy
from kalends.errors import ConfigurationError

_log = logging.getLogger("kalends.server")

# Plain words for OpenSSL's reasons.
_REASONS = {
    "KEY_VALUES_MISMATCH": "the key belongs to another certificate",
    None: "one of the two is not in PEM, or is incomplete",
}
# The options that exclude a version between the oldest and the newest.
_WITHOUT = {
    ssl.TLSVersion.TLSv1_1: ssl.OP_NO_TLSv1_1,
    ssl.TLSVersion.TLSv1_2: ssl.OP_NO_TLSv1_2,
}
_MAX_ROUNDS = 5
"""Turns of both sides that are enough for a handshake of any version."""


class LockedKeyError(OSError):
    """A private key with a passphrase, which a server without a terminal cannot ask for."""

    def __init__(self) -> None:
        super().__init__("the key is protected by a passphrase; store it without one")


class AuthorityError(OSError):
    """A file for ``certificate_authority`` that contains no certificate."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} contains no certificate in PEM")


_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate chain, its key and the CA of clients, reloaded when a file has changed.

    Raises:
        OSError: a file cannot be read, or certificate and key do not match.
    """

    def __init__(self, tls: TlsSettings) -> None:
        self._tls = tls
        self._files = [path for path in (tls.certificate, tls.key, tls.authority) if path]
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._context = server_context(tls)

    def context(self) -> ssl.SSLContext:
        """Return the context for a handshake; after an unusable renewal, the previous one."""
        with self._lock:
            try:
                seen = self._stamp()
                if seen != self._seen:
                    self._seen = seen
                    self._context = server_context(self._tls)
            except OSError as error:
                _log.error(
                    "certificate %s: %s; using the previous one", self._tls.certificate, error
                )
            return self._context

    def _stamp(self) -> _Stamp:
        found = [os.stat(path) for path in self._files]  # noqa: PTH116 - at each connection
        return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in found)


def server_context(tls: TlsSettings) -> ssl.SSLContext:
    """Return a context for the server's side of connections.

    Raises:
        OSError: a file cannot be read, or certificate and key do not match.
    """
    context = _context_without_client_certificates(tls)
    if tls.authority:
        try:
            context.load_verify_locations(tls.authority)
        except ssl.SSLError:
            raise AuthorityError(tls.authority) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _context_without_client_certificates(tls: TlsSettings) -> ssl.SSLContext:
    """Return a context that does not ask clients for a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(tls.certificate, tls.key, _refuse_passphrase)
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


def _refuse_passphrase() -> bytes:
    raise LockedKeyError


def require_usable(tls: TlsSettings, path: Path) -> None:
    """Check that clients can connect with these files, versions and ciphers.

    Args:
        tls: the options.
        path: the configuration file, which errors of its options name.

    Raises:
        ConfigurationError: a file cannot be read, certificate and key do not match, or no
            handshake succeeds.
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
        why = "[server] certificate_authority: no certificate in it; store the CA's as PEM"
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
    """Try a handshake in memory with a client that accepts all versions and ciphers."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = _context_without_client_certificates(tls).wrap_bio(
        to_server, to_client, server_side=True
    )
    client = _undemanding_client().wrap_bio(to_client, to_server)
    try:
        for _ in range(_MAX_ROUNDS):
            for side in (client, server):
                with suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLError as error:
        why = f"[server] protocol and ciphersuite let no client connect ({error.reason})"
        if are_all_legacy(tls.versions):
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
