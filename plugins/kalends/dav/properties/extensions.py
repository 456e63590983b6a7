"""The properties that no RFC defines: of Apple's servers, and of Radicale's own pages."""

from __future__ import annotations

from importlib.metadata import version

from radicale.xmlutils import make_clark

from kalends.dav.properties.model import LiveProperty
from kalends.dav.properties.setters import source
from kalends.dav.properties.view import CollectionView
from kalends.dav.properties.webdav import display_name
from kalends.dav.resource import COLLECTIONS, EXISTING, LEAVES, Kind
from kalends.dav.xml.write import element, escaped
from kalends.store.sync_tokens import ctag_of

_PUBLIC = "calendarserver.org, caldav-ctag and caldav-subscriptions"


def _source(view: CollectionView, _kind: Kind) -> str:
    return element(make_clark("D:href"), escaped(view.row.props.get("CS:source", "")))


def _display_name(view: CollectionView, kind: Kind) -> str | None:
    name = view.row.props.get("D:displayname")
    return display_name(view, kind) if name is None else escaped(name)


ROWS = (
    LiveProperty("CS:getctag", _PUBLIC, LEAVES, lambda view, _: ctag_of(view.row), in_allprop=True),
    LiveProperty("CS:source", _PUBLIC, frozenset({Kind.SUBSCRIPTION}), _source, setter=source),
    LiveProperty("RADICALE:displayname", "Radicale 3.9.0", COLLECTIONS, _display_name),
    LiveProperty(
        "RADICALE:getcontentcount",
        "Radicale 3.9.0",
        COLLECTIONS - {Kind.HOME},
        lambda view, _: str(view.count()),
    ),
    LiveProperty("RADICALE:version", "Radicale 3.9.0", EXISTING, lambda *_: version("radicale")),
)
