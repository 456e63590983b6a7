"""Octets of calendars and cards, and their text."""

from __future__ import annotations

import re

_FOLD_IN_CHARACTER = re.compile(rb"([\xc2-\xf4][\x80-\xbf]*)(\r?\n[ \t])([\x80-\xbf]+)")
# Control characters but TAB and line ends, and what XML cannot write.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|\r(?!\n)")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The prefix that some programs write before UTF-8 text."""


def decode(data: bytes, errors: str = "strict") -> str:
    """Decode octets as UTF-8 text with the same lines.

    A fold within a character, which RFC 5545 section 3.1 allows, is moved before that character;
    otherwise neither line could be decoded.

    Args:
        data: the octets of a calendar or card.
        errors: the error handler of ``bytes.decode``. ``surrogateescape`` replaces octets that are
            not UTF-8 with surrogates, which `parse` reports with their line.

    Returns:
        the text, with its line ends unchanged.

    Raises:
        UnicodeDecodeError: the octets are not UTF-8.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _FOLD_IN_CHARACTER.sub(rb"\2\1\3", data).decode("utf-8", errors)


def decode_stored(data: bytes) -> str:
    """Decode an object or a card that an earlier version may have stored.

    What makes a line unreadable is left out, and what is not UTF-8 is replaced.
    """
    text = decode(data, "replace")
    return _UNREADABLE.sub("", text) if _UNREADABLE.search(text) else text
