"""PROPPATCH of properties that only the server sets (RFC 4918 section 9.2)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from http import HTTPStatus

from radicale import types, xmlutils

# Properties that only the server may set (RFC 4918 section 15, RFC 3744).
_PROTECTED = frozenset(
    xmlutils.make_clark(name)
    for name in (
        "D:resourcetype",
        "D:getetag",
        "D:getcontentlength",
        "D:getlastmodified",
        "D:creationdate",
        "D:lockdiscovery",
        "D:supportedlock",
        "D:sync-token",
        "D:owner",
        "D:current-user-principal",
        "D:current-user-privilege-set",
        "D:supported-report-set",
        "CS:getctag",
        "C:supported-calendar-component-set",
    )
)


def refuse_protected(root: ET.Element, prefix: str, path: str) -> types.WSGIResponse | None:
    """Refuse a PROPPATCH of protected properties: 403 for them, 424 for the rest; else None."""
    named = [prop.tag for prop in root.findall(f"*/{xmlutils.make_clark('D:prop')}/*")]
    protected = [tag for tag in named if tag in _PROTECTED]
    if not protected:
        return None
    multistatus = ET.Element(xmlutils.make_clark("D:multistatus"))
    response = ET.SubElement(multistatus, xmlutils.make_clark("D:response"))
    ET.SubElement(response, xmlutils.make_clark("D:href")).text = xmlutils.make_href(prefix, path)
    for tags, status in (
        (protected, HTTPStatus.FORBIDDEN),
        ([tag for tag in named if tag not in _PROTECTED], HTTPStatus.FAILED_DEPENDENCY),
    ):
        if not tags:
            continue
        propstat = ET.SubElement(response, xmlutils.make_clark("D:propstat"))
        prop = ET.SubElement(propstat, xmlutils.make_clark("D:prop"))
        for tag in tags:
            ET.SubElement(prop, tag)
        status_line = ET.SubElement(propstat, xmlutils.make_clark("D:status"))
        status_line.text = f"HTTP/1.1 {status.value} {status.phrase}"
        if status is HTTPStatus.FORBIDDEN:
            error = ET.SubElement(propstat, xmlutils.make_clark("D:error"))
            ET.SubElement(error, xmlutils.make_clark("D:cannot-modify-protected-property"))
    text = ET.tostring(multistatus, encoding="utf-8", xml_declaration=True)
    return HTTPStatus.MULTI_STATUS, {"Content-Type": "text/xml; charset=utf-8"}, text, None
