"""Ctags and sync-tokens (RFC 6578), made of an incarnation and a change number."""

from __future__ import annotations

import re
from collections.abc import Mapping

from kalends.store.collections import CollectionRow
from kalends.store.objects.changes import REMOVED, SyncPoint

# The change number, and the kind and number of the change if more of that number are to come.
_NUMBERS = re.compile(r"([0-9]{1,18})(?:\.([01])\.([0-9]{1,18}))?", re.ASCII)
_MEMBER = re.compile(rf"([0-9]{{1,18}})\.{_NUMBERS.pattern}", re.ASCII)
_PREFIX = "data:,kalends-"
_PREFIX_OF_MEMBERS = "data:,kalends-members-"


def ctag_of(row: CollectionRow) -> str:
    """Return the ctag and ETag of a collection, which differ after every change."""
    return f'"{row.incarnation}-{row.modseq}"'


def sync_token_of(row: CollectionRow, point: SyncPoint | None = None) -> str:
    """Return a sync-token of a collection (RFC 6578 section 4).

    Args:
        row: the collection.
        point: the last change that is known; None for the present state.
    """
    return f"{_PREFIX}{row.id}-{row.incarnation}-{_place(point or SyncPoint(row.modseq))}"


def parse_sync_token(row: CollectionRow, token: str) -> SyncPoint:
    """Return the last change that a sync-token of this collection knows.

    Raises:
        ValueError: the token is not one of this collection, or some removals after it are no
            longer known.
    """
    prefix = f"{_PREFIX}{row.id}-{row.incarnation}-"
    number = _NUMBERS.fullmatch(token.removeprefix(prefix)) if token.startswith(prefix) else None
    if number is None:
        raise ValueError(f"not a sync-token of this collection: {token[:80]!r}")
    modseq = int(number[1])
    if modseq > row.modseq or modseq < row.forgotten or modseq == 0:
        raise ValueError(f"the sync-token is too old: {token[:80]!r}")
    return _point(number[1], number[2], number[3])


def _place(point: SyncPoint) -> str:
    within = f".{point.kind}.{point.id}" if point.kind <= REMOVED else ""
    return f"{point.modseq}{within}"


def _point(modseq: str, kind: str | None, number: str | None) -> SyncPoint:
    return (
        SyncPoint(int(modseq), int(kind), int(number))
        if kind and number
        else SyncPoint(int(modseq))
    )


def members_token(row: CollectionRow, known: Mapping[int, SyncPoint]) -> str:
    """Return a sync-token of a home or folder, about the collections in it.

    Args:
        row: the home or folder.
        known: the last known change of each collection, by the number of the collection.
    """
    members = ";".join(f"{number}.{_place(point)}" for number, point in sorted(known.items()))
    return f"{_PREFIX_OF_MEMBERS}{row.id}-{row.incarnation}-{members}"


def parse_members_token(row: CollectionRow, token: str) -> Mapping[int, SyncPoint]:
    """Return the last changes that such a token of this collection knows, by collection.

    Raises:
        ValueError: the token is not one of this collection.
    """
    prefix = f"{_PREFIX_OF_MEMBERS}{row.id}-{row.incarnation}-"
    members = token.removeprefix(prefix).split(";") if token != prefix else []
    found = [_MEMBER.fullmatch(member) for member in members]
    if not token.startswith(prefix) or None in found:
        raise ValueError(f"not a sync-token of this collection: {token[:80]!r}")
    return {int(one[1]): _point(one[2], one[3], one[4]) for one in found if one}
