"""Names of the calendars of groups, no two of which end alike in the home of a member.

A home lists the calendars of its account and of its groups, and some programs know a calendar by
the last segment of its address alone: they take ``/alice/calendar/`` and
``/GROUPS/family/calendar/`` for one. So a group's first calendar is called after the group.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import chain, count

from sqlalchemy import Connection, select, update

from kalends.common.names import GROUPS
from kalends.store.aliases import add_alias, aliases_of_all
from kalends.store.schema import collection

_OF_NEW_ACCOUNTS = frozenset({"calendar", "contacts", "tasks"})
"""Names that are taken although nobody may have them yet: those of an account's first login."""


def first_names(
    connection: Connection, group: str, first: Mapping[str, Mapping[str, str]]
) -> dict[str, str]:
    """Return the names of a new group's first collections, by the names that the settings give.

    Args:
        connection: a transaction.
        group: the name of the group, of which there is no home yet.
        first: the properties of the collections.
    """
    names = _Names(connection)
    calendars = [name for name, props in first.items() if props.get("tag") == "VCALENDAR"]
    main = next(iter(calendars or first), "")
    home = f"{GROUPS}/{group}"
    return {name: names.take(home, group if name == main else f"{group}-{name}") for name in first}


def separate_names(connection: Connection) -> list[tuple[str, str]]:
    """Rename the collections of groups whose names another home uses; the old ones are aliases.

    The first calendar of a group gets the name of the group, each other one that name and its own;
    if that is taken too, a number after it. Who is in a group is not known here, so that each
    account counts as a member.

    Returns:
        the former and the present path of each that was renamed.
    """
    names = _Names(connection)
    rows = connection.execute(
        select(collection.c.id, collection.c.path, collection.c.parent, collection.c.tag)
        .where(collection.c.parent.startswith(f"{GROUPS}/", autoescape=True))
        .order_by(collection.c.parent, collection.c.id)
    ).all()
    main = {row.parent: row.id for row in reversed(rows) if row.tag == "VCALENDAR"}
    renamed = []
    for number, path, home, tag in rows:
        name = path.rpartition("/")[2]
        if tag and _is_home_of_group(home) and names.is_used_outside(home, name):
            group = home.rpartition("/")[2]
            wanted = group if main.get(home) == number else f"{group}-{name}"
            fresh = f"{home}/{names.take(home, wanted)}"
            _rename(connection, number, home, fresh)
            add_alias(connection, path, number)
            renamed.append((path, fresh))
    return renamed


class _Names:
    """The last segments of the addresses that homes list, and of the former ones."""

    def __init__(self, connection: Connection) -> None:
        self._homes: dict[str, set[str]] = {name: {""} for name in _OF_NEW_ACCOUNTS}
        query = select(collection.c.path, collection.c.parent).where(collection.c.parent != "")
        for path, parent in connection.execute(query):
            if parent != GROUPS and ("/" not in parent or _is_home_of_group(parent)):
                self._add(parent, path.rpartition("/")[2])
        self._former = {path for paths in aliases_of_all(connection).values() for path in paths}

    def is_used_outside(self, home: str, name: str) -> bool:
        """Return True if another home has a collection of this name."""
        return bool(self._homes.get(name, set()) - {home})

    def take(self, home: str, wanted: str) -> str:
        """Take a name for a home: with the first number that makes it free if it is in use."""
        numbered = (f"{wanted}-{number}" for number in count(2))
        for name in chain([wanted], numbered):
            if name not in self._homes and f"{home}/{name}" not in self._former:
                self._add(home, name)
                return name
        raise AssertionError  # the numbers do not end

    def _add(self, home: str, name: str) -> None:
        self._homes.setdefault(name, set()).add(home)


def _is_home_of_group(path: str) -> bool:
    return path.startswith(f"{GROUPS}/") and path.count("/") == 1


def _rename(connection: Connection, number: int, home: str, path: str) -> None:
    connection.execute(update(collection).where(collection.c.id == number).values(path=path))
    # The home has changed, so that what is kept of the store is read again.
    change = {"modseq": collection.c.modseq + 1, "changed": time.time_ns() // 1000}
    connection.execute(update(collection).where(collection.c.path == home).values(change))
