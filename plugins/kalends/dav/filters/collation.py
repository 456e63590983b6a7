"""Collations, by which texts are compared (RFC 4791 section 7.5, RFC 6352 section 8.3)."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from kalends.dav.filters.model import TextMatch

ASCII_CASEMAP = "i;ascii-casemap"
"""The default of calendars (RFC 4790 section 9.2)."""

UNICODE_CASEMAP = "i;unicode-casemap"
"""The default of address books (RFC 5051)."""

OCTET = "i;octet"
"""Octet by octet (RFC 4790 section 9.3)."""


_CHARACTERS_IN_A_STEP = 500
_FOLDED_IN_A_STEP = 3

_LONGEST_FOLDED = 100_000
"""The characters of a text beyond ASCII that are compared: a fold can make eighteen of one."""


def match_steps(text: str) -> int:
    """Return the steps of comparing a text by the costliest collation."""
    if text.isascii():
        return 1 + len(text) // _CHARACTERS_IN_A_STEP
    longest = min(len(text), _LONGEST_FOLDED)
    return 1 + len(text) // _CHARACTERS_IN_A_STEP + longest // _FOLDED_IN_A_STEP


def fold(text: str, collation: str) -> str:
    """Return a text in the form in which a collation compares it.

    Args:
        text: any text.
        collation: one of `COLLATIONS`.
    """
    return COLLATIONS[collation](text)


def is_match(match: TextMatch, texts: Iterable[str]) -> bool:
    """Return True if a value passes a test.

    Args:
        match: the test.
        texts: the forms of the value; the test's text is found if one of them has it.
    """
    has, folded = _KINDS[match.kind], COLLATIONS[match.collation]
    return any(has(folded(text), match.text) for text in texts) is not match.negated


def _ascii(text: str) -> str:
    # `bytes.upper` changes ASCII letters alone.
    return text.upper() if text.isascii() else text.encode().upper().decode()


def _unicode(text: str) -> str:
    if text.isascii():
        return text.upper()
    some = text[:_LONGEST_FOLDED]
    return unicodedata.normalize("NFKD", "".join(map(_titlecase, some)))


@lru_cache(maxsize=4096)
def _titlecase(character: str) -> str:
    """Return the simple titlecase of a character, which is one character (RFC 5051 section 2)."""
    title = character.title()
    return title if len(title) == 1 else character


COLLATIONS: Mapping[str, Callable[[str], str]] = {
    ASCII_CASEMAP: _ascii,
    UNICODE_CASEMAP: _unicode,
    OCTET: str,
}
"""The fold of each supported collation, by name."""

KINDS = ("equals", "contains", "starts-with", "ends-with")
"""The kinds of `TextMatch`."""

_KINDS: Mapping[str, Callable[[str, str], bool]] = {
    "equals": str.__eq__,
    "contains": str.__contains__,
    "starts-with": str.startswith,
    "ends-with": str.endswith,
}
