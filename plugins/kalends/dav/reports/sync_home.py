"""sync-collection of a home or folder: the collections in it (RFC 6578 section 3.3).

A collection in it counts as changed whenever an object in it or a property of it has, so that a
client asks one question about all calendars. The token names the last known change of each.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from kalends.dav.reports.sync_objects import NOTHING, write_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import ReportRefusedError
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.objects.changes import REMOVED, SyncPoint
from kalends.store.sync_tokens import members_token, parse_members_token

_LAST = 10**18 - 1  # behind every change of one change number


class SyncHome:
    """One sync-collection of a home or folder.

    Args:
        target: the home or folder.
        wanted: the properties to return.
        buffer: receives the responses.
        is_deep: True if the objects in the collections are wanted as well.
    """

    def __init__(
        self,
        target: ReportTarget,
        wanted: WantedProperties,
        buffer: ResponseBuffer,
        *,
        is_deep: bool,
    ) -> None:
        self._target = target
        self._wanted = wanted
        self._buffer = buffer
        self._is_deep = is_deep

    def write(self, token: str, limit: int | None) -> tuple[str, bool]:
        """Write what has changed and what has left.

        Args:
            token: the token of the last synchronisation; empty for everything.
            limit: the most responses that the client wants at once; None for all.

        Returns:
            The new token, and True if more is to come.

        Raises:
            ReportRefusedError: the token is not one of this collection, or too old.
        """
        row = self._target.view.row
        known = _known(row, token) if token else {}
        members = {member.view.row.id: member for member in self._target.members()}
        told = dict(known)
        left = sys.maxsize if limit is None else limit
        for number in known.keys() - members.keys():
            if left:
                left -= self._write_removed(number, members.values())
                del told[number]
        changed = [number for number in members if known.get(number) != _latest(members[number])]
        self._write_moved({number: known[number].modseq for number in changed if number in known})
        for number in changed:
            if left:
                most = None if limit is None else left
                told[number], used = self._write_member(members[number], known.get(number), most)
                left -= used
        is_cut = told != {number: _latest(member) for number, member in members.items()}
        return members_token(row, told), is_cut

    def _write_removed(self, number: int, members: Iterable[ReportTarget]) -> int:
        """Write that a collection has left; return the number of responses."""
        path = _path_of_removed(self._target, number)
        if path not in (member.view.asked.prefix + member.view.path for member in members):
            self._buffer.write(write.not_found(path))
            return 1
        if self._is_deep:  # the names in the old one are not known any more
            why = "a collection was removed, and another one has its address"
            raise ReportRefusedError("D:valid-sync-token", why)
        return 0

    def _write_moved(self, known: Mapping[int, int]) -> None:
        """Write the former paths of collections that were moved within the home."""
        target = self._target
        if not known:
            return
        moved = collections.find_former_paths(target.connection, _above(target), known)
        if moved and self._is_deep:  # all objects of it have another address
            raise ReportRefusedError("D:valid-sync-token", "a collection was moved")
        for path in sorted(path for paths in moved.values() for path in paths):
            self._buffer.write(write.not_found(f"{target.view.asked.prefix}/{path}/"))

    def _write_member(
        self, member: ReportTarget, known: SyncPoint | None, limit: int | None
    ) -> tuple[SyncPoint, int]:
        """Write a collection, and its objects if they are wanted.

        Returns:
            The last change that the client knows then, and the number of responses, of the limit.
        """
        row = member.view.row
        if not self._is_deep or not row.tag:
            self._buffer.write(self._response(member))
            return _latest(member), 1
        since = known or NOTHING
        if since != NOTHING and not row.forgotten <= since.modseq <= row.modseq:
            raise ReportRefusedError("D:valid-sync-token", "the sync-token is too old")
        point, used = write_objects(member, self._wanted, since, limit, self._buffer)
        if used == limit:  # the collection is told last, so that each answer tells something new
            behind = SyncPoint(row.modseq, REMOVED, _LAST)
            return (behind if point == _latest(member) else point), used
        self._buffer.write(self._target.reader.responses.response(member.view, self._wanted.tags))
        return point, used + 1

    def _response(self, member: ReportTarget) -> str:
        """Return the response of a collection, or that what is in it is not told."""
        view = member.view
        if self._is_deep:  # RFC 6578 section 3.3
            return write.refused(view.asked.prefix + view.path, "D:sync-traversal-supported")
        return self._target.reader.responses.response(view, self._wanted.tags)


def _known(row: CollectionRow, token: str) -> Mapping[int, SyncPoint]:
    try:
        return parse_members_token(row, token)
    except ValueError as error:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is not known") from error


def _latest(member: ReportTarget) -> SyncPoint:
    return SyncPoint(member.view.row.modseq)


def _path_of_removed(target: ReportTarget, number: int) -> str:
    """Return the path, as clients see it, of a collection that has left.

    Raises:
        ReportRefusedError: it is not known, as with a group's after its member has left the group.
    """
    path = collections.find_removed(target.connection, _above(target), number)
    if path is None:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is too old")
    return f"{target.view.asked.prefix}/{path}/"


def _above(target: ReportTarget) -> list[int]:
    """Return the numbers of the collections whose members are told."""
    connection, reader, request = target.connection, target.reader, target.request
    row = target.view.row
    groups = reader.groups_of(request.user) if row.path == request.user else ()
    homes = [collections.find_collection(connection, f"GROUPS/{group}") for group in groups]
    return [row.id, *(home.id for home in homes if home)]
