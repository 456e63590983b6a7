"""What a stored hash costs whoever verifies it, and where that ends. Pure."""

from __future__ import annotations

import re

MAX_BCRYPT_COST = 17
MAX_ROUNDS = 1_000_000
"""Rounds of the other formats; like bcrypt at its limit this is some seconds of one processor."""
MAX_MEMORY = 256 * 1024 * 1024
"""Bytes that one verification with scrypt or yescrypt may take."""
MAX_SCRYPT_WORK = 4 * MAX_MEMORY

_ALPHABET = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

_BCRYPT = re.compile(rb"\$2[abxy]\$(\d\d)\$[./0-9A-Za-z]{53}")
_ROUNDS = re.compile(rb"\$(?:5\$rounds=|6\$rounds=|md5,rounds=|sha1\$)(\d+)")
_YESCRYPT = re.compile(rb"\$g?y\$([./0-9A-Za-z]+)\$")
_SCRYPT = re.compile(rb"\$7\$([./0-9A-Za-z]{11})")


def bcrypt_refusal(stored: bytes) -> str | None:
    """Why a bcrypt field is not verified, or None: its shape, or a cost outside of 4 to 17."""
    match = _BCRYPT.fullmatch(stored)
    if match is None:
        return "malformed bcrypt"
    cost = int(match[1])
    if cost > MAX_BCRYPT_COST:
        return f"bcrypt of cost {cost}, above {MAX_BCRYPT_COST}"
    return "bcrypt of a cost below 4" if cost < 4 else None


def rounds_refusal(stored: bytes) -> str | None:
    """Why SHA-256, SHA-512, Sun MD5 or SHA-1 crypt is not verified, or None."""
    match = _ROUNDS.match(stored)
    if match is None:
        return None
    digits = match[1].lstrip(b"0")
    if len(digits) > 9 or int(digits or b"0") > MAX_ROUNDS:
        return f"more than {MAX_ROUNDS} rounds"
    return None


def bsdi_refusal(stored: bytes) -> str | None:
    """Why a BSDi DES field (``_``, then the count in four digits) is not verified, or None."""
    count = _number(stored[1:5])
    if count is None:
        return "malformed BSDi DES"
    return f"more than {MAX_ROUNDS} rounds" if count > MAX_ROUNDS else None


def scrypt_refusal(stored: bytes) -> str | None:
    """Why ``$7$`` scrypt is not verified, or None: N as one digit, then r and p as five each."""
    match = _SCRYPT.match(stored)
    if match is None:
        return "malformed scrypt"
    digits = match[1]
    log_n, r, p = _ALPHABET.index(digits[:1]), _number(digits[1:6]), _number(digits[6:])
    assert r is not None
    assert p is not None
    return _memory_refusal(log_n, r, p)


def yescrypt_refusal(stored: bytes) -> str | None:
    """Why yescrypt or gost-yescrypt is not verified, or None.

    Its parameters are numbers of varying length: flavour, log2 of N, r, and then a set of bits that
    says which of p, t, g and the ROM's size follow.
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
    """A number in crypt's base 64, its lowest digit first."""
    value = 0
    for place, digit in enumerate(digits):
        at = _ALPHABET.find(bytes([digit]))
        if at < 0:
            return None
        value |= at << (6 * place)
    return value


def _varying_numbers(digits: bytes) -> list[int] | None:
    """yescrypt's numbers, each told by its first digit how many follow; None for half of one.

    First digits up to 47 stand alone; of the rest, half begin two digits, half of what is left
    three, and so on; each range begins where the one before it ended.
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
