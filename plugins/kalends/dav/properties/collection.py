"""The properties of a collection, as the XML of a response."""

from __future__ import annotations

from collections.abc import Iterable

from radicale.xmlutils import make_clark

from kalends.common.bounded_cache import BoundedCache
from kalends.dav.properties import stored
from kalends.dav.properties.registry import LIVE
from kalends.dav.properties.view import CollectionView
from kalends.dav.resource import Kind
from kalends.dav.xml.write import element, response

_RESPONSES_KEPT = 8 << 20  # characters in one worker, some four thousand responses


def response_of(view: CollectionView, tags: Iterable[str]) -> str:
    """Return the response element of a collection for the named properties."""
    found, missing = elements_of(view, tags)
    told = [] if view.asked.is_minimal else map(element, missing)
    return response(view.href(view.path), "".join(found.values()), "".join(told))


def elements_of(view: CollectionView, tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return the elements of the named properties, and the names of those that it does not have."""
    kind = view.kind
    told = {tag: tell(view, kind, tag) for tag in tags}
    found = {tag: text for tag, text in told.items() if text is not None}
    return found, [tag for tag, text in told.items() if text is None]


def names_of(view: CollectionView, *, in_allprop: bool) -> tuple[str, ...]:
    """Return the names of the properties of a collection.

    Args:
        view: the collection.
        in_allprop: True for those that ``allprop`` asks for, which are not all (RFC 4918 section
            14.2).
    """
    kind = view.kind
    live = LIVE[kind]
    rows = [tag for tag, row in live.items() if row.in_allprop or not in_allprop]
    dead = [tag for tag in stored.tags(view.row.props) if tag not in live]
    return (*(tag for tag in rows if tell(view, kind, tag) is not None), *dead)


def tell(view: CollectionView, kind: Kind, tag: str) -> str | None:
    """Return the element of a property; None if the resource does not have it.

    Args:
        view: the collection, or that of an object.
        kind: the kind of the resource.
        tag: the name of the property.
    """
    row = LIVE[kind].get(tag)
    if row is not None:
        content = row.tell(view, kind) if row.tell else None
        if content is not None:
            return element(tag, content)
        if row.setter is None:
            return None
    return stored.tell(view.row.props, tag)


_SYNC_TOKEN = make_clark("D:sync-token")


class ResponseCache:
    """A cache of the response elements of collections, valid until one changes."""

    def __init__(self) -> None:
        self._responses: BoundedCache[tuple[object, ...], str] = BoundedCache(_RESPONSES_KEPT)

    def response(self, view: CollectionView, tags: tuple[str, ...]) -> str:
        """Return a collection's response element for the named properties."""
        row = view.row
        if _SYNC_TOKEN in tags and not row.tag:  # it tells of others' changes, too
            return response_of(view, tags)
        version = (row.id, row.path, row.incarnation, row.modseq, row.changed)
        key = (version, view.asked, view.writable, tags)
        found = self._responses.get(key)
        if found is None:
            found = response_of(view, tags)
            self._responses.put(key, found, len(found) + sum(map(len, tags)))
        return found
