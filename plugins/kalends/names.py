"""Which names are no account names: they would stand where something else stands already."""

from __future__ import annotations

from collections.abc import Collection

RESERVED = frozenset({"GROUPS", "feeds", "s"})
"""First segments of addresses and folders that belong to no account."""


def refusal_of_name(name: str, named_feeds: Collection[str]) -> str | None:
    """Why the account ``name`` has no home and no feed, for the administrator; None if it has.

    Args:
        name: an account name as it stands in a user file.
        named_feeds: the names of the feeds that are defined by name.
    """
    if not name or "/" in name or any(character < " " or character == "\x7f" for character in name):
        return "it is not one segment of a path"
    if name.startswith((".", "@")):
        return f"it begins with {name[0]!r}"
    if name in RESERVED:
        return "the name is reserved"
    if name in named_feeds:
        return "a feed has that name"
    return None
