"""sync-collection: the changes of a collection since a token (RFC 6578 section 3.2)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.reports.sync_home import SyncHome
from kalends.dav.reports.sync_objects import NOTHING, write_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.store.objects.changes import SyncPoint
from kalends.store.sync_tokens import parse_sync_token, sync_token_of

_TOKEN, _LEVEL = make_clark("D:sync-token"), make_clark("D:sync-level")
_RESULTS = f"{make_clark('D:limit')}/{make_clark('D:nresults')}"
_LEVELS = {"1": "1", "infinite": "infinite", "infinity": "infinite"}


@dataclass(frozen=True, slots=True)
class SyncCollection:
    """A sync-collection.

    Attributes:
        wanted: the properties to return.
        token: the token of the last one; empty for everything.
        limit: the most changes that the client wants at once (RFC 6578 section 3.7); None for all.
        level: "1", or "infinite" for what is in the collections of a home as well; None leaves it
            to the Depth header.
    """

    wanted: WantedProperties
    token: str
    limit: int | None = None
    level: str | None = None


def read_sync_collection(root: ET.Element) -> SyncCollection:
    """Read a sync-collection.

    Args:
        root: the ``sync-collection`` element.

    Raises:
        ReportRefusedError: the data is wanted in an unsupported form.
        BodyRefusedError: the level, or the form of the data, is invalid.
    """
    stated = root.findtext(_LEVEL)
    level = None if stated is None else _level(stated)
    limit = root.findtext(_RESULTS)
    number = None if limit is None else limit.strip()
    if number is not None and not (number.isascii() and number.isdigit() and number.strip("0")):
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "nresults is not a number above 0")
    most = None if number is None else int(number[:18])
    token = (root.findtext(_TOKEN) or "").strip()
    return SyncCollection(read_wanted(root), token, most, level)


def write_sync_collection(
    target: ReportTarget, asked: SyncCollection, buffer: ResponseBuffer
) -> None:
    """Write what has changed and what was removed, and the new token.

    Raises:
        ReportRefusedError: the token is not one of this collection, or too old.
        BodyRefusedError: the Depth is the level, and is not one (400).
    """
    row, path = target.view.row, target.view.asked.prefix + target.view.path
    level = asked.level or _depth(target)
    if not row.tag:
        token, is_cut = SyncHome(target, asked.wanted, buffer, is_deep=level == "infinite").write(
            asked.token, asked.limit
        )
    else:
        try:
            since = parse_sync_token(row, asked.token) if asked.token else NOTHING
        except ValueError as error:
            raise ReportRefusedError("D:valid-sync-token", "the sync-token is not known") from error
        point, _ = write_objects(target, asked.wanted, since, asked.limit, buffer)
        token, is_cut = sync_token_of(row, point), point != SyncPoint(row.modseq)
    if is_cut:
        buffer.write(write.truncated(path))
    buffer.write(f"<sync-token>{token}</sync-token>")


def _level(text: str) -> str:
    """Return a level; some clients write it as in the Depth header.

    Raises:
        BodyRefusedError: it is not one (400).
    """
    level = _LEVELS.get(text.strip().lower())
    if level is None:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "sync-level is neither 1 nor infinite.")
    return level


def _depth(target: ReportTarget) -> str:
    """Return the level that the Depth header names (RFC 6578 appendix A); 0 says nothing."""
    depth = (target.request.header("HTTP_DEPTH") or "0").strip()
    return "1" if depth == "0" else _level(depth)
