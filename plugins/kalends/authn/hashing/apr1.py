"""Apache's own ``$apr1$`` password hash: MD5 crypt under another name. Pure.

libpass has it too, but only with salts of its own alphabet; Apache accepts any eight bytes.
"""

from __future__ import annotations

import hashlib

_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ROUNDS = 1000
_SALT_BYTES = 8


def apr1(password: bytes, salt: bytes) -> bytes:
    """Compute the whole hash field for a password.

    Args:
        password: any bytes, of any length.
        salt: without ``$``; its first eight bytes count.
    """
    salt = salt[:_SALT_BYTES]
    digest = _first(password, salt)
    for turn in range(_ROUNDS):
        odd = turn & 1
        digest = _md5(
            (password if odd else digest)
            + (salt if turn % 3 else b"")
            + (password if turn % 7 else b"")
            + (digest if odd else password)
        )
    return b"$apr1$" + salt + b"$" + _in_base64(digest)


def _first(password: bytes, salt: bytes) -> bytes:
    """Compute the digest that the rounds begin with."""
    length = len(password)
    mixed = _md5(password + salt + password)
    text = password + b"$apr1$" + salt + (mixed * (length // len(mixed) + 1))[:length]
    while length:
        text += b"\0" if length & 1 else password[:1]
        length >>= 1
    return _md5(text)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _in_base64(digest: bytes) -> bytes:
    """Encode sixteen bytes in crypt's order and alphabet: five groups of three, and one byte."""
    groups = [(digest[i], digest[i + 6], digest[i + 12 if i < 4 else 5]) for i in range(5)]
    text = bytearray()
    for high, middle, low in groups:
        text += _digits(high << 16 | middle << 8 | low, 4)
    return bytes(text + _digits(digest[11], 2))


def _digits(number: int, count: int) -> bytes:
    """Encode a number in crypt's base 64, the lowest digit first."""
    return bytes(_ALPHABET[number >> (6 * place) & 63] for place in range(count))
