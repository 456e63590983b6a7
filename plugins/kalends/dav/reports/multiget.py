"""calendar-multiget and addressbook-multiget (RFC 4791 section 7.9, RFC 6352 section 8.7)."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from radicale.pathutils import sanitize_path
from sqlalchemy import Connection

from kalends.dav.properties.collection import CollectionView
from kalends.dav.properties.object import ObjectsView
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.requests import Multiget
from kalends.store.objects import read

_PLAIN_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")


def write_multiget(
    connection: Connection,
    view: CollectionView,
    objects: ObjectsView,
    asked: Multiget,
    buffer: ResponseBuffer,
) -> bool:
    """Write the objects at the given hrefs, and 404 for the others; False leaves it to Radicale."""
    if view.row.tag != asked.tag:
        return False
    paths = dict.fromkeys(_path_of(href) for href in asked.hrefs)
    base = objects.path("")
    if base in paths or base.rstrip("/") in paths:  # Radicale takes it for all objects in it
        return False
    names = {path.removeprefix(base) for path in paths if path.startswith(base)}
    missing = dict.fromkeys(paths)
    for row in read.objects_named(connection, view.row.id, names, data=objects.needs_data):
        missing.pop(objects.path(row.href), None)
        buffer.write(objects.response(row))
    for path in missing:
        buffer.write(write.not_found(path))
    return True


def _path_of(href: str) -> str:
    """Return the path of an href, which may be an absolute URL (RFC 4918 section 8.3)."""
    if _PLAIN_PATH.fullmatch(href):  # most hrefs are their own path
        return href
    return sanitize_path(unquote(urlsplit(href).path))
