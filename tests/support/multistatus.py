"""Answers of several statuses as data, so that two of them can be compared."""

from __future__ import annotations

import xml.etree.ElementTree as ET

Value = tuple[object, ...]
Said = dict[str, tuple[int, Value]]
"""Of one address: for each property its status and what is in it; ``""`` is the address itself."""

_DAV = "{DAV:}"


def value(element: ET.Element) -> Value:
    """What an element holds: text, attributes and children in their order."""
    text = (element.text or "") if len(element) == 0 else (element.text or "").strip()
    children = tuple((child.tag, value(child)) for child in element)
    return (text, tuple(sorted(element.attrib.items())), children)


def said(answer: bytes) -> dict[str, Said]:
    """What a multistatus says of each address; its sync-token and the like under ``""``."""
    root = ET.fromstring(answer)
    assert root.tag == f"{_DAV}multistatus", root.tag
    found: dict[str, Said] = {}
    for child in root:
        if child.tag != f"{_DAV}response":
            found.setdefault("", {})[child.tag] = (200, value(child))
            continue
        href = child.findtext(f"{_DAV}href") or ""
        assert href not in found, f"{href} comes twice"
        found[href] = _of_response(child)
    return found


def _of_response(response: ET.Element) -> Said:
    told: Said = {}
    status = response.findtext(f"{_DAV}status")
    if status:
        told[""] = (_code(status), ())
    for propstat in response.findall(f"{_DAV}propstat"):
        code = _code(propstat.findtext(f"{_DAV}status") or "")
        for prop in propstat.findall(f"{_DAV}prop/*"):
            assert prop.tag not in told, f"{prop.tag} comes twice"
            told[prop.tag] = (code, value(prop))
    return told


def _code(status: str) -> int:
    return int(status.split(" ")[1])
