"""A row of the registry of properties."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from radicale.xmlutils import make_clark

from kalends.dav.properties.stored import Value
from kalends.dav.properties.view import CollectionView
from kalends.dav.resource import Kind
from kalends.store.objects.read import ObjectRow

Tell = Callable[[CollectionView, Kind], str | None]
"""Returns the whole element of a property, or None if the resource does not have it.

It gets a collection and its kind, or for an object its collection and the kind of the object.
"""

Setter = Callable[[ET.Element], Value]
"""Returns the value to store for an element that a client sent, or raises PropertyRefusedError."""


@dataclass(frozen=True, slots=True)
class LiveProperty:
    """A live property.

    A property without a row is dead, and so is one that can be set, at the kinds of resources that
    its row does not name: the client sets it, and gets it back (RFC 4918 section 4).

    Attributes:
        name: Radicale's short name of it, such as ``D:getetag``.
        section: the RFC that defines it, with its section.
        kinds: the kinds of resources that have it.
        tell: returns its element.
        of_object: returns its content for one object from the object's row, in place of ``tell``.
        in_allprop: True if ``allprop`` asks for it (RFC 4918 section 14.2).
        setter: reads a value that a client sets; None if the property is protected.
        only_at_creation: True if it is protected once the collection exists.
    """

    name: str
    section: str
    kinds: frozenset[Kind]
    tell: Tell | None = None
    of_object: Callable[[ObjectRow], str] | None = None
    in_allprop: bool = False
    setter: Setter | None = None
    only_at_creation: bool = False

    @property
    def tag(self) -> str:
        """Its name as ``{namespace}name``."""
        return make_clark(self.name)
