"""Requests that try to cost a server more than their sender: one list, by kind.

`tests/attacks` sends them beside a bystander, and the benchmark measures what each costs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

from support.attacks_model import BOOK, DAV, HOME, MEGABYTE, WINDOW, Attack, Request, report
from support.attacks_of_requests import ATTACKS_OF_REQUESTS
from support.samples import calendar, component, event
from support.server import basic

_CARD = 'xmlns="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"'
_ZONE = ("TZOFFSETFROM:+0000", "TZOFFSETTO:+0100")


@dataclass(frozen=True)
class Attacker:
    """An account, or nobody, that attacks a server.

    Attributes:
        port: the server's port on 127.0.0.1.
        user: the account's name.
        password: the account's password.
    """

    port: int
    user: str = "mallory"
    password: str = "mallory"

    def attack(self, attack: Attack) -> Iterator[int]:
        """Send an attack once, and yield the status of each answer.

        A server may end the connection before it has read everything; 0 stands for an answer that
        was lost by that.
        """
        if attack.raw:
            yield self._send(attack.raw())
        login = None if attack.anonymous else basic(self.user, self.password)
        for request in attack.requests():
            yield self._send(self._octets(request, login))

    def _octets(self, request: Request, login: str | None) -> Iterator[bytes]:
        body = request.body.encode("utf-8", "surrogatepass")
        yield request.head(f"127.0.0.1:{self.port}", login)
        yield f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
        for at in range(0, len(body), MEGABYTE):
            yield body[at : at + MEGABYTE]

    def _send(self, pieces: Iterable[bytes]) -> int:
        answer = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            try:
                for piece in pieces:
                    connection.sendall(piece)
                connection.shutdown(socket.SHUT_WR)
            except ConnectionError:
                pass  # the server has refused the rest
            try:
                while block := connection.recv(MEGABYTE):
                    answer = (answer + block)[:32]
            except ConnectionError:
                pass  # it has closed the connection with unread octets
        return int(answer[9:12]) if answer[:5] == b"HTTP/" else 0


def _put(name: str, text: str) -> Request:
    return Request("PUT", f"{HOME}{name}.ics", text, ("Content-Type: text/calendar",))


def _propfind(body: str, path: str = "/mallory/") -> Request:
    return Request("PROPFIND", path, body, ("Depth: 1", "Content-Type: application/xml"))


def _observance(*lines: str, kind: str = "STANDARD", start: str = "19700101T000000") -> str:
    body = "".join(f"{line}\r\n" for line in (f"DTSTART:{start}", *_ZONE, *lines))
    return f"BEGIN:{kind}\r\n{body}END:{kind}\r\n"


def _zone(*observances: str, tzid: str = "Z") -> str:
    return f"BEGIN:VTIMEZONE\r\nTZID:{tzid}\r\n{''.join(observances)}END:VTIMEZONE\r\n"


def _zoned(uid: str, zone: str, tzid: str = "Z") -> str:
    lines = (f"DTSTART;TZID={tzid}:20260601T090000", "RRULE:FREQ=DAILY;COUNT=300")
    return calendar(zone, component("VEVENT", uid, *lines))


def _recurring(uid: str, *lines: str, start: str = "20260601T090000Z") -> str:
    return calendar(component("VEVENT", uid, f"DTSTART:{start}", "DURATION:PT1H", *lines))


def _override(uid: str, at: str, *lines: str, range_: str = "") -> str:
    recurrence = f"RECURRENCE-ID{range_}:{at}"
    return component("VEVENT", uid, recurrence, f"DTSTART:{at}", *lines)


def _times(count: int) -> Iterator[str]:
    """Yield so many distinct times in UTC."""
    for number in range(count):
        day, minute = divmod(number, 1440)
        month, day = divmod(day, 28)
        year, month = divmod(month, 12)
        yield (f"{2000 + year}{month + 1:02}{day + 1:02}T{minute // 60:02}{minute % 60:02}00Z")


def _read_all() -> list[Request]:
    """Return every way to read a year of a calendar."""
    expand = f"<C:calendar-data><C:expand {WINDOW}/></C:calendar-data>"
    window = f'<C:comp-filter name="VEVENT"><C:time-range {WINDOW}/></C:comp-filter>'
    query = f'<C:filter><C:comp-filter name="VCALENDAR">{window}</C:comp-filter></C:filter>'
    return [
        report(f"<C:calendar-query {DAV}><prop><getetag/></prop>{query}</C:calendar-query>"),
        report(f"<C:calendar-query {DAV}><prop>{expand}</prop>{query}</C:calendar-query>"),
        report(f"<C:free-busy-query {DAV}><C:time-range {WINDOW}/></C:free-busy-query>"),
        Request("GET", "/feeds/mallory.ics"),
        Request("GET", "/feeds/mallory/?view=month&date=2026-06-01"),
        Request("GET", f"{HOME}?view=freebusy"),
        Request("GET", HOME),
    ]


def _stored(name: str, text: Callable[[], str]) -> Callable[[], list[Request]]:
    """Return a function for the requests that store an object, read it, and remove it."""
    remove = Request("DELETE", f"{HOME}{name}.ics")
    return lambda: [_put(name, text()), *_read_all(), remove]


def _nested(depth: int) -> str:
    return f"<propfind {DAV}>" + "<a>" * depth + "</a>" * depth + "</propfind>"


def _names(count: int) -> str:
    inner = "".join(f"<x{number}/>" for number in range(count))
    return f"<propfind {DAV}><prop>{inner}</prop></propfind>"


def _filters(count: int) -> str:
    one = '<C:prop-filter name="SUMMARY"><C:text-match>x</C:text-match></C:prop-filter>'
    inner = f'<C:comp-filter name="VEVENT">{one * count}</C:comp-filter>'
    outer = f'<C:filter><C:comp-filter name="VCALENDAR">{inner}</C:comp-filter></C:filter>'
    return f"<C:calendar-query {DAV}><prop><getetag/></prop>{outer}</C:calendar-query>"


def _card_filters(count: int) -> str:
    one = '<CR:prop-filter name="FN"><CR:text-match>x</CR:text-match></CR:prop-filter>'
    outer = f'<CR:filter test="anyof">{one * count}</CR:filter>'
    return f"<CR:addressbook-query {_CARD}><prop><getetag/></prop>{outer}</CR:addressbook-query>"


def _multiget(href: str, count: int) -> str:
    hrefs = f"<href>{href}</href>" * count
    return f"<C:calendar-multiget {DAV}><prop><getetag/></prop>{hrefs}</C:calendar-multiget>"


def _attributes(count: int) -> str:
    inner = " ".join(f'a{number}=""' for number in range(count))
    return f"<propfind {DAV}><prop><getetag {inner}/></prop></propfind>"


def _chunked(target: str = "/") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode()


def _endless(first: bytes, again: bytes, octets: int = 64 * MEGABYTE) -> Iterator[bytes]:
    block = again * (min(octets, 65536) // len(again))
    yield first
    yield from repeat(block, octets // len(block))


def _in_zone(name: str, zone: Callable[[], str]) -> Attack:
    return Attack("zone", name, _stored("zone", lambda: _zoned("zone", zone())))


def _zone_rule(rule: str) -> Attack:
    return _in_zone(f"a rule of {rule}", lambda: _zone(_observance(f"RRULE:FREQ={rule}")))


def _before_a_login(method: str) -> Attack:
    def requests() -> list[Request]:
        return [Request(method, "/.web/", f"<propfind {DAV}>{'<a/>' * 20_000_000}</propfind>")]

    title = f"{method} of 20,000,000 elements below /.web/"
    return Attack("before a login", title, requests, anonymous=True)


def _series(name: str, *lines: str, start: str = "20260601T090000Z") -> Attack:
    return Attack(
        "recurrence", name, _stored("series", lambda: _recurring("series", *lines, start=start))
    )


def _timezone_of_a_report() -> list[Request]:
    zone = calendar(_zone(_observance("RRULE:FREQ=SECONDLY")))
    window = f'<C:comp-filter name="VEVENT"><C:time-range {WINDOW}/></C:comp-filter>'
    query = f'<C:filter><C:comp-filter name="VCALENDAR">{window}</C:comp-filter></C:filter>'
    timezone = f"<C:timezone>{zone}</C:timezone>"
    floating = _put("floating", event("floating", "Meeting", "20260601T090000"))
    body = f"<C:calendar-query {DAV}><prop><getetag/></prop>{query}{timezone}</C:calendar-query>"
    return [floating, report(body), Request("DELETE", f"{HOME}floating.ics")]


ATTACKS = (
    # Before any login.
    *(_before_a_login(method) for method in ("PROPFIND", "REPORT", "PROPPATCH", "MKCALENDAR")),
    # HTTP.
    Attack(
        "http",
        "a trailer without end",
        raw=lambda: _endless(
            _chunked() + b"1\r\nx\r\n0\r\n", b"X-Trailer: " + b"x" * 1000 + b"\r\n"
        ),
    ),
    Attack(
        "http",
        "a trailer line without end",
        raw=lambda: _endless(_chunked() + b"1\r\nx\r\n0\r\nX-Trailer: ", b"x"),
    ),
    Attack("http", "a chunk extension without end", raw=lambda: _endless(_chunked() + b"1;", b"x")),
    Attack(
        "http",
        "chunks of one octet",
        raw=lambda: _endless(_chunked(), b"1;ext=" + b"x" * 100 + b"\r\nx\r\n"),
    ),
    Attack("http", "blank lines without end", raw=lambda: _endless(b"", b"\r\n")),
    Attack(
        "http",
        "a header without end",
        raw=lambda: _endless(b"GET / HTTP/1.1\r\nHost: x\r\n", b"X-Field: x\r\n"),
    ),
    Attack("http", "a target without end", raw=lambda: _endless(b"GET /", b"x")),
    Attack(
        "http",
        "requests without a pause",
        raw=lambda: _endless(b"", b"GET /alice/ HTTP/1.1\r\nHost: x\r\n\r\n", MEGABYTE // 64),
    ),
    # XML.
    Attack("xml", "200,000 levels", lambda: [_propfind(_nested(200_000))]),
    Attack("xml", "30,000 levels in a REPORT", lambda: [report(_nested(30_000))]),
    Attack("xml", "500,000 property names", lambda: [_propfind(_names(500_000))]),
    Attack(
        "xml",
        "a property name of 8 MB",
        lambda: [_propfind(f"<propfind {DAV}><prop><{'x' * 8 * MEGABYTE}/></prop></propfind>")],
    ),
    Attack(
        "xml",
        "a namespace of 8 MB",
        lambda: [
            _propfind(f'<propfind {DAV}><prop><x xmlns="{"x" * 8 * MEGABYTE}"/></prop></propfind>')
        ],
    ),
    Attack(
        "xml",
        "100,000 prop-filters",
        lambda: [
            _put("one", event("one")),
            report(_filters(100_000)),
            Request("DELETE", f"{HOME}one.ics"),
        ],
    ),
    Attack(
        "xml", "100,000 filters of an address book", lambda: [report(_card_filters(100_000), BOOK)]
    ),
    Attack("xml", "500,000 equal odd hrefs", lambda: [report(_multiget("/%zz/../x", 500_000))]),
    Attack(
        "xml",
        "500,000 hrefs of another calendar",
        lambda: [report(_multiget("/alice/calendar/x.ics", 500_000))],
    ),
    Attack("xml", "a million attributes", lambda: [_propfind(_attributes(1_000_000))]),
    Attack(
        "xml",
        "a document type with entities",
        lambda: [
            _propfind(
                '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;">]>'
                f"<propfind {DAV}><prop><x>&c;</x></prop></propfind>"
            )
        ],
    ),
    # Time zones.
    *(
        _zone_rule(rule)
        for rule in ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "SECONDLY;BYMONTH=2;BYMONTHDAY=30")
    ),
    _in_zone(
        "an hourly rule with EXDATEs",
        lambda: _zone(
            _observance(
                "RRULE:FREQ=HOURLY",
                f"EXDATE:{','.join(time.rstrip('Z') for time in _times(20_000))}",
            )
        ),
    ),
    _in_zone("80,000 observances", lambda: _zone(*repeat(_observance(), 80_000))),
    _in_zone(
        "300,000 RDATEs",
        lambda: _zone(
            _observance(f"RDATE:{','.join(time.rstrip('Z') for time in _times(300_000))}")
        ),
    ),
    _in_zone(
        "a hundred yearly rules since the year 1",
        lambda: _zone(*repeat(_observance("RRULE:FREQ=YEARLY", start="00010101T000000"), 100)),
    ),
    Attack("zone", "the timezone of a REPORT", _timezone_of_a_report),
    Attack(
        "zone",
        "a TZID of 8 MB",
        _stored(
            "long",
            lambda: _zoned(
                "long", _zone(_observance(), tzid="x" * 4 * MEGABYTE), "x" * 4 * MEGABYTE
            ),
        ),
    ),
    # Recurrence.
    _series("hourly since the year 1", "RRULE:FREQ=HOURLY", start="00010101T000000Z"),
    _series("daily since the year 1", "RRULE:FREQ=DAILY", start="00010101T000000Z"),
    _series("every second", "RRULE:FREQ=SECONDLY"),
    _series(
        "every second of one minute in a leap year",
        "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=29;BYHOUR=3;BYMINUTE=1",
    ),
    _series("a day that does not exist", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"),
    _series("a day that is rare", "RRULE:FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=SU;INTERVAL=7"),
    _series("a million days", f"RRULE:FREQ=WEEKLY;BYDAY={','.join(repeat('MO', 1_000_000))}"),
    _series("a thousand rules", *repeat("RRULE:FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8", 1000)),
    _series("500,000 EXDATEs", "RRULE:FREQ=DAILY", f"EXDATE:{','.join(_times(500_000))}"),
    _series("500,000 RDATEs", f"RDATE:{','.join(_times(500_000))}"),
    _series("100,000 lines of RDATE", *(f"RDATE:{time}" for time in _times(100_000))),
    _series("periods that overlap", "RRULE:FREQ=HOURLY", "DURATION:P99999D"),
    Attack(
        "recurrence",
        "a hundred overrides with ten rules each",
        _stored(
            "rules",
            lambda: calendar(
                component("VEVENT", "rules", "DTSTART:20260601T090000Z", "RRULE:FREQ=DAILY"),
                *(
                    _override(
                        "rules",
                        f"202606{1 + n % 28:02}T{n // 28:02}0000Z",
                        *repeat("RRULE:FREQ=HOURLY;COUNT=9999", 10),
                    )
                    for n in range(100)
                ),
            ),
        ),
    ),
    Attack(
        "recurrence",
        "30,000 THISANDFUTURE",
        _stored(
            "future",
            lambda: calendar(
                component("VEVENT", "future", "DTSTART:20000101T000000Z", "RRULE:FREQ=HOURLY"),
                *(_override("future", at, range_=";RANGE=THISANDFUTURE") for at in _times(30_000)),
            ),
        ),
    ),
    # Content lines.
    Attack(
        "line",
        "a parameter of 9 million commas",
        _stored("commas", lambda: _recurring("commas", f"X-A;X-B={',' * 9_000_000}:x")),
    ),
    Attack(
        "line",
        "a million parameters",
        _stored(
            "parameters",
            lambda: _recurring("parameters", f"X-A{''.join(repeat(';A=', 1_000_000))}:x"),
        ),
    ),
    Attack(
        "line",
        "quotation marks",
        _stored("quotes", lambda: _recurring("quotes", f"X-A;X-B={chr(34) * 2_000_001}")),
    ),
    Attack(
        "line",
        "two million folds",
        _stored("folds", lambda: _recurring("folds", "SUMMARY:x" + "\r\n x" * 2_000_000)),
    ),
    Attack(
        "line",
        "a million lines",
        _stored("lines", lambda: _recurring("lines", *repeat("X-A:", 1_000_000))),
    ),
    Attack(
        "line",
        "200,000 alarms",
        _stored(
            "alarms",
            lambda: _recurring(
                "alarms", *repeat("BEGIN:VALARM\r\nTRIGGER:-PT1H\r\nEND:VALARM", 200_000)
            ),
        ),
    ),
    Attack(
        "line",
        "200,000 attendees",
        _stored(
            "attendees",
            lambda: _recurring(
                "attendees", *(f"ATTENDEE;CN=x:mailto:{n}@example.org" for n in range(200_000))
            ),
        ),
    ),
    Attack(
        "line",
        "characters that XML cannot write",
        _stored("nonchar", lambda: _recurring("nonchar", "DESCRIPTION:\uffff\ufffe")),
    ),
    Attack(
        "line",
        "a card of a million lines",
        lambda: [
            Request(
                "PUT",
                f"{BOOK}card.vcf",
                "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:card\r\nFN:x\r\nN:x;;;;\r\n"
                + "TEL:1\r\n" * 1_000_000
                + "END:VCARD\r\n",
                ("Content-Type: text/vcard",),
            ),
            report(_card_filters(1), BOOK),
            Request("DELETE", f"{BOOK}card.vcf"),
        ],
    ),
    *ATTACKS_OF_REQUESTS,
)
"""All attacks, each one case of its kind."""
