"""The properties of WebDAV: RFC 4918 section 15, RFC 3253, RFC 5397 and RFC 6578 section 4."""

from __future__ import annotations

from radicale.xmlutils import MIMETYPES, OBJECT_MIMETYPES

from kalends.common.http import http_date
from kalends.dav.properties.model import LiveProperty
from kalends.dav.properties.setters import text_alone
from kalends.dav.properties.view import CollectionView
from kalends.dav.reports.kinds import REPORTS, reports_of
from kalends.dav.resource import COLLECTIONS, EXISTING, LEAVES, OBJECTS, PRINCIPALS, Kind
from kalends.dav.xml.write import elements, escaped
from kalends.store.objects.changes import SyncPoint
from kalends.store.objects.read import ObjectRow
from kalends.store.sync_tokens import ctag_of, members_token, sync_token_of

_TYPES = {
    Kind.ADDRESS_BOOK: "CR:addressbook",
    Kind.CALENDAR: "C:calendar",
    Kind.SUBSCRIPTION: "CS:subscribed",
}


def display_name(view: CollectionView, kind: Kind) -> str | None:
    """Return a name where the client has set none: the last segment of the path."""
    if "D:displayname" in view.row.props or kind in (Kind.ROOT, Kind.GROUPS):
        return None
    return escaped(view.row.path.rpartition("/")[2])


def _resource_type(_view: CollectionView, kind: Kind) -> str:
    kinds = ["D:principal"] if kind in PRINCIPALS else []
    if kind in _TYPES:
        kinds.append(_TYPES[kind])
    return elements([*kinds, "D:collection"] if kind in COLLECTIONS else kinds)


def _reports(_view: CollectionView, kind: Kind) -> str:
    return "".join(
        f"<supported-report><report>{elements([name])}</report></supported-report>"
        for name in reports_of(kind)
    )


def _sync_token(view: CollectionView, _kind: Kind) -> str:
    if view.row.tag:
        return sync_token_of(view.row)
    return members_token(view.row, {row.id: SyncPoint(row.modseq) for row in view.members()})


def _media_type(row: ObjectRow) -> str:
    kind = OBJECT_MIMETYPES.get(row.kind)
    return f"{kind};charset=utf-8;component={row.component}" if kind else escaped(row.component)


_MEMBERS = LEAVES | OBJECTS
ROWS = (
    LiveProperty(
        "D:displayname",
        "RFC 4918 section 15.2",
        COLLECTIONS,
        display_name,
        in_allprop=True,
        setter=text_alone,
    ),
    LiveProperty(
        "D:getcontentlength",
        "RFC 4918 section 15.4; the length of a whole calendar costs as much as its GET",
        OBJECTS,
        of_object=lambda row: str(row.size),
        in_allprop=True,
    ),
    LiveProperty(
        "D:getcontenttype",
        "RFC 4918 section 15.5",
        _MEMBERS,
        lambda view, _: MIMETYPES[view.row.tag],
        _media_type,
        in_allprop=True,
    ),
    LiveProperty(
        "D:getetag",
        "RFC 4918 section 15.6",
        _MEMBERS,
        lambda view, _: ctag_of(view.row),
        lambda row: row.etag,
        in_allprop=True,
    ),
    LiveProperty(
        "D:getlastmodified",
        "RFC 4918 section 15.7",
        _MEMBERS,
        lambda view, _: http_date(view.row.changed / 1_000_000),
        lambda row: http_date(row.changed / 1_000_000),
        in_allprop=True,
    ),
    LiveProperty(
        "D:lockdiscovery",
        "RFC 4918 section 15.8; there are no locks",
        EXISTING,
        lambda *_: "",
        in_allprop=True,
    ),
    LiveProperty(
        "D:resourcetype", "RFC 4918 section 15.9", EXISTING, _resource_type, in_allprop=True
    ),
    LiveProperty(
        "D:supportedlock",
        "RFC 4918 section 15.10; there are no locks",
        EXISTING,
        lambda *_: "",
        in_allprop=True,
    ),
    LiveProperty("D:sync-token", "RFC 6578 section 4", REPORTS["D:sync-collection"], _sync_token),
    LiveProperty("D:supported-report-set", "RFC 3253 section 3.1.5", EXISTING, _reports),
    LiveProperty(
        "D:current-user-principal",
        "RFC 5397 section 3",
        EXISTING,
        lambda view, _: view.href(f"/{view.asked.user}/"),
    ),
    # RFC 4918 section 15 names it, and no moment of creation is recorded.
    LiveProperty("D:creationdate", "RFC 4918 section 15.1", frozenset()),
)
