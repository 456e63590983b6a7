"""Multistatus bodies (RFC 4918 section 13) as data, so that two of them can be compared."""

from __future__ import annotations

import xml.etree.ElementTree as ET

Value = tuple[object, ...]
PropertyStatuses = dict[str, tuple[int, Value]]
"""The status and content of each property of one address; ``""`` is the address itself."""

_DAV = "{DAV:}"


def element_content(element: ET.Element) -> Value:
    """Return an element's text, attributes and children in their order."""
    text = (element.text or "") if len(element) == 0 else (element.text or "").strip()
    children = tuple((child.tag, element_content(child)) for child in element)
    return (text, tuple(sorted(element.attrib.items())), children)


def parse_multistatus(answer: bytes) -> dict[str, PropertyStatuses]:
    """Return the properties of each address; those of the multistatus itself under ``""``."""
    root = ET.fromstring(answer)
    assert root.tag == f"{_DAV}multistatus", root.tag
    found: dict[str, PropertyStatuses] = {}
    for child in root:
        if child.tag != f"{_DAV}response":
            found.setdefault("", {})[child.tag] = (200, element_content(child))
            continue
        href = child.findtext(f"{_DAV}href") or ""
        assert href not in found, f"{href} comes twice"
        found[href] = _of_response(child)
    return found


def _of_response(response: ET.Element) -> PropertyStatuses:
    statuses: PropertyStatuses = {}
    status = response.findtext(f"{_DAV}status")
    if status:
        statuses[""] = (_code(status), ())
    for propstat in response.findall(f"{_DAV}propstat"):
        code = _code(propstat.findtext(f"{_DAV}status") or "")
        for prop in propstat.findall(f"{_DAV}prop/*"):
            assert prop.tag not in statuses, f"{prop.tag} comes twice"
            statuses[prop.tag] = (code, element_content(prop))
    return statuses


def _code(status: str) -> int:
    return int(status.split(" ")[1])
