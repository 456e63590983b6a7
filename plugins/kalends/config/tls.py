"""The TLS options of ``[server]``: certificate, client certificates, protocol versions, ciphers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

Versions = frozenset[ssl.TLSVersion]

_VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
# What Apache's SSLProtocol may name and nobody speaks any more: excluded always.
_OBSOLETE = ("SSLv2", "SSLv3")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How Kalends does TLS itself.

    Attributes:
        certificate: the certificate chain (PEM), the server's own certificate first.
        key: its private key (PEM).
        authority: the CA certificates (PEM) of which a client must have a certificate; None where
            clients need none.
        versions: the protocol versions that are accepted; empty for those that OpenSSL accepts by
            itself.
        ciphers: an OpenSSL cipher list for TLS 1.2 and older; empty for OpenSSL's own.
    """

    certificate: Path
    key: Path
    authority: Path | None = None
    versions: Versions = frozenset()
    ciphers: str = ""


def protocol(value: object) -> Versions:
    """Read ``[server] protocol``, in the format of Apache's ``SSLProtocol``.

    Each word adds versions or, after a ``-``, takes them away: ``TLSv1.3``, ``ALL -TLSv1``.

    Returns:
        the versions that are left; empty if nothing is said.

    Raises:
        ValueError: a word is unknown, or no version is left.
    """
    if isinstance(value, frozenset):
        return value
    words = str(value).split()
    found: set[ssl.TLSVersion] = set()
    for word in words:
        name = word.lstrip("+-")
        if name not in (*_VERSIONS, *_OBSOLETE, "ALL"):
            known = ", ".join(("ALL", *_VERSIONS))
            raise ValueError(f"{word!r} is not a protocol; known are {known}, each also after a -")
        named = {version for key, version in _VERSIONS.items() if name in (key, "ALL")}
        if word.startswith("-"):
            found.difference_update(named)
        else:
            found.update(named)
    if words and not found:
        raise ValueError(f"{str(value)!r} leaves no protocol; say for example TLSv1.2 TLSv1.3")
    return frozenset(found)


def ciphersuite(value: object) -> str:
    """Read ``[server] ciphersuite``, an OpenSSL cipher list.

    Raises:
        ValueError: OpenSSL has no cipher for TLS 1.2 or older that the list names.
    """
    text = str(value).strip()
    if text:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(text)
        except ssl.SSLError:
            raise ValueError(
                f"{text!r} matches no cipher for TLS 1.2; openssl ciphers -s -tls1_2 lists them"
            ) from None
    return text


def has_no_ciphers_to_choose(versions: Versions) -> bool:
    """Return True if ``ciphersuite`` is without effect: TLS 1.3 has its own few ciphers."""
    return versions == {ssl.TLSVersion.TLSv1_3}


def are_all_old(versions: Versions) -> bool:
    """Return True if only versions are left that OpenSSL 3 takes at security level 0 alone."""
    return bool(versions) and versions <= {ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1}
