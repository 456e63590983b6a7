"""calendar-multiget and addressbook-multiget (RFC 4791 section 7.9, RFC 6352 section 8.7)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from radicale.xmlutils import make_clark

from kalends.dav.message import sanitize
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.parts import check_hrefs
from kalends.store.objects import read

_HREF = make_clark("D:href")
_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")


@dataclass(frozen=True, slots=True)
class Multiget:
    """A calendar-multiget or addressbook-multiget.

    Attributes:
        wanted: the properties to return.
        hrefs: as the client sent them, each once.
    """

    wanted: WantedProperties
    hrefs: tuple[str, ...]


def read_multiget(root: ET.Element) -> Multiget:
    """Read a multiget.

    Args:
        root: the element of the report.

    Raises:
        ReportRefusedError: the data is wanted in an unsupported form.
        BodyRefusedError: the form of the data is invalid.
    """
    hrefs = dict.fromkeys([(href.text or "").strip() for href in root.findall(_HREF)])
    return Multiget(read_wanted(root), tuple(hrefs))


def write_multiget(target: ReportTarget, asked: Multiget, buffer: ResponseBuffer) -> None:
    """Write the objects at the given hrefs, and 404 for the others.

    The collection itself is not an object (RFC 4791 section 7.9). The hrefs of a home are those of
    objects in any of its collections.

    Raises:
        BodyRefusedError: there are too many hrefs (507), or one is too long (400).
    """
    check_hrefs(asked.hrefs, target.limits.hrefs)
    paths = dict.fromkeys(map(_path_of, asked.hrefs))
    missing = dict.fromkeys(paths)
    for part in [target] if target.view.row.tag else target.members():
        base = part.view.asked.prefix + part.view.path
        names = {path.removeprefix(base) for path in paths if path.startswith(base)}
        if not names:
            continue
        objects = part.objects(asked.wanted, part.zone(), is_query=False)
        for row in read.objects_named(
            part.connection, part.view.row.id, names, data=objects.needs_data
        ):
            missing.pop(objects.path(row.href), None)
            buffer.write(objects.response(row))
    for path in missing:
        buffer.write(write.not_found(path))


def _path_of(href: str) -> str:
    """Return the path of an href, which may be an absolute URL (RFC 4918 section 8.3)."""
    if _PLAIN_PATH.fullmatch(href):  # most hrefs are their own path
        return href
    try:
        return sanitize(unquote(urlsplit(href).path))
    except ValueError:  # an address in brackets that is none
        return href
