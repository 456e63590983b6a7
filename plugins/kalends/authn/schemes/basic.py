"""HTTP Basic (RFC 7617): the header, read as Apache reads it and a little more strictly. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field

from kalends.authn.schemes.quoting import quoted_string

# token68 of RFC 9110 section 11.2, in the alphabet that Basic uses; padding may lack or abound.
_CREDENTIALS = re.compile(r"(?i:basic) [ \t]*([A-Za-z0-9+/]+)=*[ \t]*")


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """What a client says in a Basic header, as bytes: they are compared as bytes.

    Attributes:
        user: the name, never with a colon.
        password: possibly empty; not part of the repr.
    """

    user: bytes
    password: bytes = field(repr=False)


def parse_basic(value: str) -> BasicCredentials | None:
    """The credentials in an Authorization header; None for whatever is not well-formed Basic.

    Junk behind the base64 text (so also a second header that a server has joined to the first), an
    impossible base64 length, a text without a colon, and a NUL are refused, though Apache lets
    them pass.

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
    """The WWW-Authenticate value (RFC 7617 section 2.1).

    Args:
        realm: what the login dialog shows; without control characters.
    """
    return f'Basic realm={quoted_string(realm.encode())}, charset="UTF-8"'
