"""In what Kalends judges logins otherwise than Apache, on purpose: all of it."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from support.loginheaders import DigestAttempt


class Difference(NamedTuple):
    """A documented reason for two verdicts to differ.

    Attributes:
        why: the reason.
        kalends_denies: which way they then differ.
        always: whether Kalends denies whenever the reason applies.
    """

    why: str
    kalends_denies: bool
    always: bool = False


def _applying(
    reasons: dict[str, bool], *, kalends_denies: bool, always: bool = False
) -> list[Difference]:
    return [Difference(why, kalends_denies, always) for why, applies in reasons.items() if applies]


_ANOTHER_SPELLING = "a name in ISO-8859-1 is the same as in UTF-8"


def _is_latin1(name: bytes) -> bool:
    return name.decode(errors="ignore").encode() != name


def _spelt_in_utf8(name: bytes) -> bytes:
    """A name as UTF-8, whatever it came in."""
    return name.decode("latin-1").encode() if _is_latin1(name) else name


def _joined(file: bytes) -> bytes:
    """A user file with its continued lines joined."""
    return re.sub(rb"\\\r?\n", b"", file)


def basic_differences(file: bytes, headers: list[bytes]) -> list[Difference]:
    """Where Kalends is stricter than Apache with HTTP Basic, on purpose.

    Apache decodes base64 up to the first foreign character and cuts the result at a NUL; it takes
    a text without a colon for a name, and a line without a name for an account.
    """
    first = headers[0].strip() if headers else b""
    given = re.match(rb"(?i:basic)(?: |\Z)[ \t]*([A-Za-z0-9+/]*)(.*)", first)
    if given is None:
        return []
    digits = given[1][: len(given[1]) - (len(given[1]) % 4 == 1)]
    text = base64.b64decode(digits + b"=" * (-len(digits) % 4))
    name, colon, password = text.partition(b":")
    reasons = {
        "two Authorization headers": len(headers) > 1,
        "junk after the base64 text": given[2].strip(b"= \t") != b"",
        "an impossible length of base64": len(given[1]) % 4 == 1,
        # Where Apache takes 8191 bytes, gunicorn takes 8190 with the line end.
        "a line too long for gunicorn": len(b"Authorization: " + headers[0]) > 8188,
        "a NUL in the credentials": b"\0" in text,
        "credentials without a colon": not colon,
        "an empty name": name.partition(b"\0")[0] == b"",
    }
    # It depends on the line.
    perhaps = {
        # A field of DES has thirteen characters, and eight bytes of the password count.
        "more than DES looks at": len(password) > 8
        and re.search(rb":[./0-9A-Za-z]{13}\s*(?:[:\n\0]|\Z)", _joined(file)) is not None,
        _ANOTHER_SPELLING: _is_latin1(name) and _spelt_in_utf8(name) in _joined(file),
    }
    return [
        *_applying(reasons, kalends_denies=True, always=True),
        *_applying(perhaps, kalends_denies=True),
    ]


_MD5 = re.compile(rb"[0-9a-f]{32}")
_COUNT = re.compile(rb"(?!0*\Z)[0-9A-Fa-f]{1,8}")


def _escaped_slashes(uri: bytes) -> int:
    """In the path alone: those of a query are decoded."""
    return uri.partition(b"?")[0].lower().count(b"%2f")


def digest_differences(file: bytes, attempt: DigestAttempt) -> list[Difference]:
    """Where Kalends is stricter than Apache with HTTP Digest, on purpose, and where it takes more.

    Apache compares a response with whatever stands in the hash field, looks at no nonce count, lets
    the last of two fields count, and compares paths after decoding, fragments left out.
    """
    names = [name for name, _ in attempt.fields]
    name, uri = attempt[b"username"], attempt[b"uri"]
    reasons = {
        "a hash field that is none": not _MD5.fullmatch(attempt.ha1),
        "a field twice": len(set(names)) < len(names),
        "a nonce count that is none": not _COUNT.fullmatch(attempt[b"nc"]),
        "an empty cnonce": not attempt[b"cnonce"],
        "no qop, which Apache took up to 2.4.68": b"qop" not in names,
        "an empty name": not name,
        "a fragment": b"#" in uri,
        "an escaped slash is no slash": _escaped_slashes(uri) != _escaped_slashes(attempt.target),
    }
    # Apache compares paths as they are after another decoding: /a%252Fb is /a%2Fb, and not itself.
    decoded_twice = b"%25" in attempt.target
    perhaps = {
        "an escaped percent sign": decoded_twice,
        _ANOTHER_SPELLING: _is_latin1(name) and _spelt_in_utf8(name) in _joined(file),
    }
    more = {
        "an escaped percent sign": decoded_twice,
        # Apache compares with what it has made of the path; equal as sent is equal for both.
        "a path that has to be tidied up": b"//" in attempt.target or b"/../" in attempt.target,
        _ANOTHER_SPELLING: _is_latin1(name),
    }
    return [
        *_applying(reasons, kalends_denies=True, always=True),
        *_applying(perhaps, kalends_denies=True),
        *_applying(more, kalends_denies=False),
    ]


def group_differences(file: bytes, user: bytes) -> list[Difference]:
    """Where Kalends finds other members than Apache: one spelling of a name is as good as another.

    What is not UTF-8 is ISO-8859-1, in the names of users and of groups alike.
    """
    odd = any(_is_latin1(line) for line in file.split(b"\n")) or _is_latin1(user)
    return [Difference(_ANOTHER_SPELLING, kalends_denies=denies) for denies in (True, False) if odd]
