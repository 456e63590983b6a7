"""The registry of live properties: every method and every report asks these rows."""

from __future__ import annotations

from collections.abc import Mapping

from kalends.dav.properties import access, caldav, extensions, webdav
from kalends.dav.properties.model import LiveProperty
from kalends.dav.resource import Kind

PROPERTIES: Mapping[str, LiveProperty] = {
    row.tag: row for row in (*webdav.ROWS, *access.ROWS, *caldav.ROWS, *extensions.ROWS)
}
"""Each live property by its name, ``{namespace}name``."""

LIVE: Mapping[Kind, Mapping[str, LiveProperty]] = {
    kind: {tag: row for tag, row in PROPERTIES.items() if kind in row.kinds} for kind in Kind
}
"""The live properties of each kind of resource."""
