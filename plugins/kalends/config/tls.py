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
# Apache's SSLProtocol may name them; OpenSSL no longer has them, so they are always excluded.
_OBSOLETE = ("SSLv2", "SSLv3")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """The TLS options of the listeners.

    Attributes:
        certificate: the certificate chain (PEM), the server's own certificate first.
        key: its private key (PEM).
        authority: the CA certificates (PEM) that must have issued a client's certificate; None if
            clients need none.
        versions: the accepted protocol versions; empty for OpenSSL's default.
        ciphers: an OpenSSL cipher list for TLS 1.2 and older; empty for OpenSSL's default.
    """

    certificate: Path
    key: Path
    authority: Path | None = None
    versions: Versions = frozenset()
    ciphers: str = ""


def parse_protocol(value: object) -> Versions:
    """Parse ``[server] protocol``, in the format of Apache's ``SSLProtocol``.

    Each word adds versions or, after a ``-``, takes them away: ``TLSv1.3``, ``ALL -TLSv1``.

    Returns:
        the accepted versions; empty if the value is empty.

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
        raise ValueError(f"{str(value)!r} leaves no protocol; set for example TLSv1.2 TLSv1.3")
    return frozenset(found)


def parse_ciphersuite(value: object) -> str:
    """Parse ``[server] ciphersuite``, an OpenSSL cipher list.

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


def is_tls_1_3_alone(versions: Versions) -> bool:
    """Return True if only TLS 1.3 is accepted, to which ``ciphersuite`` does not apply."""
    return versions == {ssl.TLSVersion.TLSv1_3}


def are_all_legacy(versions: Versions) -> bool:
    """Return True if all versions are ones that OpenSSL 3 allows at security level 0 only."""
    return bool(versions) and versions <= {ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1}
