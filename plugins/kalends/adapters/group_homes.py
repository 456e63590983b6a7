"""Where the calendars of groups stand: ``/GROUPS/NAME/``, in whichever case a name is written."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from kalends.adapters.storage import Storage
from kalends.common.names import GROUPS, folded_group, refusal_of_group
from kalends.errors import StoreBusyError, StoreFullError

_log = logging.getLogger("kalends.caldav")

GroupsOf = Callable[[str], Collection[str]]
"""The names of the groups that an account is in."""


class GroupHomes:
    """The places of groups in the store; made when the first member comes.

    A group's name knows no ASCII case, and its place keeps the name that it was made with, however
    the group file spells it later.

    Args:
        storage: holds the places.
        groups_of: the group file's word.
    """

    def __init__(self, storage: Storage, groups_of: GroupsOf) -> None:
        self._storage = storage
        self._groups_of = groups_of
        self._places: dict[bytes, str] = {}

    def of(self, user: str) -> set[str]:
        """The last segments of the places of a user's groups."""
        found = {self._place(group, user) for group in self._groups_of(user)} if user else set()
        return {place for place in found if place}

    def in_path(self, path: str) -> str:
        """An address, with the group that it names spelt as its place is."""
        start = f"/{GROUPS}/"
        if not path.startswith(start):
            return path
        name, slash, rest = path[len(start) :].partition("/")
        place = self._places.get(folded_group(name))
        return path if place is None else start + place + slash + rest

    def _place(self, group: str, user: str) -> str | None:
        folded = folded_group(group)
        place = self._places.get(folded)
        if place is None and refusal_of_group(group) is None:
            try:
                place = self._places[folded] = self._storage.ensure_group(group, user)
            except (StoreFullError, StoreBusyError) as error:
                _log.error("%s for the calendars of the group %r", error, group)
        return place
