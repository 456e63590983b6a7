"""HTTP Digest (RFC 7616, RFC 2617): the header, the nonce and the arithmetic. Pure, no I/O.

All text is bytes, and every value is hashed as it was sent, without its quotes and backslashes
(RFC 7616 section 3.4.5).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from kalends.authn.schemes.quoting import quoted_string

ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256"}
"""Names as challenges write them (RFC 7616 section 6.1), to hashlib's."""

_SCHEME = re.compile(rb"(?i:digest)[ \t]+")
# An auth-param of RFC 9110 section 11.2, up to its comma or the end. Apache also takes text after
# a closing quote, a last value without its closing quote, and values that are not tokens.
_FIELD = re.compile(
    rb"""[ \t]*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]*=[ \t]*
    (?: "(?P<quoted>(?:\\.|[^"\\])*+)" | (?P<token>[!#$%&'*+.^_`|~0-9A-Za-z-]++) )
    [ \t]*(?:,|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_EMPTY = re.compile(rb"[ \t]*(?:,|\Z)")
_UNESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_COUNT = re.compile(rb"[0-9A-Fa-f]{1,8}")


@dataclass(frozen=True, slots=True)
class DigestCredentials:
    """The fields of a Digest header (RFC 7616 section 3.4).

    Attributes:
        username: the name, unescaped.
        algorithm: as sent, or None, which means MD5.
        qop: as sent, or None for RFC 2069.
        nc: the nonce count as sent.
        other: all other fields, by lower-case name.
    """

    username: bytes
    realm: bytes
    nonce: bytes
    uri: bytes
    response: bytes = field(repr=False)
    algorithm: bytes | None
    qop: bytes | None
    nc: bytes
    cnonce: bytes
    other: Mapping[bytes, bytes] = field(repr=False)

    @property
    def count(self) -> int | None:
        """The nonce count: one to eight hex digits, and not 0; None for anything else.

        RFC 7616 section 3.4 asks for eight digits; Apache accepts fewer.
        """
        return (int(self.nc, 16) or None) if _COUNT.fullmatch(self.nc) else None


def parse_digest(value: str) -> DigestCredentials | None:
    """Parse the credentials of an Authorization header; return None if it is malformed Digest.

    Anything but a list of auth-params, a repeated field, a control character, or a missing required
    field make it malformed; unknown fields and stray commas do not.

    Args:
        value: the header's value, as WSGI gives it (bytes as ISO-8859-1). Never raises.
    """
    fields = _fields(value)
    if fields is None:
        return None
    required = [b"username", b"realm", b"nonce", b"uri", b"response"]
    if b"qop" in fields:
        required += [b"nc", b"cnonce"]
    if any(name not in fields for name in required):
        return None
    return DigestCredentials(
        username=fields.pop(b"username"),
        realm=fields.pop(b"realm"),
        nonce=fields.pop(b"nonce"),
        uri=fields.pop(b"uri"),
        response=fields.pop(b"response"),
        algorithm=fields.pop(b"algorithm", None),
        qop=fields.pop(b"qop", None),
        nc=fields.pop(b"nc", b""),
        cnonce=fields.pop(b"cnonce", b""),
        other=fields,
    )


def _fields(value: str) -> dict[bytes, bytes] | None:
    """Return the auth-params, unescaped, by lower-case name; None if there is anything else.

    Empty elements are ignored (RFC 9110 section 5.6.1.2).
    """
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError:
        return None
    scheme = _SCHEME.match(data)
    if scheme is None or _CONTROL.search(data):
        return None
    fields: dict[bytes, bytes] = {}
    position = scheme.end()
    while position < len(data):
        empty = _EMPTY.match(data, position)
        if empty:
            position = empty.end()
            continue
        match = _FIELD.match(data, position)
        if match is None:
            return None
        name, token = match["name"].lower(), match["token"]
        if name in fields:
            return None
        quoted = match["quoted"]
        if quoted is not None:
            token = _UNESCAPE.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        fields[name] = token
        position = match.end()
    return fields


def digest(algorithm: str, *parts: bytes) -> bytes:
    """Return H(parts joined by colons), in lower-case hex (RFC 7616 section 3.3)."""
    name = ALGORITHMS[algorithm]
    return hashlib.new(name, b":".join(parts), usedforsecurity=False).hexdigest().encode()


def expected_response(
    algorithm: str, ha1: bytes, credentials: DigestCredentials, method: bytes
) -> bytes:
    """Compute the right response of the client (RFC 7616 section 3.4.1; RFC 2069 without qop).

    Args:
        algorithm: a name of `ALGORITHMS`.
        ha1: as in the digest file.
        credentials: the fields of the client's header.
        method: of the request; empty for the server's own rspauth.
    """
    sent = credentials
    middle = () if sent.qop is None else (sent.nc, sent.cnonce, sent.qop)
    ha2 = digest(algorithm, method, sent.uri)
    return digest(algorithm, ha1, sent.nonce, *middle, ha2)


def authentication_info(
    algorithm: str, ha1: bytes, credentials: DigestCredentials, next_nonce: str | None
) -> str:
    """Return the Authentication-Info of a success (RFC 7616 section 3.5), as Apache writes it.

    Args:
        algorithm: a name of `ALGORITHMS`.
        ha1: as in the digest file.
        credentials: the fields of the client's header.
        next_nonce: the nonce for the client's next requests, or None.
    """
    rspauth = expected_response(algorithm, ha1, credentials, b"").decode()
    parts = [f'rspauth="{rspauth}"']
    if next_nonce is not None:
        parts.append(f'nextnonce="{next_nonce}"')
    if credentials.qop is not None:
        parts.append(f"cnonce={quoted_string(credentials.cnonce)}")
        parts.append(f"nc={credentials.nc.decode('latin-1')}")
        parts.append("qop=auth")
    return ", ".join(parts)


def challenge(realm: bytes, nonce: str, algorithm: str, *, stale: bool) -> str:
    """Return a WWW-Authenticate value (RFC 7616 section 3.3), its fields in Apache's order.

    Args:
        realm: as the digest file spells it.
        nonce: a fresh nonce.
        algorithm: a name of `ALGORITHMS`.
        stale: True if the password was right and only the nonce was not.
    """
    parts = [f"realm={quoted_string(realm)}", f'nonce="{nonce}"', f"algorithm={algorithm}"]
    if stale:
        parts.append("stale=true")
    return "Digest " + ", ".join([*parts, 'qop="auth"'])
