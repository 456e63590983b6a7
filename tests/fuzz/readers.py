"""Requests that read a stored object, in every way that there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

CALENDAR = "/alice/everything/"
CARDS = "/alice/contacts/"

_DAV = (
    'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" '
    'xmlns:CR="urn:ietf:params:xml:ns:carddav"'
)
_OBJECT = "@OBJECT@"
_YEAR = 'start="20260101T000000Z" end="20270101T000000Z"'
_HALF_A_YEAR = "start=20260601T000000Z&end=20270101T000000Z"
_WEEK = 'start="20260601T000000Z" end="20260608T000000Z"'
_OPEN = 'start="20260101T000000Z"'
_EVER = 'start="00010101T000000Z" end="99991231T235959Z"'
_EARLY = 'start="00010101T000000Z" end="00010301T000000Z"'
_LATE = 'start="99990101T000000Z" end="99991231T235959Z"'
_XML = (("Depth", "1"), ("Content-Type", "application/xml"))
_PARTIAL = (
    '<C:comp name="VCALENDAR"><C:prop name="VERSION"/><C:comp name="VEVENT">'
    '<C:prop name="SUMMARY"/><C:prop name="UID"/><C:prop name="RRULE" novalue="yes"/>'
    "</C:comp></C:comp>"
)


@dataclass(frozen=True)
class Reading:
    """One request.

    Attributes:
        method: its method.
        path: its target.
        body: its body.
        headers: its further header fields.
        title: what it asks for.
        is_costly: whether it may ask for as much as one request is given.
    """

    method: str
    path: str
    body: bytes | str = b""
    headers: tuple[tuple[str, str], ...] = ()
    title: str = ""
    is_costly: bool = False

    @property
    def counts_instances(self) -> bool:
        """True if it has a limit on instances, of which each may be as long as the object."""
        return any(word in self.title for word in ("busy", "expand"))

    def at(self, path: str) -> Reading:
        """Return it for an object."""
        if not isinstance(self.body, str):
            return replace(self, path=self.path.replace(_OBJECT, path))
        body = self.body.replace(_OBJECT, path)
        return replace(self, path=self.path.replace(_OBJECT, path), body=body)


def readings_of(data: bytes, folder: str) -> list[Reading]:
    """Return every way to read an object."""
    if folder == CARDS:
        return [*_plain(CARDS), *_card_reports()]
    names = ("VTODO", "VJOURNAL", "VAVAILABILITY")
    name = next((name for name in names if b"BEGIN:" + name.encode() in data.upper()), "VEVENT")
    return [
        *_plain(CALENDAR),
        *_datas(),
        *_queries(name),
        *(_feed(path) for path in ("alice.ics", "busy.ics")),
        *(
            _feed(f"{feed}/?view={view}&date={day}")
            for feed in ("alice", "busy")
            for view, day in (("month", "2026-06-01"), ("agenda", "2026-06-01"))
        ),
        _feed("alice/?view=week&date=2199-12-30"),
        Reading("GET", f"{CALENDAR}?view=freebusy&{_HALF_A_YEAR}", title="busy view"),
        *(
            _report(
                f"<C:free-busy-query {_DAV}><C:time-range {within}/></C:free-busy-query>", title
            )
            for within, title in ((_WEEK, "busy week"), (_YEAR, "busy year"), (_LATE, "busy late"))
        ),
        _report(
            f"<C:free-busy-query {_DAV}><C:time-range {_EVER}/></C:free-busy-query>",
            "busy ever",
            is_costly=True,
        ),
    ]


def _plain(folder: str) -> list[Reading]:
    token = "<D:sync-token/><D:sync-level>1</D:sync-level>"
    props = "<D:prop><D:getetag/><D:getcontenttype/><D:getcontentlength/></D:prop>"
    return [
        Reading("GET", _OBJECT, title="GET"),
        Reading("GET", folder, title="GET of the collection"),
        Reading("PROPFIND", folder, headers=_XML, title="PROPFIND"),
        _report(f"<D:sync-collection {_DAV}>{token}{props}</D:sync-collection>", "sync", folder),
    ]


def _report(body: str, title: str, folder: str = CALENDAR, *, is_costly: bool = False) -> Reading:
    return Reading("REPORT", folder, body, _XML, title, is_costly)


def _feed(path: str) -> Reading:
    return Reading("GET", f"/feeds/{path}", title=f"feed {path}")


def _datas() -> Iterator[Reading]:
    """Yield a multiget for each form of the data."""
    forms = {
        "whole": "",
        "partial": _PARTIAL,
        "expand a week": f"<C:expand {_WEEK}/>",
        "expand late": f"<C:expand {_LATE}/>",
        "expand and partial": f"<C:expand {_WEEK}/>{_PARTIAL}",
        "overrides": f"<C:limit-recurrence-set {_WEEK}/>",
        "overrides ever": f"<C:limit-recurrence-set {_EVER}/>",
        "busy": f"<C:limit-freebusy-set {_WEEK}/>",
    }
    unbounded = {"expand a year": f"<C:expand {_YEAR}/>", "expand ever": f"<C:expand {_EVER}/>"}
    for title, form in (forms | unbounded).items():
        prop = f"<D:prop><D:getetag/><C:calendar-data>{form}</C:calendar-data></D:prop>"
        href = f"<D:href>{_OBJECT}</D:href>"
        body = f"<C:calendar-multiget {_DAV}>{prop}{href}</C:calendar-multiget>"
        yield _report(body, f"multiget {title}", is_costly=title in unbounded)


def _queries(name: str) -> Iterator[Reading]:
    """Yield a calendar-query for each kind of filter on a kind of component."""
    text = '<C:text-match collation="i;unicode-casemap">e</C:text-match>'
    inner = {
        **{
            f"time-range {title}": f"<C:time-range {within}/>"
            for title, within in (
                *(("week", _WEEK), ("open", _OPEN), ("ever", _EVER), ("early", _EARLY)),
                ("late", _LATE),
            )
        },
        "text-match": f'<C:prop-filter name="SUMMARY">{text}</C:prop-filter>',
        "negated": '<C:prop-filter name="DESCRIPTION"><C:text-match negate-condition="yes">zq'
        "</C:text-match></C:prop-filter>",
        "is-not-defined": '<C:prop-filter name="X-NONE"><C:is-not-defined/></C:prop-filter>',
        "parameter": '<C:prop-filter name="ATTENDEE"><C:param-filter name="PARTSTAT">'
        f"{text}</C:param-filter></C:prop-filter>",
        "property in a range": '<C:prop-filter name="EXDATE">'
        f"<C:time-range {_YEAR}/></C:prop-filter>",
        "stamp in a range": '<C:prop-filter name="DTSTAMP">'
        f"<C:time-range {_YEAR}/></C:prop-filter>",
    }
    alarms = {
        "no alarm": '<C:comp-filter name="VALARM"><C:is-not-defined/></C:comp-filter>',
        "alarm in a week": f'<C:comp-filter name="VALARM"><C:time-range {_WEEK}/></C:comp-filter>',
        "alarm ever": f'<C:comp-filter name="VALARM"><C:time-range {_EVER}/></C:comp-filter>',
        "alarm late": f'<C:comp-filter name="VALARM"><C:time-range {_LATE}/></C:comp-filter>',
    }
    may_ring = name in ("VEVENT", "VTODO")
    for title, tests in (inner | (alarms if may_ring else {})).items():
        comp = f'<C:comp-filter name="{name}">{tests}</C:comp-filter>'
        yield _query(comp, f"query by {title}")
    yield _query(f"<C:time-range {_WEEK}/>", "query by time-range of all")
    expand = f"<C:calendar-data><C:expand {_WEEK}/></C:calendar-data>"
    week = f'<C:comp-filter name="{name}"><C:time-range {_WEEK}/></C:comp-filter>'
    yield _query(week, "query by week, expanded", expand)


def _query(tests: str, title: str, data: str = "") -> Reading:
    prop = f"<D:prop><D:getetag/>{data}</D:prop>"
    where = f'<C:filter><C:comp-filter name="VCALENDAR">{tests}</C:comp-filter></C:filter>'
    return _report(f"<C:calendar-query {_DAV}>{prop}{where}</C:calendar-query>", title)


def _card_reports() -> Iterator[Reading]:
    text = "<CR:text-match>e</CR:text-match>"
    tests = {
        "all": "",
        "text-match": f'<CR:prop-filter name="FN">{text}</CR:prop-filter>',
        "either": f'<CR:prop-filter name="EMAIL">{text}</CR:prop-filter>'
        f'<CR:prop-filter name="NOTE" test="allof">{text}{text}</CR:prop-filter>',
        "is-not-defined": '<CR:prop-filter name="TEL"><CR:is-not-defined/></CR:prop-filter>',
        "parameter": '<CR:prop-filter name="TEL"><CR:param-filter name="TYPE">'
        f"{text}</CR:param-filter></CR:prop-filter>",
        "no parameter": '<CR:prop-filter name="TEL"><CR:param-filter name="TYPE">'
        "<CR:is-not-defined/></CR:param-filter></CR:prop-filter>",
    }
    for title, inner in tests.items():
        where = f'<CR:filter test="anyof">{inner}</CR:filter>'
        prop = "<D:prop><D:getetag/></D:prop>"
        body = f"<CR:addressbook-query {_DAV}>{prop}{where}</CR:addressbook-query>"
        yield _report(body, f"cards by {title}", CARDS)
    partial = '<CR:prop name="FN"/><CR:prop name="TEL"/><CR:prop name="N" novalue="yes"/>'
    for title, form in (("whole", ""), ("partial", partial)):
        prop = f"<D:prop><D:getetag/><CR:address-data>{form}</CR:address-data></D:prop>"
        href = f"<D:href>{_OBJECT}</D:href>"
        body = f"<CR:addressbook-multiget {_DAV}>{prop}{href}</CR:addressbook-multiget>"
        yield _report(body, f"multiget of a card {title}", CARDS)
