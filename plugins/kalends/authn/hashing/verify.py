"""Verification of passwords against the hash fields of a password file, with Apache's verdicts.

One table lists the formats. A field of any other shape matches no password; nothing is ever
compared as plain text. Two cases are stricter than in Apache: a password with a NUL matches nothing
(Apache cuts it there), and traditional DES, which uses eight bytes, accepts no longer password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import bcrypt
from passlib.hash import des_crypt, md5_crypt, sha256_crypt, sha512_crypt

from kalends.authn.hashing import cost_limits, libcrypt
from kalends.authn.hashing.apr1 import apr1

_LIBCRYPT_PASSWORD_LIMIT = 512
_BCRYPT_PASSWORD_BYTES = 72
_DES_PASSWORD_BYTES = 8

Verify = Callable[[bytes, bytes], bool]
"""(password, stored) to True if they match."""
Refusal = Callable[[bytes], str | None]
"""A stored field to the reason to refuse it unverified, or None."""


@dataclass(frozen=True, slots=True)
class HashFormat:
    """One format of hash fields.

    Attributes:
        name: its usual name, for a person.
        shape: matches the beginning of its fields.
        verify: verifies a password; called only where there is no refusal.
        refusal: the reason to refuse a field of this shape unverified, or None.
        slow: True if a verification takes many milliseconds of a processor.
    """

    name: str
    shape: re.Pattern[bytes]
    verify: Verify
    refusal: Refusal
    slow: bool


class PasswordVerifier:
    """The table of formats on this machine.

    Args:
        crypt: the system's crypt(3), or None where there is none (see `libcrypt.load`).
    """

    def __init__(self, crypt: libcrypt.Crypt | None) -> None:
        self._formats = (*_apache_formats(crypt), *_libcrypt_formats(crypt))

    def refusal(self, stored: bytes) -> str | None:
        """Return the reason why no password can match this field here, or None; quote nothing."""
        hash_format = self._format(stored)
        return hash_format.refusal(stored) if hash_format else "unknown format"

    def format_of(self, stored: bytes) -> str | None:
        """Return the usual name of a field's format; None for an unknown one."""
        hash_format = self._format(stored)
        return hash_format.name if hash_format else None

    def is_slow(self, stored: bytes) -> bool:
        """Return True if `verify` takes many milliseconds of a processor."""
        hash_format = self._format(stored)
        return hash_format is not None and hash_format.slow and hash_format.refusal(stored) is None

    def verify(self, password: bytes, stored: bytes) -> bool:
        """Return True if the hash field was made of the password.

        Args:
            password: the bytes that the client sent.
            stored: the hash field; one with a `refusal` matches nothing, at no cost.
        """
        hash_format = self._format(stored)
        if hash_format is None or b"\0" in password or hash_format.refusal(stored) is not None:
            return False
        return hash_format.verify(password, stored)

    def _format(self, stored: bytes) -> HashFormat | None:
        return next((s for s in self._formats if s.shape.match(stored)), None)


def _fixed_cost(_stored: bytes) -> str | None:
    """Refuse no field of a format without a cost parameter."""
    return None


def _apache_formats(crypt: libcrypt.Crypt | None) -> tuple[HashFormat, ...]:
    """Return the formats that Apache verifies itself, and bcrypt, bounded under any prefix."""

    def verify_bcrypt(password: bytes, stored: bytes) -> bool:
        prefix = stored[:4]
        if prefix in (b"$2b$", b"$2x$") and len(password) >= _LIBCRYPT_PASSWORD_LIMIT:
            return False
        counted = password[:_BCRYPT_PASSWORD_BYTES]
        if crypt and prefix in (b"$2a$", b"$2x$"):
            # Only libcrypt knows the old sign-extension bug ($2x$) and the guard against it ($2a$).
            return _same(crypt(counted, stored), stored)
        try:
            return _same(bcrypt.hashpw(counted, stored), stored)
        except ValueError:  # impossible bits in the salt
            return False

    def bcrypt_refusal(stored: bytes) -> str | None:
        if stored.startswith(b"$2x$") and crypt is None:
            return "$2x$ bcrypt, which needs the system's libcrypt"
        return cost_limits.bcrypt_refusal(stored)

    return (
        HashFormat("bcrypt", re.compile(rb"\$2[abxy]\$"), verify_bcrypt, bcrypt_refusal, slow=True),
        HashFormat("apr1", re.compile(rb"\$apr1\$"), _verify_apr1, _fixed_cost, slow=False),
        HashFormat("SHA-1", re.compile(rb"\{SHA\}"), _verify_sha1, _fixed_cost, slow=False),
    )


