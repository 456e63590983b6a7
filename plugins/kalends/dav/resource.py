"""The resource at a path, as a user sees it: the only place where a path becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from kalends.adapters.rights import Rights
from kalends.common.names import GROUPS
from kalends.store import collections
from kalends.store.collections import CollectionRow
from kalends.store.locate import Located, locate, locate_to_read
from kalends.store.objects.read import ObjectRow


class Kind(Enum):
    """The kinds of resources, which decide on methods, properties and reports."""

    ROOT = auto()
    HOME = auto()
    """The home of an account, which is its principal as well."""
    GROUPS = auto()
    """The folder of the homes of groups."""
    GROUP_HOME = auto()
    FOLDER = auto()
    CALENDAR = auto()
    ADDRESS_BOOK = auto()
    SUBSCRIPTION = auto()
    """The address of a calendar elsewhere (CS:subscribed)."""
    CALENDAR_OBJECT = auto()
    CARD = auto()
    FILE = auto()
    """Octets of any media type in a folder."""
    UNMAPPED = auto()
    """A path at which nothing is (RFC 4918 section 3)."""


_TAGGED: Mapping[str, Kind] = {
    "VCALENDAR": Kind.CALENDAR,
    "VADDRESSBOOK": Kind.ADDRESS_BOOK,
    "VSUBSCRIBED": Kind.SUBSCRIPTION,
}
OBJECT_KINDS: Mapping[str, Kind] = {
    "VCALENDAR": Kind.CALENDAR_OBJECT,
    "VADDRESSBOOK": Kind.CARD,
    "": Kind.FILE,
}
"""The kind of the objects in a collection, by its tag."""

PLAIN = frozenset({Kind.ROOT, Kind.HOME, Kind.GROUPS, Kind.GROUP_HOME, Kind.FOLDER})
"""The collections that hold collections."""

LEAVES = frozenset(_TAGGED.values())
"""The collections that hold objects, or an address elsewhere."""

PRINCIPALS = frozenset({Kind.HOME, Kind.GROUP_HOME})
"""The homes of accounts and of groups, which are their principals (RFC 3744 section 2)."""

OBJECTS = frozenset(OBJECT_KINDS.values())
"""The resources that are no collections."""

COLLECTIONS = PLAIN | LEAVES
EXISTING = COLLECTIONS | OBJECTS


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, or a path at which one may be made, with the user's privileges.

    Attributes:
        user: the user's name.
        path: without a slash at either end; empty for the root.
        kind: what it is.
        row: the collection at the path, or None.
        parent: the collection above the path, or None; the root's is None, and that of an existing
            collection where it was found to be read.
        object: the object at the path, or None.
        here: the letters of `Rights` for a collection at the path.
        above: the letters for an object at the path, which are its collection's.
    """

    user: str
    path: str
    kind: Kind
    row: CollectionRow | None
    parent: CollectionRow | None
    object: ObjectRow | None
    here: str
    above: str

    @property
    def name(self) -> str:
        """The last segment of its path."""
        return self.path.rpartition("/")[2]

    @property
    def exists(self) -> bool:
        """True if something is at the path."""
        return self.kind is not Kind.UNMAPPED

    @property
    def collection(self) -> CollectionRow:
        """The collection that it is, or that it lies in.

        Raises:
            LookupError: there is none.
        """
        found = self.row or self.parent
        if found is None:
            raise LookupError(self.path)
        return found

    @property
    def may_read(self) -> bool:
        """True if the user may see it with its contents."""
        return self._has("r") or self.may_write

    @property
    def may_write(self) -> bool:
        """True if the user may change it, or make an object or a collection at its path."""
        return self._has("w")

    def _has(self, letter: str) -> bool:
        if self.row is not None:
            return (letter if self.row.tag else letter.upper()) in self.here
        if self.object is not None:
            return letter in self.above
        return letter in self.above or letter in self.here or letter.upper() in self.here


def find_resource(connection: Connection, rights: Rights, user: str, path: str) -> Resource:
    """Return what stands at a path, with the collection above it.

    Args:
        connection: the transaction to read in.
        rights: the rights of users.
        user: the user's name.
        path: decoded and below the prefix; slashes at its ends are ignored.
    """
    sane = path.strip("/")
    return _resource(rights, user, sane, locate(connection, sane))


def find_to_read(
    connection: Connection, rights: Rights, user: str, path: str, *, data: bool = False
) -> Resource:
    """Return what stands at a path; of an existing collection not the one above it.

    Args:
        connection: the transaction to read in.
        rights: the rights of users.
        user: the user's name.
        path: as for `find_resource`; a slash at its end makes a collection the likelier.
        data: True if an object is wanted with its octets.
    """
    sane = path.strip("/")
    first = path.endswith("/")
    found = locate_to_read(connection, sane, data=data, collection_first=first)
    return _resource(rights, user, sane, found)


def _resource(rights: Rights, user: str, path: str, found: Located) -> Resource:
    row, parent, object_row = found
    if not path:
        row = row or collections.UNWRITTEN_ROOT
    elif "/" not in path:
        parent = parent or collections.UNWRITTEN_ROOT
    here, above = rights.here_and_above(user, path)
    kind = _kind(row, parent, object_row)
    return Resource(user, path, kind, row, parent, object_row, here, above)


def _kind(row: CollectionRow | None, parent: CollectionRow | None, found: ObjectRow | None) -> Kind:
    if row is not None:
        return kind_of_collection(row)
    if found is not None and parent is not None:
        return OBJECT_KINDS.get(parent.tag, Kind.UNMAPPED)
    return Kind.UNMAPPED


def kind_of_collection(row: CollectionRow) -> Kind:
    """Return the kind of a collection."""
    return _TAGGED.get(row.tag) or _plain_kind(row.path)


def _plain_kind(path: str) -> Kind:
    if not path:
        return Kind.ROOT
    first, *below = path.split("/")
    if first == GROUPS:
        return (Kind.GROUPS, Kind.GROUP_HOME, Kind.FOLDER)[min(len(below), 2)]
    return Kind.FOLDER if below else Kind.HOME
