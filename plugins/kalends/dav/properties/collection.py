"""The properties of collections, each as the XML of a response.

RFC 4918 section 15, RFC 3744, RFC 4791 sections 5.2 and 6.2, RFC 6352 sections 6.2 and 7.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from xml.sax.saxutils import quoteattr

from radicale import utils
from radicale.xmlutils import MIMETYPES, NAMESPACES, make_clark, make_human_tag

from kalends.common.bounded_cache import BoundedCache
from kalends.common.http import http_date
from kalends.common.names import owner_of
from kalends.common.xml_text import writable
from kalends.dav.filters.collation import COLLATIONS
from kalends.dav.reports.kinds import reports_of
from kalends.dav.resource import kind_of_collection
from kalends.dav.xml.write import element, elements, escaped, href, response
from kalends.store.collections import CollectionRow
from kalends.store.objects.changes import SyncPoint
from kalends.store.sync_tokens import ctag_of, members_token, sync_token_of

_TYPES = {
    "VADDRESSBOOK": "CR:addressbook",
    "VCALENDAR": "C:calendar",
    "VSUBSCRIBED": "CS:subscribed",
}
_NAME_BEGINS = ("{", *(f"{short}:" for short in NAMESPACES))
_COMPONENTS = "VTODO,VEVENT,VJOURNAL,VFREEBUSY"
_RESPONSES_KEPT = 8 << 20  # characters in one worker, some four thousand responses
_CARD_VERSIONS = ("4.0", "3.0") if utils.vobject_supports_vcard4() else ("3.0",)


@dataclass(frozen=True, slots=True)
class PropertyContext:
    """The request's part in the values of properties.

    Attributes:
        user: the user who asks.
        prefix: the beginning of every path that clients see.
        max_resource_size: the largest object that may be stored, octets.
        is_minimal: True if properties that a resource does not have are not to be told.
    """

    user: str
    prefix: str
    max_resource_size: int
    is_minimal: bool = False


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection as a user sees it.

    Attributes:
        asked: the request's part.
        row: the collection.
        writable: True if the user may change it or its members.
        count: counts its objects, on demand.
        members: returns the collections in it that the user may read, on demand.
    """

    asked: PropertyContext
    row: CollectionRow
    writable: bool
    count: Callable[[], int]
    members: Callable[[], Iterable[CollectionRow]]

    @property
    def path(self) -> str:
        """Its path, without the prefix."""
        return f"/{self.row.path}/" if self.row.path else "/"

    @property
    def is_principal(self) -> bool:
        """True if it is the home of an account."""
        return bool(self.row.path) and "/" not in self.row.path

    @property
    def owner(self) -> str:
        """The account or group that it belongs to; empty for the root."""
        return owner_of(self.row.path)

    def href(self, path: str) -> str:
        """Return the href element of a path of this server."""
        return href(self.asked.prefix + path)

    def response(self, tags: tuple[str, ...]) -> str:
        """Return its response element for the named properties."""
        found, missing = self.values(tags)
        return response(
            self.href(self.path),
            "".join(element(tag, value) for tag, value in found.items()),
            "" if self.asked.is_minimal else "".join(map(element, missing)),
        )

    def names(self) -> tuple[str, ...]:
        """Return the names of all its properties (RFC 4918 section 9.1, RFC 4791 section 5.2)."""
        live = [tag for tag in _IN_ALLPROP if self._value(tag) is not None]
        own = (name for name in self.row.props if name.startswith(_NAME_BEGINS))
        return tuple(dict.fromkeys([*live, *map(make_clark, own)]))

    def values(self, tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """Return the values of the named properties that it has, and the names of the others."""
        found: dict[str, str] = {}
        missing = []
        for tag in tags:
            value = self._value(tag)
            if value is None:
                missing.append(tag)
            else:
                found[tag] = value
        return found, missing

    def _value(self, tag: str) -> str | None:
        live = _LIVE.get(tag)
        if live:
            return live(self)
        text = self.row.props.get(make_human_tag(tag))
        return None if text is None else escaped(text)


_SYNC_TOKEN = make_clark("D:sync-token")


class ResponseCache:
    """A cache of the response elements of collections, valid until one changes."""

    def __init__(self) -> None:
        self._responses: BoundedCache[tuple[object, ...], str] = BoundedCache(_RESPONSES_KEPT)

    def response(self, view: CollectionView, tags: tuple[str, ...]) -> str:
        """Return a collection's response element for the named properties."""
        row = view.row
        if _SYNC_TOKEN in tags and not row.tag:  # it tells of others' changes, too
            return view.response(tags)
        version = (row.id, row.path, row.incarnation, row.modseq, row.changed)
        key = (version, view.asked, view.writable, tags)
        found = self._responses.get(key)
        if found is None:
            found = view.response(tags)
            self._responses.put(key, found, len(found) + sum(map(len, tags)))
        return found


def _of_leaf(
    value: Callable[[CollectionView], str | None],
) -> Callable[[CollectionView], str | None]:
    """Limit a property to calendars and address books; homes and folders do not have it."""
    return lambda view: value(view) if view.row.tag else None


def _of_principal(view: CollectionView) -> str | None:
    return view.href(view.path) if view.is_principal else None


def _resource_type(view: CollectionView) -> str:
    kinds = ["D:principal"] if view.is_principal else []
    if view.row.tag in _TYPES:
        kinds.append(_TYPES[view.row.tag])
    return elements([*kinds, "D:collection"])


def _components(view: CollectionView) -> str | None:
    if view.row.tag != "VCALENDAR":
        return None
    stated = view.row.props.get("C:supported-calendar-component-set") or _COMPONENTS
    return "".join(f"<C:comp name={quoteattr(writable(name))}/>" for name in stated.split(","))


def _address_data(view: CollectionView) -> str | None:
    if view.row.tag != "VADDRESSBOOK":
        return None
    kind = 'content-type="text/vcard" version="{}"'
    return "".join(f"<CR:address-data-type {kind.format(version)}/>" for version in _CARD_VERSIONS)


def _calendar_data(view: CollectionView) -> str | None:
    if view.row.tag != "VCALENDAR":
        return None
    return '<C:calendar-data content-type="text/calendar" version="2.0"/>'


def _collations(tag: str, space: str) -> Callable[[CollectionView], str | None]:
    """Return the value of supported-collation-set (RFC 4791 section 7.5.1, RFC 6352 8.3.1)."""
    name = make_clark(f"{space}:supported-collation")
    value = "".join(element(name, escaped(collation)) for collation in COLLATIONS)
    return lambda view: value if view.row.tag == tag else None


def _current_user(view: CollectionView) -> str:
    return view.href(f"/{view.asked.user}/")


def _privileges(view: CollectionView) -> str:
    return privilege_set(writable=view.writable, calendar=view.row.tag == "VCALENDAR")


def privilege_set(*, writable: bool, calendar: bool) -> str:
    """Return the content of current-user-privilege-set (RFC 3744 section 5.4)."""
    names = ["D:read"]
    if calendar:
        names.append("C:read-free-busy")
    if writable:
        names += ["D:all", "D:write", "D:write-properties", "D:write-content"]
    return "".join(f"<privilege>{elements([name])}</privilege>" for name in names)


def _reports(view: CollectionView) -> str:
    return report_set(reports_of(kind_of_collection(view.row)))


def report_set(names: Iterable[str]) -> str:
    """Return the content of supported-report-set (RFC 3253 section 3.1.5)."""
    return "".join(
        f"<supported-report><report>{elements([name])}</report></supported-report>"
        for name in names
    )


def _owner(view: CollectionView) -> str:
    return view.href(f"/{view.owner}/") if view.owner else ""


def _display_name(view: CollectionView) -> str | None:
    name = view.row.props.get("D:displayname")
    if not name and view.row.path:
        name = view.row.path.rpartition("/")[2]
    return None if name is None else escaped(name)


def _sync_token(view: CollectionView) -> str | None:
    if view.row.tag:
        return sync_token_of(view.row)
    if "D:sync-collection" not in reports_of(kind_of_collection(view.row)):
        return None
    known = {row.id: SyncPoint(row.modseq) for row in view.members()}
    return members_token(view.row, known)


def _source(view: CollectionView) -> str:
    return element(make_clark("D:href"), escaped(view.row.props.get("CS:source", "")))


_LIVE: Mapping[str, Callable[[CollectionView], str | None]] = {
    make_clark(name): value
    for name, value in {
        "D:resourcetype": _resource_type,
        "D:displayname": _display_name,
        "D:getetag": _of_leaf(lambda view: ctag_of(view.row)),
        "D:getlastmodified": _of_leaf(lambda view: http_date(view.row.changed / 1_000_000)),
        "D:getcontenttype": _of_leaf(lambda view: MIMETYPES[view.row.tag]),
        "D:sync-token": _sync_token,
        "CS:getctag": _of_leaf(lambda view: ctag_of(view.row)),
        "CS:source": _of_leaf(_source),
        "D:owner": _owner,
        "D:current-user-principal": _current_user,
        "D:current-user-privilege-set": _privileges,
        "D:supported-report-set": _reports,
        "D:principal-collection-set": lambda view: view.href("/"),
        "D:principal-URL": _of_principal,
        "C:calendar-home-set": _of_principal,
        "C:calendar-user-address-set": _of_principal,
        "CR:addressbook-home-set": _of_principal,
        "C:supported-calendar-component-set": _components,
        "CR:supported-address-data": _address_data,
        "C:supported-calendar-data": _calendar_data,
        "C:supported-collation-set": _collations("VCALENDAR", "C"),
        "CR:supported-collation-set": _collations("VADDRESSBOOK", "CR"),
        "CR:max-resource-size": lambda view: str(view.asked.max_resource_size),
        "C:max-resource-size": lambda view: str(view.asked.max_resource_size),
        "RADICALE:displayname": _display_name,
        "RADICALE:getcontentcount": lambda view: None if view.is_principal else str(view.count()),
        "RADICALE:version": lambda _: version("radicale"),
    }.items()
}
_IN_ALLPROP = tuple(
    make_clark(name)
    for name in (
        *("D:resourcetype", "D:displayname", "D:getetag", "D:getlastmodified", "D:getcontenttype"),
        *("D:sync-token", "CS:getctag", "D:owner", "D:current-user-principal"),
        *("D:current-user-privilege-set", "D:supported-report-set", "D:principal-collection-set"),
        *("D:principal-URL", "C:calendar-home-set", "C:calendar-user-address-set"),
        *("CR:addressbook-home-set", "C:supported-calendar-component-set"),
        *("CR:supported-address-data", "RADICALE:version"),
    )
)