def _verify_apr1(password: bytes, stored: bytes) -> bool:
    salt = stored.split(b"$")[2]
    return _same(apr1(password, salt), stored)


def _verify_sha1(password: bytes, stored: bytes) -> bool:
    digest = hashlib.sha1(password, usedforsecurity=False).digest()
    return _same(b"{SHA}" + base64.b64encode(digest), stored)


# Name, shape, a probe for the system's support, a substitute verifier, limits of cost, slow.
_TO_LIBCRYPT: tuple[tuple[str, bytes, bytes, Verify | None, Refusal, bool], ...] = (
    ("SHA-512 crypt", rb"\$6\$", b"$6$ab$", sha512_crypt.verify, cost_limits.rounds_refusal, True),
    ("SHA-256 crypt", rb"\$5\$", b"$5$ab$", sha256_crypt.verify, cost_limits.rounds_refusal, True),
    ("yescrypt", rb"\$y\$", b"$y$./.$abcd$", None, cost_limits.yescrypt_refusal, True),
    ("gost-yescrypt", rb"\$gy\$", b"$gy$./.$abcd$", None, cost_limits.yescrypt_refusal, True),
    ("scrypt", rb"\$7\$", b"$7$6/..../....abcd$", None, cost_limits.scrypt_refusal, True),
    ("MD5 crypt", rb"\$1\$", b"$1$ab$", md5_crypt.verify, _fixed_cost, False),
    ("Sun MD5", rb"\$md5[$,]", b"$md5$ab$$", None, cost_limits.rounds_refusal, True),
    ("SHA-1 crypt", rb"\$sha1\$", b"$sha1$1$abcdefgh$", None, cost_limits.rounds_refusal, True),
    ("NT", rb"\$3\$", b"$3$", None, _fixed_cost, False),
    ("BSDi DES", rb"_[./0-9A-Za-z]{19}\Z", b"_J9..rasm", None, cost_limits.bsdi_refusal, True),
    ("DES", rb"[./0-9A-Za-z]{13}\Z", b"ab", des_crypt.verify, _fixed_cost, False),
    ("DES bigcrypt", rb"[./0-9A-Za-z]{13}([./0-9A-Za-z]{11})+\Z", b"ab", None, _fixed_cost, False),
)


def _libcrypt_formats(crypt: libcrypt.Crypt | None) -> Iterator[HashFormat]:
    """Yield the formats that Apache leaves to libcrypt; libpass stands in where it lacks one."""
    for name, shape, probe, substitute, refusal, slow in _TO_LIBCRYPT:
        if crypt is not None and crypt(b"", probe) is not None:
            verify: Verify = partial(_verify_by_libcrypt, crypt)
        elif substitute is not None:
            verify = partial(_verify_by_libpass, substitute)
        else:
            yield _unsupported(name, shape)
            continue
        if name == "DES":
            verify = partial(_verify_eight_bytes, verify)
        yield HashFormat(name, re.compile(shape), verify, refusal, slow)


def _unsupported(name: str, shape: bytes) -> HashFormat:
    why = f"{name}, which this system's libcrypt does not know"
    return HashFormat(name, re.compile(shape), lambda *_: False, lambda _: why, slow=False)


def _verify_by_libcrypt(crypt: libcrypt.Crypt, password: bytes, stored: bytes) -> bool:
    return _same(crypt(password, stored), stored)


def _verify_by_libpass(verify: Verify, password: bytes, stored: bytes) -> bool:
    if len(password) >= _LIBCRYPT_PASSWORD_LIMIT:
        return False
    try:
        return verify(password, stored)
    except ValueError:  # a malformed field
        return False


def _verify_eight_bytes(verify: Verify, password: bytes, stored: bytes) -> bool:
    return len(password) <= _DES_PASSWORD_BYTES and verify(password, stored)


def _same(computed: bytes | None, stored: bytes) -> bool:
    return computed is not None and hmac.compare_digest(computed, stored)
