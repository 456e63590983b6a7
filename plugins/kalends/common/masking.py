"""Masks for the secrets of feed addresses in log lines. Pure."""

from __future__ import annotations

import re

SECRET_LENGTH = 32
"""The length of a secret in characters of base64url, six bits each."""

_MASK = "***"
# A character of a secret, also if it was percent-encoded once or several times.
_CHARACTER = r"(?:[A-Za-z0-9_-]|%(?:25)*[0-9A-Fa-f]{2})"
_RUN = re.compile(rf"{_CHARACTER}{{{SECRET_LENGTH},}}")
_RUN_IN_ADDRESS = re.compile(rf"(?<=[/;=?&\\]){_RUN.pattern}")
# UUIDs and digests name objects and requests. A random secret looks so once in 10**14.
_HEX = re.compile(r"[0-9A-Fa-f-]+")
# A guessed or mistyped secret of any shape, where a secret should be.
_GUESS = re.compile(r"(/feeds/[^a-z0-9]*s/+)[^/ ?]+", re.IGNORECASE)


def mask_path(path: str) -> str:
    """Return the path of a request with everything masked that may be a secret.

    A secret is recognised by its shape, since one address can be spelt in many ways that are not
    the address of a feed, such as ``/feeds/./s/SECRET/name.ics``. Hexadecimal names stay.

    Args:
        path: the path, decoded or not.
    """
    if len(path) >= SECRET_LENGTH:
        path = _RUN.sub(_masked, path)
    return _GUESS.sub(rf"\1{_MASK}", path)


def mask_addresses(text: str) -> str:
    """Return a text, such as a log line, with the secrets masked in all addresses and paths."""
    return _GUESS.sub(rf"\1{_MASK}", _RUN_IN_ADDRESS.sub(_masked, text))


def _masked(run: re.Match[str]) -> str:
    return run[0] if _HEX.fullmatch(run[0]) else _MASK
