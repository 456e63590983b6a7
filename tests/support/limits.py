"""Requests beyond each of the limits, with the answer that is due."""

from __future__ import annotations

from dataclasses import dataclass, field

from kalends.dav.xml import limits as xml
from kalends.ical import limits as ical
from kalends.limit_names import Limit
from support.installation import NAMES, event

_SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
_CENTURY = "start='20260101T000000Z' end='21260101T000000Z'"
_HREF = "<D:href>/{}</D:href>"
_EVENT = "/alice/calendar/beyond.ics"


@dataclass(frozen=True)
class Beyond:
    """A request beyond a limit, and its refusal.

    Attributes:
        limit: the limit.
        method: of the request.
        body: of the request.
        status: of the refusal.
        element: the precondition of the refusal, in Clark's notation; empty if none fits.
        path: of the request.
        headers: of the request.
    """

    limit: Limit
    method: str
    body: bytes
    status: int
    element: str = ""
    path: str = "/alice/calendar/"
    headers: dict[str, str] = field(default_factory=dict)


def _xml(limit: Limit, body: str, status: int = 400, element: str = "") -> Beyond:
    return Beyond(limit, "REPORT", body.encode(), status, element)


def _report(root: str, *content: str) -> str:
    return f"<{root} {_SPACES}>{''.join(content)}</{root}>"


def _put(limit: Limit, body: bytes, element: str = "", status: int = 403) -> Beyond:
    space = "urn:ietf:params:xml:ns:caldav"
    return Beyond(limit, "PUT", body, status, f"{{{space}}}{element}", _EVENT)


def _event(*lines: str) -> bytes:
    return event("beyond", "20260105T090000Z", *lines)


def _override(number: int) -> str:
    moment = f"2026{1 + number // 1200 % 12:02}{1 + number // 60 % 20:02}T00{number % 60:02}00Z"
    times = f"DTSTART:{moment}\r\nRECURRENCE-ID:{moment}"
    return f"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:beyond\r\n{times}"


BEYOND = (
    Beyond(Limit.HEAD, "GET", b"", 431, headers={"X-Long": "y" * (1 << 16)}),
    Beyond(Limit.CONDITIONS, "PROPFIND", b"", 400, headers={"If": "(<a:b>)" * 101}),
    Beyond(Limit.TARGET, "GET", b"", 414, path="/" + "x" * 9000),
    Beyond(Limit.BODY, "PUT", b"", 413, path=_EVENT, headers={"Content-Length": "999999999"}),
    _xml(Limit.XML_OCTETS, f"<a>{'a' * 4_000_000}</a>", 413),
    _xml(Limit.XML_ELEMENTS, f"<a>{'<a/>' * xml.MAX_ELEMENTS}</a>"),
    _xml(Limit.XML_DEPTH, "<a>" * 60 + "</a>" * 60),
    _xml(Limit.XML_ATTRIBUTES, f"<a {' '.join(f'a{n}={str(n)!r}' for n in range(900))}/>"),
    _xml(Limit.XML_NAMES, f"<a><{'a' * 1000}/></a>"),
    _xml(Limit.XML_MARKUP, f"<a><!--{'a' * 200_000}--></a>"),
    _xml(
        Limit.HREFS,
        _report(
            "C:calendar-multiget", *(f"<D:href>/{n}</D:href>" for n in range(xml.MAX_HREFS + 1))
        ),
        507,
        "{DAV:}number-of-matches-within-limits",
    ),
    _xml(Limit.HREF_LENGTH, _report("C:calendar-multiget", f"<D:href>/{'x' * 5000}</D:href>")),
    _xml(Limit.PROPERTIES, _report("C:calendar-multiget", "<D:x/>" * 1001), 403),
    _xml(
        Limit.FILTER_ELEMENTS,
        _report("C:calendar-query", "<C:filter>", "<C:x/>" * 300, "</C:filter>"),
        403,
        "{urn:ietf:params:xml:ns:caldav}supported-filter",
    ),
    _xml(
        Limit.FILTER_TEXT,
        _report("C:calendar-query", "<C:filter>", "x" * 2000, "</C:filter>"),
        403,
        "{urn:ietf:params:xml:ns:caldav}supported-filter",
    ),
    _put(Limit.OBJECT_OCTETS, _event("X-A:" + "a" * ical.MAX_SIZE), "max-resource-size", 413),
    _put(Limit.LINES, _event(*["X:"] * ical.MAX_LINES), "max-resource-size", 413),
    _put(
        Limit.COMPONENTS,
        _event("BEGIN:X\r\nEND:X\r\n" * ical.MAX_COMPONENTS + "X:"),
        "max-resource-size",
        413,
    ),
    _put(
        Limit.COMPONENT_DEPTH,
        _event(*["BEGIN:X"] * 20, *["END:X"] * 20),
        "valid-calendar-data",
    ),
    _put(
        Limit.PARAMETERS,
        _event("X;A=" + "," * (ical.MAX_PARAM_VALUES + 1) + ":"),
        "max-resource-size",
        413,
    ),
    _put(
        Limit.UID,
        event("u" * (ical.MAX_UID + 1)),
        "valid-calendar-data",
    ),
    _put(
        Limit.OVERRIDES,
        _event(*map(_override, range(ical.MAX_OVERRIDES + 1))),
        "max-instances",
    ),
    _put(
        Limit.DATES,
        _event(f"EXDATE:{','.join(['20260105T090000Z'] * (ical.MAX_DATES + 1))}"),
        "max-instances",
    ),
    _put(
        Limit.RULES,
        _event(*["RRULE:FREQ=DAILY"] * (ical.MAX_RULES + 1)),
        "max-instances",
    ),
    _put(
        Limit.ALARMS,
        _event(*["BEGIN:VALARM\r\nEND:VALARM"] * (ical.MAX_ALARMS + 1)),
        "valid-calendar-data",
    ),
    _put(
        Limit.ATTENDEES,
        _event(*["ATTENDEE:mailto:a@example.org"] * (ical.MAX_ATTENDEES + 1)),
        "max-attendees-per-instance",
    ),
    _put(
        Limit.TIME_ZONES,
        _event(*(f"X;TZID=A{n}:" for n in range(ical.MAX_TZIDS + 1))),
        "valid-calendar-data",
    ),
    _put(
        Limit.OBJECT_STEPS,
        _event(*["RRULE:FREQ=DAILY;BYHOUR=1,2,3,4;BYMINUTE=1,2,3,4,5;COUNT=20000"] * 9),
        "max-instances",
    ),
    Beyond(
        Limit.FILE,
        "PUT",
        b"BEGIN:VCALENDAR" + b"\n" * (ical.FILE_OF_A_REQUEST.lines + 1),
        413,
        "{urn:ietf:params:xml:ns:caldav}max-resource-size",
        "/alice/new/",
    ),
    Beyond(
        Limit.STORED_PROPERTIES,
        "PROPPATCH",
        _report(
            "D:propertyupdate", "<D:set><D:prop><K:a>", "x" * 200_000, "</K:a></D:prop></D:set>"
        ).encode(),
        403,
    ),
    _xml(
        Limit.INSTANCES,
        _report(
            "C:calendar-query",
            f"<D:prop><C:calendar-data><C:expand {_CENTURY}/></C:calendar-data></D:prop>",
            "<C:filter><C:comp-filter name='VCALENDAR'/></C:filter>",
        ),
        403,
        "{urn:ietf:params:xml:ns:caldav}max-instances",
    ),
)
"""A request beyond each limit that a single one can be beyond."""
