"""Which names of accounts and groups have a place of their own, and where that of a group is."""

from __future__ import annotations

from collections.abc import Collection

GROUPS = "GROUPS"
"""The first segment of the addresses of group calendars: ``GROUPS/family/birthdays``."""

RESERVED = frozenset({GROUPS, "feeds", "s"})
"""First segments of addresses and folders that belong to no account."""


def refusal_of_name(name: str, named_feeds: Collection[str]) -> str | None:
    """Why the account ``name`` has no home and no feed, for the administrator; None if it has.

    Args:
        name: an account name as it stands in a user file.
        named_feeds: the names of the feeds that are defined by name.
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
    """Why the group ``name`` has no calendars of its own, for the administrator; None if it has.

    Args:
        name: a group's name as it stands in the group file.
    """
    if not _is_segment(name):
        return "it is not one segment of a path"
    return "it begins with '.'" if name.startswith(".") else None


def owner_of(path: str) -> str:
    """The account, or the place of the group, that a collection belongs to.

    Args:
        path: without a slash at either end.
    """
    names = path.split("/")
    return "/".join(names[:2]) if names[0] == GROUPS else names[0]


def folded_group(name: str) -> bytes:
    """A group's name as names of groups are compared: they know no ASCII case, as for Apache."""
    return name.encode().lower()  # of bytes, lower() knows ASCII alone


def _is_segment(name: str) -> bool:
    return bool(name) and not any(c == "/" or c < " " or c == "\x7f" for c in name)
