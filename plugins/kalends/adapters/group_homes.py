"""The homes of groups: ``/GROUPS/NAME/``, with the name in any ASCII case."""

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
    """The homes of groups in the store, created when the first member comes.

    A group's name ignores ASCII case, and its home keeps its first spelling, even if the group file
    spells the name differently later.

    Args:
        storage: the store.
        groups_of: returns the groups of an account, by the group file.
    """

    def __init__(self, storage: Storage, groups_of: GroupsOf) -> None:
        self._storage = storage
        self._groups_of = groups_of
        self._segments: dict[bytes, str] = {}

    def ensure_of(self, user: str) -> set[str]:
        """Return the last segments of the homes of a user's groups; create missing ones."""
        found = {self._segment(group, user) for group in self._groups_of(user)} if user else set()
        return {segment for segment in found if segment}

    def in_path(self, path: str) -> str:
        """Return a path with its group spelt as in the store."""
        start = f"/{GROUPS}/"
        if not path.startswith(start):
            return path
        name, slash, rest = path[len(start) :].partition("/")
        segment = self._segments.get(folded_group(name))
        return path if segment is None else start + segment + slash + rest

    def _segment(self, group: str, user: str) -> str | None:
        folded = folded_group(group)
        segment = self._segments.get(folded)
        if segment is None and refusal_of_group(group) is None:
            try:
                segment = self._segments[folded] = self._storage.ensure_group(group, user)
            except (StoreFullError, StoreBusyError) as error:
                _log.error("%s for the calendars of the group %r", error, group)
        return segment
