"""Ctags and sync-tokens (RFC 6578): a collection's life, and the change number that was seen."""

from __future__ import annotations

from kalends.store.collections import CollectionRow

_PREFIX = "data:,kalends-"


def ctag_of(row: CollectionRow) -> str:
    """The ctag and ETag of a collection: it changes with every change of it."""
    return f'"{row.incarnation}-{row.modseq}"'


def sync_token_of(row: CollectionRow) -> str:
    """The sync-token of a collection as it stands."""
    return f"{_PREFIX}{row.id}-{row.incarnation}-{row.modseq}"


def parse_sync_token(row: CollectionRow, token: str) -> int:
    """The change number that a token of this collection stands for.

    Raises:
        ValueError: the token is none of ours, or too old to know what was removed since.
    """
    prefix = f"{_PREFIX}{row.id}-{row.incarnation}-"
    number = token.removeprefix(prefix)
    if number == token or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise ValueError(f"not a sync-token of this collection: {token[:80]!r}")
    modseq = int(number)
    if modseq > row.modseq or modseq < row.forgotten or modseq == 0:
        raise ValueError(f"the sync-token is too old: {token[:80]!r}")
    return modseq
