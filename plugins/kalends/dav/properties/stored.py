"""Properties as clients set them: kept with elements, attributes and language (RFC 4918, 4.3).

The store has texts by name, as Radicale has: a plain text is kept under the property's short name.
What is more than that has a name of its own beside it, which Radicale takes for another property,
so that a store goes to Radicale and back without a loss:

- ``{urn:x-kalends:attributes}`` and the name: the attributes, ready to be written;
- ``{urn:x-kalends:content}`` and the name: the content of an element that has elements;
- ``{urn:x-kalends:null}`` and the name: a property without a namespace.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, MutableMapping
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from radicale.xmlutils import NAMESPACES, make_clark, make_human_tag

from kalends.common.xml_text import writable
from kalends.dav.xml.write import element, escaped

_XML = "http://www.w3.org/XML/1998/namespace"
LANGUAGE = f"{{{_XML}}}lang"
"""The attribute that names a language (XML 1.0 section 2.12)."""

_ATTRIBUTES, _CONTENT, _NULL = (
    f"{{urn:x-kalends:{part}}}" for part in ("attributes", "content", "null")
)
_OWN = (_ATTRIBUTES, _CONTENT, _NULL)
_SHORT = tuple(f"{short}:" for short in NAMESPACES)


class Value(NamedTuple):
    """The value of a property.

    Attributes:
        text: its text; None if it has elements.
        attributes: its attributes as they are written in a tag, with a space before each.
        content: its content as XML if it has elements.
    """

    text: str | None
    attributes: str = ""
    content: str = ""


def read_value(given: ET.Element) -> Value:
    """Return the value in the element of a property."""
    written = _attributes(given.attrib)
    if len(given):
        return Value(None, written, _inner(given, ""))
    return Value(given.text or "", written)


def is_reserved(tag: str) -> bool:
    """Return True if nobody may set a property of that name, ``{namespace}name``."""
    return tag.startswith(_OWN)


def put(props: MutableMapping[str, str], tag: str, value: Value) -> None:
    """Set a property among those of a resource."""
    drop(props, tag)
    if value.text is None:
        props[_CONTENT + tag] = value.content
    else:
        props[_key(tag)] = value.text
    if value.attributes:
        props[_ATTRIBUTES + tag] = value.attributes


def drop(props: MutableMapping[str, str], tag: str) -> None:
    """Remove a property from those of a resource, if it is there."""
    for key in (_key(tag), _ATTRIBUTES + tag, _CONTENT + tag):
        props.pop(key, None)


def tell(props: Mapping[str, str], tag: str) -> str | None:
    """Return the element of a property as it was set; None if it was not."""
    content = props.get(_CONTENT + tag)
    if content is None:
        text = props.get(_key(tag))
        if text is None:
            return None
        # A reader of XML takes a written carriage return for the end of a line.
        content = escaped(text).replace("\r", "&#13;")
    return element(tag, content, props.get(_ATTRIBUTES + tag, ""))


def tags(props: Mapping[str, str]) -> Iterator[str]:
    """Yield the names of the properties of a resource that clients have set."""
    for key in props:
        if key.startswith(_CONTENT):
            yield key.removeprefix(_CONTENT)
        elif key.startswith(_NULL):
            yield key.removeprefix(_NULL)
        elif key.startswith(_SHORT) or (key.startswith("{") and not key.startswith(_ATTRIBUTES)):
            yield make_clark(key)


def _key(tag: str) -> str:
    return make_human_tag(tag) if tag.startswith("{") else _NULL + tag


def _attributes(attributes: Mapping[str, str]) -> str:
    written = []
    for number, (name, value) in enumerate(attributes.items()):
        space, local = _split(name)
        quoted = quoteattr(writable(value))
        if space == _XML:
            written.append(f" xml:{local}={quoted}")
        elif space:
            written.append(f" xmlns:a{number}={quoteattr(space)} a{number}:{local}={quoted}")
        else:
            written.append(f" {local}={quoted}")
    return "".join(written)


def _inner(parent: ET.Element, space: str) -> str:
    """Return the content of an element; ``space`` is the namespace of the prefix ``n`` there."""
    pieces = [_text(parent.text)]
    for child in parent:
        own, local = _split(child.tag)
        name = f"n:{local}" if own else local
        declared = f" xmlns:n={quoteattr(own)}" if own and own != space else ""
        if not own:
            declared = ' xmlns=""'
        begin = f"<{name}{declared}{_attributes(child.attrib)}"
        content = _inner(child, own or space)
        pieces.append(f"{begin}>{content}</{name}>" if content else f"{begin}/>")
        pieces.append(_text(child.tail))
    return "".join(pieces)


def _text(text: str | None) -> str:
    return escaped(text).replace("\r", "&#13;") if text else ""


def _split(name: str) -> tuple[str, str]:
    space, _, local = name.rpartition("}")
    return space.removeprefix("{"), local
