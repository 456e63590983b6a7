"""Names of accounts and groups that can have collections, and the paths of these."""

from __future__ import annotations

import re
from collections.abc import Collection

GROUPS = "GROUPS"
"""The first segment of the addresses of group calendars: ``GROUPS/family/birthdays``."""

RESERVED = frozenset({GROUPS, "feeds", "s"})
"""First path segments that cannot be the name of an account."""


_SEGMENT = re.compile(r"[^/\x00-\x1f\x7f]+")


def refusal_of_name(name: str, named_feeds: Collection[str]) -> str | None:
    """Explain to the administrator why an account has no home and no feed.

    Args:
        name: the account's name in the user file.
        named_feeds: the names of the feeds that have one.

    Returns:
        the reason; None if the account has a home and a feed.
    """
    if not _is_segment(name):
        return "it is not one segment of a path"
    if name.startswith((".", "@")):
        return f"it begins with {name[0]!r}"
    if name in RESERVED:
        return "the name is reserved"
    if name in named_feeds:
        return "a feed has that name"
    return None


def refusal_of_group(name: str) -> str | None:
    """Explain to the administrator why a group has no calendars.

    Args:
        name: the group's name in the group file.

    Returns:
        the reason; None if the group has calendars.
    """
    if not _is_segment(name):
        return "it is not one segment of a path"
    return "it begins with '.'" if name.startswith(".") else None


def owner_of(path: str) -> str:
    """Return the account, or the path of the group, that owns a collection.

    Args:
        path: the collection's path, without a slash at either end.
    """
    names = path.split("/")
    return "/".join(names[:2]) if names[0] == GROUPS else names[0]


def folded_group(name: str) -> bytes:
    """Return a group's name for comparison, which ignores ASCII case as Apache does."""
    return name.encode().lower()  # bytes.lower changes only ASCII letters


def _is_segment(name: str) -> bool:
    return _SEGMENT.fullmatch(name) is not None
