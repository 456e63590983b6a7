"""The properties of calendars and address books: RFC 4791, RFC 6352 and RFC 6638."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from radicale.xmlutils import make_clark

from kalends.common.xml_text import writable
from kalends.dav.filters.collation import COLLATIONS
from kalends.dav.properties.model import LiveProperty, Tell
from kalends.dav.properties.setters import components, text_alone, time_zone, transparency
from kalends.dav.properties.view import CollectionView
from kalends.dav.resource import Kind
from kalends.dav.xml.write import element, escaped

_CALENDAR = frozenset({Kind.CALENDAR})
_ADDRESS_BOOK = frozenset({Kind.ADDRESS_BOOK})
_HOME = frozenset({Kind.HOME})
_COMPONENTS = "VTODO,VEVENT,VJOURNAL,VFREEBUSY"
_CARD_VERSIONS = ("3.0", "4.0")


def _home(view: CollectionView, _kind: Kind) -> str:
    return view.href(view.path)


def _largest(view: CollectionView, _kind: Kind) -> str:
    return str(view.asked.max_resource_size)


def _components(view: CollectionView, _kind: Kind) -> str:
    stated = view.row.props.get("C:supported-calendar-component-set") or _COMPONENTS
    return "".join(f"<C:comp name={quoteattr(writable(name))}/>" for name in stated.split(","))


def _address_data(_view: CollectionView, _kind: Kind) -> str:
    kind = 'content-type="text/vcard" version="{}"'
    return "".join(f"<CR:address-data-type {kind.format(version)}/>" for version in _CARD_VERSIONS)


def _collations(space: str) -> Tell:
    name = make_clark(f"{space}:supported-collation")
    value = "".join(element(name, escaped(collation)) for collation in COLLATIONS)
    return lambda *_: value


ROWS = (
    LiveProperty("C:calendar-description", "RFC 4791 section 5.2.1", _CALENDAR, setter=text_alone),
    LiveProperty("C:calendar-timezone", "RFC 4791 section 5.2.2", _CALENDAR, setter=time_zone),
    LiveProperty(
        "C:supported-calendar-component-set",
        "RFC 4791 section 5.2.3",
        _CALENDAR,
        _components,
        setter=components,
        only_at_creation=True,
    ),
    LiveProperty(
        "C:supported-calendar-data",
        "RFC 4791 section 5.2.4",
        _CALENDAR,
        lambda *_: '<C:calendar-data content-type="text/calendar" version="2.0"/>',
    ),
    LiveProperty(
        "C:supported-collation-set", "RFC 4791 section 7.5.1", _CALENDAR, _collations("C")
    ),
    LiveProperty("C:max-resource-size", "RFC 4791 section 5.2.5", _CALENDAR, _largest),
    LiveProperty(
        "C:max-attendees-per-instance",
        "RFC 4791 section 5.2.9",
        _CALENDAR,
        lambda view, _: str(view.asked.max_attendees),
    ),
    # Objects may happen at any time, and any number of times: RFC 4791 sections 5.2.6 to 5.2.8
    # leave these out where there are no such limits.
    *(
        LiveProperty(f"C:{name}", f"RFC 4791 section {section}", frozenset())
        for name, section in (
            ("min-date-time", "5.2.6"),
            ("max-date-time", "5.2.7"),
            ("max-instances", "5.2.8"),
        )
    ),
    LiveProperty("C:calendar-home-set", "RFC 4791 section 6.2.1", _HOME, _home),
    LiveProperty("C:calendar-user-address-set", "RFC 6638 section 2.4.1", _HOME, _home),
    LiveProperty(
        "C:schedule-calendar-transp", "RFC 6638 section 9.1", _CALENDAR, setter=transparency
    ),
    LiveProperty(
        "CR:addressbook-description", "RFC 6352 section 6.2.1", _ADDRESS_BOOK, setter=text_alone
    ),
    LiveProperty(
        "CR:supported-address-data", "RFC 6352 section 6.2.2", _ADDRESS_BOOK, _address_data
    ),
    LiveProperty(
        "CR:supported-collation-set", "RFC 6352 section 8.3.1", _ADDRESS_BOOK, _collations("CR")
    ),
    LiveProperty("CR:max-resource-size", "RFC 6352 section 6.2.3", _ADDRESS_BOOK, _largest),
    LiveProperty("CR:addressbook-home-set", "RFC 6352 section 7.1.1", _HOME, _home),
)
