"""Objects and cards reduced to the properties that a client names.

RFC 4791 sections 9.6.1 to 9.6.4, RFC 6352 section 10.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kalends.ical.contentlines import Component, Property, fold
from kalends.ical.stored_lines import lines_named


@dataclass(frozen=True, slots=True)
class ComponentSelection:
    """The parts of a component that a client wants.

    Attributes:
        name: of the component, in upper case.
        props: by name in upper case, True for a property without its value; None for all of them.
        comps: the components in it by name; None for all of them, whole.
    """

    name: str
    props: Mapping[str, bool] | None = None
    comps: Mapping[str, ComponentSelection] | None = None


def select_parts(component: Component, wanted: ComponentSelection) -> Component:
    """Return a component with the wanted parts alone."""
    properties, children = component.properties, component.children
    if wanted.props is not None:
        properties = [
            Property(prop.name, prop.raw_params, "" if wanted.props[prop.name] else prop.value)
            for prop in properties
            if prop.name in wanted.props
        ]
    if wanted.comps is not None:
        children = [
            select_parts(child, wanted.comps[child.name])
            for child in children
            if child.name in wanted.comps
        ]
    return Component(component.name, properties, children)


def select_lines(data: bytes, props: Mapping[str, bool]) -> bytes:
    """Return a card with the wanted properties alone, as they were stored.

    Args:
        data: the octets of the card.
        props: the names in upper case, True for a property without its value.
    """
    lines = []
    for line in lines_named(data, props):
        if all(props[name] for name in line.names):
            bare = line.property()
            lines.append(fold(Property(bare.name, bare.raw_params, "").text()))
        else:
            lines.append(line.octets)
    return b"".join([b"BEGIN:VCARD\r\n", *lines, b"END:VCARD\r\n"])
