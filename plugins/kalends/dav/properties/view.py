"""A collection as a user sees it: the values of properties are made from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kalends.common.names import owner_of
from kalends.dav.resource import Kind, kind_of_collection
from kalends.dav.xml.write import href
from kalends.store.collections import CollectionRow
from kalends.store.objects.properties import ObjectProperties


@dataclass(frozen=True, slots=True)
class PropertyContext:
    """The request's part in the values of properties.

    Attributes:
        user: the user who asks.
        prefix: the beginning of every path that clients see.
        max_resource_size: the largest object that may be stored, octets.
        max_attendees: the most attendees of an event.
        groups: the homes of the user's groups, where a value depends on them.
        is_minimal: True if properties that a resource does not have are not to be told.
    """

    user: str
    prefix: str
    max_resource_size: int
    max_attendees: int
    groups: tuple[str, ...] = ()
    is_minimal: bool = False


@dataclass(frozen=True, slots=True)
class CollectionView:
    """A collection as a user sees it.

    Attributes:
        asked: the request's part.
        row: the collection.
        writable: True if the user may change it or its members.
        count: counts its objects, on demand.
        dead: opens the dead properties of its objects, on demand.
        members: returns the collections in it that the user may read, on demand.
    """

    asked: PropertyContext
    row: CollectionRow
    writable: bool
    count: Callable[[], int]
    dead: Callable[[], ObjectProperties]
    members: Callable[[], Iterable[CollectionRow]]

    @property
    def path(self) -> str:
        """Its path, without the prefix."""
        return f"/{self.row.path}/" if self.row.path else "/"

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return kind_of_collection(self.row)

    @property
    def owner(self) -> str:
        """The account or group that it belongs to; empty for the root."""
        return owner_of(self.row.path)

    def href(self, path: str) -> str:
        """Return the href element of a path of this server."""
        return href(self.asked.prefix + path)
