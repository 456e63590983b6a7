"""All deliberate differences between the logins of Kalends and those of Apache."""

from __future__ import annotations

import base64
import re
from typing import NamedTuple

from support.loginheaders import DigestAttempt


class Difference(NamedTuple):
    """A documented reason for different verdicts.

    Attributes:
        why: the reason.
        kalends_denies: True if Kalends denies what Apache allows, False for the reverse.
        always: True if Kalends denies whenever the reason applies.
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
    """Return a name in UTF-8 or ISO-8859-1 as UTF-8."""
    return name.decode("latin-1").encode() if _is_latin1(name) else name


def _joined(file: bytes) -> bytes:
    """Return a user file with its continued lines joined."""
    return re.sub(rb"\\\r?\n", b"", file)


def basic_differences(file: bytes, headers: list[bytes]) -> list[Difference]:
    """Return the reasons for which Kalends is stricter than Apache with HTTP Basic.

    Apache decodes base64 up to the first foreign character and cuts the result at a NUL; it
    accepts a text without a colon as a name, and a line without a name as an account.
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
        "a NUL in the credentials": b"\0" in text,
        "credentials without a colon": not colon,
        "an empty name": name.partition(b"\0")[0] == b"",
    }
    # Whether these change the verdict depends on the line in the file.
    perhaps = {
        # A hash field of DES has thirteen characters, and only eight bytes of the password count.
        "a password longer than DES reads": len(password) > 8
        and re.search(rb":[./0-9A-Za-z]{13}\s*(?:[:\n\0]|\Z)", _joined(file)) is not None,
        _ANOTHER_SPELLING: _is_latin1(name) and _spelt_in_utf8(name) in _joined(file),
    }
    return [
        *_applying(reasons, kalends_denies=True, always=True),
        *_applying(perhaps, kalends_denies=True),
    ]


_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_STRING = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*+"'
_PARAM = rb"%b[ \t]*+=[ \t]*+(?:%b|%b)" % (_TOKEN, _TOKEN, _STRING)
_AUTH_PARAMS = re.compile(
    rb"(?i:digest)[ \t]++(?:%b)?(?:[ \t]*+,[ \t]*+(?:%b)?)*+[ \t]*" % (_PARAM, _PARAM)
)


def _is_auth_params(text: bytes) -> bool:
    """Return True if a header is a list of auth-params (RFC 9110 sections 5.6.1 and 11.2)."""
    # Unlike a response, a nonce is not a token: there is an equals sign in each.
    written = text.replace(b"@NONCE@", b"=").replace(b"@RESPONSE@", b"0")
    return _AUTH_PARAMS.fullmatch(written.strip(b" \t")) is not None


_MD5 = re.compile(rb"[0-9a-f]{32}")
_COUNT = re.compile(rb"(?!0*\Z)[0-9A-Fa-f]{1,8}")


def _escaped_slashes(uri: bytes) -> int:
    """Return the number of escaped slashes in the path; those of a query are decoded."""
    return uri.partition(b"?")[0].lower().count(b"%2f")


DENIED_DIGESTS = {
    "dp-uri-unquoted": "a value with a slash is not a token, so it needs quotation marks",
}
"""The Digest vectors that Apache allows and Kalends denies, with the reasons."""


def digest_differences(file: bytes, attempt: DigestAttempt) -> list[Difference]:
    """Return the reasons for which Kalends is stricter or laxer than Apache with HTTP Digest.

    Apache compares a response with any content of the hash field, ignores the nonce count, uses
    the last of two fields, skips text between a value and the comma, ends the last value without
    its quotation mark, takes any unquoted text, and compares paths decoded and without fragments.
    """
    names = [name for name, _ in attempt.fields]
    name, uri = attempt[b"username"], attempt[b"uri"]
    reasons = {
        "fields that are not a list of auth-params": not _is_auth_params(attempt.text),
        "a hash field that is not a hash": not _MD5.fullmatch(attempt.ha1),
        "a field twice": len(set(names)) < len(names),
        "a nonce count that is not a count": not _COUNT.fullmatch(attempt[b"nc"]),
        "an empty cnonce": not attempt[b"cnonce"],
        "no qop, which Apache accepted up to 2.4.68": b"qop" not in names,
        "an empty name": not name,
        "a fragment": b"#" in uri,
        "an escaped slash is not a slash": _escaped_slashes(uri)
        != _escaped_slashes(attempt.target),
    }
    # Apache compares paths after decoding them again: /a%252Fb equals /a%2Fb, and not itself.
    decoded_twice = b"%25" in attempt.target
    perhaps = {
        "an escaped percent sign": decoded_twice,
        _ANOTHER_SPELLING: _is_latin1(name) and _spelt_in_utf8(name) in _joined(file),
    }
    more = {
        "an escaped percent sign": decoded_twice,
        # Apache compares with the normalised path; paths that are equal as sent are equal for both.
        "a path that is normalised": b"//" in attempt.target or b"/../" in attempt.target,
        _ANOTHER_SPELLING: _is_latin1(name),
    }
    return [
        *_applying(reasons, kalends_denies=True, always=True),
        *_applying(perhaps, kalends_denies=True),
        *_applying(more, kalends_denies=False),
    ]


def group_differences(file: bytes, user: bytes) -> list[Difference]:
    """Return the reasons for which Kalends finds other members of a group than Apache.

    Kalends reads names of users and groups that are not UTF-8 as ISO-8859-1, so that both
    spellings of a name are equal.
    """
    odd = any(_is_latin1(line) for line in file.split(b"\n")) or _is_latin1(user)
    return [Difference(_ANOTHER_SPELLING, kalends_denies=denies) for denies in (True, False) if odd]
