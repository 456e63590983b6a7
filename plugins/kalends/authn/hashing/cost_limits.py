"""Limits on the cost of verifying a stored hash. Pure."""

from __future__ import annotations

import re

MAX_BCRYPT_COST = 17
MAX_ROUNDS = 1_000_000
"""Rounds of the other formats; like bcrypt at its limit this is some seconds of one processor."""
MAX_MEMORY = 256 * 1024 * 1024
"""Bytes of memory that one verification with scrypt or yescrypt may take."""
MAX_SCRYPT_WORK = 4 * MAX_MEMORY

_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_BCRYPT = re.compile(rb"\$2[abxy]\$(\d\d)\$[./0-9A-Za-z]{53}")
_ROUNDS = re.compile(rb"\$(?:5\$rounds=|6\$rounds=|md5,rounds=|sha1\$)(\d+)")
_YESCRYPT = re.compile(rb"\$g?y\$([./0-9A-Za-z]+)\$")
_SCRYPT = re.compile(rb"\$7\$([./0-9A-Za-z]{11})")


def bcrypt_refusal(stored: bytes) -> str | None:
    """Return the reason to refuse a bcrypt field (shape, or cost outside 4 to 17), or None."""
    match = _BCRYPT.fullmatch(stored)
    if match is None:
        return "malformed bcrypt"
    cost = int(match[1])
    if cost > MAX_BCRYPT_COST:
        return f"bcrypt of cost {cost}, above {MAX_BCRYPT_COST}"
    return "bcrypt of a cost below 4" if cost < 4 else None


def rounds_refusal(stored: bytes) -> str | None:
    """Return the reason to refuse a SHA-256, SHA-512, Sun MD5 or SHA-1 crypt field, or None."""
    match = _ROUNDS.match(stored)
    if match is None:
        return None
    digits = match[1].lstrip(b"0")
    if len(digits) > 9 or int(digits or b"0") > MAX_ROUNDS:
        return f"more than {MAX_ROUNDS} rounds"
    return None


def bsdi_refusal(stored: bytes) -> str | None:
    """Return the reason to refuse a BSDi DES field (``_``, count in four digits), or None."""
    count = _number(stored[1:5])
    if count is None:
        return "malformed BSDi DES"
    return f"more than {MAX_ROUNDS} rounds" if count > MAX_ROUNDS else None


def scrypt_refusal(stored: bytes) -> str | None:
    """Return a reason to refuse ``$7$`` scrypt (N in one digit, r and p in five each), or None."""
    match = _SCRYPT.match(stored)
    if match is None:
        return "malformed scrypt"
    digits = match[1]
    log_n, r, p = _ALPHABET.index(digits[:1]), _number(digits[1:6]), _number(digits[6:])
    assert r is not None
    assert p is not None
    return _memory_refusal(log_n, r, p)


def yescrypt_refusal(stored: bytes) -> str | None:
    """Return the reason to refuse a yescrypt or gost-yescrypt field, or None.

    Its parameters are numbers of varying length: flavour, log2 of N, r, and then a set of bits for
    each of p, t, g and the ROM's size that follows.
    """
    match = _YESCRYPT.match(stored)
    numbers = _varying_numbers(match[1]) if match else None
    if numbers is None or len(numbers) < 3:
        return "malformed yescrypt"
    _, log_n, r, *rest = numbers
    further = rest[0] + 1 if rest else 0
    if further & ~3:
        return "yescrypt with hash upgrades or a ROM"
    values = iter(rest[1:])
    p = next(values, 0) + 2 if further & 1 else 1
    t = next(values, 0) + 1 if further & 2 else 0
    return _memory_refusal(log_n + 1, r + 1, p * (t + 1))


def _memory_refusal(log_n: int, r: int, passes: int) -> str | None:
    if log_n > 63:
        return "scrypt with an impossible N"
    memory = 128 * r << log_n
    if memory > MAX_MEMORY or memory * passes > MAX_SCRYPT_WORK:
        return f"scrypt that takes more than {MAX_MEMORY >> 20} MiB, or as much work"
    return None


def _number(digits: bytes) -> int | None:
    """Decode a number in crypt's base 64, its lowest digit first; None if it is not one."""
    value = 0
    for place, digit in enumerate(digits):
        at = _ALPHABET.find(bytes([digit]))
        if at < 0:
            return None
        value |= at << (6 * place)
    return value


def _varying_numbers(digits: bytes) -> list[int] | None:
    """Decode yescrypt's numbers, whose first digit gives their length; None if one is cut off.

    First digits up to 47 are a number by themselves; half of the rest begin numbers of two digits,
    half of the remainder of three, and so on; each range begins where the one before it ended.
    """
    values = [_ALPHABET.index(bytes([digit])) for digit in digits]
    numbers = []
    position = 0
    while position < len(values):
        first, number, bits, start, end = values[position], 0, 0, 0, 47
        while first > end:
            number += (end + 1 - start) << bits
            start, end = end + 1, end + 1 + (62 - end) // 2
            bits += 6
        number += (first - start) << bits
        following = values[position + 1 : position + 1 + bits // 6]
        if len(following) < bits // 6:
            return None
        for value in following:
            bits -= 6
            number += value << bits
        position += 1 + len(following)
        numbers.append(number)
    return numbers
