"""Instructions to set and remove properties: all, or none (RFC 4918 section 9.2)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from radicale.xmlutils import make_clark

from kalends.dav.properties import stored
from kalends.dav.properties.registry import PROPERTIES
from kalends.dav.properties.setters import PropertyRefusedError
from kalends.dav.xml import write

_SET, _REMOVE, _PROP = (make_clark(f"D:{name}") for name in ("set", "remove", "prop"))


class Instruction(NamedTuple):
    """An instruction to set a property, or to remove it if ``given`` is None."""

    tag: str
    given: ET.Element | None


@dataclass(frozen=True, slots=True)
class Patched:
    """The result of instructions.

    Attributes:
        props: the properties as they are to be stored.
        refused: why some cannot be set, by name; if there are any, nothing is to be stored.
        tags: the names of all, in the order in which they were named first.
    """

    props: Mapping[str, str]
    refused: Mapping[str, PropertyRefusedError]
    tags: Sequence[str]

    def propstats(self) -> str:
        """Return what became of each property (RFC 4918 section 9.2.1)."""
        if not self.refused:
            return write.propstat("".join(map(write.element, self.tags)), HTTPStatus.OK)
        failed = "".join(
            write.propstat(write.element(tag), one.status, one.precondition, one.why)
            for tag, one in self.refused.items()
        )
        others = "".join(write.element(tag) for tag in self.tags if tag not in self.refused)
        return failed + write.propstat(others, HTTPStatus.FAILED_DEPENDENCY)


def read_instructions(root: ET.Element) -> list[Instruction]:
    """Read the instructions in a request, in their order.

    Args:
        root: the element of the request; only a PROPPATCH has instructions to remove.
    """
    found = []
    for part in root:
        if part.tag not in (_SET, _REMOVE):
            continue
        for prop in part.findall(_PROP):
            language = _language(prop, part, root)
            for given in prop:
                if language is not None and stored.LANGUAGE not in given.attrib:
                    given.set(stored.LANGUAGE, language)
                found.append(Instruction(given.tag, given if part.tag == _SET else None))
    return found


def apply(
    props: Mapping[str, str], instructions: Iterable[Instruction], *, creating: bool = False
) -> Patched:
    """Carry out instructions, one after another.

    Args:
        props: the properties that clients have set so far.
        instructions: the instructions.
        creating: True if the resource is being made, so that properties may be set that stay.
    """
    made = dict(props)
    refused: dict[str, PropertyRefusedError] = {}
    tags: dict[str, None] = {}
    for tag, given in instructions:
        tags[tag] = None
        try:
            _carry_out(made, tag, given, creating=creating)
        except PropertyRefusedError as error:
            refused[tag] = error
    return Patched(made, refused, tuple(tags))


def _carry_out(
    props: dict[str, str], tag: str, given: ET.Element | None, *, creating: bool
) -> None:
    row = PROPERTIES.get(tag)
    is_protected = row and (row.setter is None or (row.only_at_creation and not creating))
    if is_protected or stored.is_reserved(tag):
        raise PropertyRefusedError(
            "only the server sets this property",
            "D:cannot-modify-protected-property",
            HTTPStatus.FORBIDDEN,
        )
    if given is None:
        stored.drop(props, tag)
        return
    setter = row.setter if row else None
    stored.put(props, tag, (setter or stored.read_value)(given))


def _language(*within: ET.Element) -> str | None:
    """Return the language that holds in the first of some elements, each within the next."""
    stated = (one.get(stored.LANGUAGE) for one in within)
    return next((language for language in stated if language is not None), None)
