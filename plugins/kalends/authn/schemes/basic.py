"""HTTP Basic (RFC 7617): the header, read as Apache reads it and a little more strictly. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from kalends.authn.schemes.quoting import quoted_string

# token68 of RFC 9110 section 11.2, in the alphabet of Basic, with too little or too much padding.
_CREDENTIALS = re.compile(r"(?i:basic) [ \t]*([A-Za-z0-9+/]+)=*[ \t]*")


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """The credentials of a Basic header, as bytes, because they are compared as bytes.

    Attributes:
        user: the name, never with a colon.
        password: possibly empty; not part of the repr.
    """

    user: bytes
    password: bytes = field(repr=False)


def parse_basic(value: str) -> BasicCredentials | None:
    """Parse the credentials of an Authorization header; return None if it is not well-formed Basic.

    Junk after the base64 text (such as a second header that a server has joined to the first), an
    impossible base64 length, a text without a colon, and a NUL are refused, although Apache accepts
    them.

    Args:
        value: the header's value, as WSGI gives it (bytes as ISO-8859-1). Never raises.
    """
    match = _CREDENTIALS.fullmatch(value)
    if match is None or len(match[1]) % 4 == 1:
        return None
    text = match[1]
    decoded = base64.b64decode(text + "=" * (-len(text) % 4))
    user, colon, password = decoded.partition(b":")
    if not colon or b"\0" in decoded:
        return None
    return BasicCredentials(user, password)


def basic_challenge(realm: str) -> str:
    """Return the WWW-Authenticate value (RFC 7617 section 2.1).

    Args:
        realm: the text of the login dialog, without control characters.
    """
    return f'Basic realm={quoted_string(realm.encode())}, charset="UTF-8"'
