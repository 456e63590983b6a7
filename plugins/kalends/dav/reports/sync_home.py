"""sync-collection of a home or folder: the collections in it (RFC 6578 section 3.3).

A collection in it counts as changed whenever an object in it or a property of it has, so that a
client asks one question about all calendars. The token names the change number of each.
"""

from __future__ import annotations

from collections.abc import Mapping

from kalends.dav.reports.sync_changes import SyncCollection, write_changes
from kalends.dav.reports.target import ReportTarget
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import ReportRefusedError
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.sync_tokens import members_token, parse_members_token


def write_sync_home(target: ReportTarget, asked: SyncCollection, buffer: ResponseBuffer) -> None:
    """Write the collections that have changed, those that have left, and the new token.

    Args:
        target: the home or folder.
        asked: the report.
        buffer: receives the responses.

    Raises:
        ReportRefusedError: the token is not one of this collection, or too old; or a number of
            objects at most is wanted of all collections.
    """
    row, limit = target.view.row, asked.limit
    if asked.is_deep and limit is not None:
        why = "a home has no limit for the objects of its collections; ask with sync-level 1"
        raise ReportRefusedError("D:number-of-matches-within-limits", why)
    known = _known(row, asked.token) if asked.token else {}
    members = {member.view.row.id: member for member in target.members()}
    told = {number: known[number] for number in known if number in members}
    changes = [
        *(number for number in known if number not in members),
        *(number for number, member in members.items() if known.get(number) != _modseq(member)),
    ]
    some = changes if limit is None else changes[:limit]
    for number in some:
        if number in members:
            member = members[number]
            told[number] = _modseq(member)
            buffer.write(target.reader.responses.response(member.view, asked.wanted.tags))
            if asked.is_deep and member.view.row.tag:
                _write_objects(member, known.get(number, 0), asked, buffer)
        else:
            buffer.write(write.not_found(_path_of_removed(target, number)))
    if len(some) < len(changes):
        told |= {number: known[number] for number in changes[len(some) :] if number in known}
        buffer.write(write.truncated(target.view.asked.prefix + target.view.path))
    buffer.write(f"<sync-token>{members_token(row, told)}</sync-token>")


def _write_objects(
    member: ReportTarget, since: int, asked: SyncCollection, buffer: ResponseBuffer
) -> None:
    if 0 < since < member.view.row.forgotten:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is too old")
    objects = member.objects(asked.wanted, member.zone(), is_query=False)
    write_changes(member, since, objects, buffer)


def _known(row: CollectionRow, token: str) -> Mapping[int, int]:
    try:
        return parse_members_token(row, token)
    except ValueError as error:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is not known") from error


def _modseq(member: ReportTarget) -> int:
    return member.view.row.modseq


def _path_of_removed(target: ReportTarget, number: int) -> str:
    """Return the path, as clients see it, of a collection that has left.

    Raises:
        ReportRefusedError: it is not known, as with a group's after its member has left the group.
    """
    connection, reader, request = target.connection, target.reader, target.request
    row = target.view.row
    groups = reader.groups_of(request.user) if row.path == request.user else ()
    homes = [collections.find_collection(connection, f"GROUPS/{group}") for group in groups]
    above = [row.id, *(home.id for home in homes if home)]
    path = collections.find_removed(connection, above, number)
    if path is None:
        raise ReportRefusedError("D:valid-sync-token", "the sync-token is too old")
    return f"{target.view.asked.prefix}/{path}/"
