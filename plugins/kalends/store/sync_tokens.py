"""Ctags and sync-tokens (RFC 6578), made of an incarnation and a change number."""

from __future__ import annotations

from kalends.store.collections import CollectionRow

_PREFIX = "data:,kalends-"


def ctag_of(row: CollectionRow) -> str:
    """Return the ctag and ETag of a collection, which differ after every change."""
    return f'"{row.incarnation}-{row.modseq}"'


def sync_token_of(row: CollectionRow) -> str:
    """Return the sync-token of the present state of a collection (RFC 6578 section 4)."""
    return f"{_PREFIX}{row.id}-{row.incarnation}-{row.modseq}"


def parse_sync_token(row: CollectionRow, token: str) -> int:
    """Return the change number of a sync-token of this collection.

    Raises:
        ValueError: the token is not one of this collection, or some removals after it are no
            longer known.
    """
    prefix = f"{_PREFIX}{row.id}-{row.incarnation}-"
    number = token.removeprefix(prefix)
    if number == token or not (number.isascii() and number.isdigit()) or len(number) > 18:
        raise ValueError(f"not a sync-token of this collection: {token[:80]!r}")
    modseq = int(number)
    if modseq > row.modseq or modseq < row.forgotten or modseq == 0:
        raise ValueError(f"the sync-token is too old: {token[:80]!r}")
    return modseq
