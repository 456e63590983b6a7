"""Attacks by header fields, addresses, forms, files and reports; see `support.attacks`."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from itertools import repeat

from support.attacks_model import BOOK, DAV, HOME, MEGABYTE, WINDOW, Attack, Request, report
from support.samples import calendar, component

_LONG = 7000  # octets of a head that the server still takes
_PRINCIPALS = 'xmlns="DAV:"'


def _with(*headers: str, path: str = f"{HOME}a.ics", method: str = "GET") -> Request:
    return Request(method, path, headers=headers)


def _header(name: str, field: str, **more: str) -> Attack:
    stored = Request("PUT", f"{HOME}a.ics", _events(1), ("Content-Type: text/calendar",))
    return Attack("header", name, lambda: [stored, _with(field, **more)])


def _address(name: str, path: str) -> Attack:
    return Attack("address", name, lambda: [Request("GET", path)])


def _form(name: str, body: str, kind: str) -> Attack:
    headers = (f"Content-Type: {kind}", "Origin: http://127.0.0.1")
    return Attack("form", name, lambda: [Request("POST", "/.web/account/import", body, headers)])


def _file(name: str, body: str, path: str = "/mallory/file/") -> Attack:
    kind = "text/vcard" if body.startswith("BEGIN:VCARD") else "text/calendar"
    return Attack(
        "file",
        name,
        lambda: [
            Request("PUT", path, body, (f"Content-Type: {kind}",)),
            Request("GET", path),
            Request("DELETE", path),
        ],
    )


def _events(count: int, *lines: str) -> str:
    start = "DTSTART:20260601T090000Z"
    return calendar(*(component("VEVENT", f"e{n}", start, *lines) for n in range(count)))


def _card(number: int) -> str:
    return f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nUID:{number}\r\nEND:VCARD\r\n"


def _many_parts() -> Iterator[str]:
    yield from repeat('--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n', 200_000)
    yield "--x--\r\n"


def _search(count: int) -> str:
    one = "<property-search><prop><displayname/></prop><match>a</match></property-search>"
    inner = f"{one * count}<prop><displayname/></prop>"
    return f"<principal-property-search {_PRINCIPALS}>{inner}</principal-property-search>"


def _expansion(depth: int, width: int) -> str:
    names = ("current-user-principal", "owner", "principal-URL", "principal-collection-set")
    begin = "".join(f'<property name="{name}"/>' for name in names[:width])
    text = begin
    for _ in range(depth):
        text = "".join(f'<property name="{name}">{text}</property>' for name in names[:width])
    return f"<expand-property {_PRINCIPALS}>{text}</expand-property>"


def _sync(token: str) -> str:
    inner = "<sync-level>1</sync-level><prop><getetag/></prop>"
    return f"<sync-collection {DAV}><sync-token>{token}</sync-token>{inner}</sync-collection>"


def _of_one(body: str) -> list[Request]:
    """Return the requests that store a heavy event, ask for it often, and remove it."""
    text = _events(1, "RRULE:FREQ=HOURLY", *repeat("ATTENDEE:mailto:a@example.org", 2000))
    put = Request("PUT", f"{HOME}heavy.ics", text, ("Content-Type: text/calendar",))
    return [put, report(body), Request("DELETE", f"{HOME}heavy.ics")]


def _heavy_multiget(count: int) -> str:
    hrefs = "".join(f"<href>{HOME}heavy.ics?{n}</href>" for n in range(count))
    data = f"<C:calendar-data><C:expand {WINDOW}/></C:calendar-data>"
    return f"<C:calendar-multiget {DAV}><prop>{data}</prop>{hrefs}</C:calendar-multiget>"


def _preface() -> Iterator[bytes]:
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield from repeat(b"\0" * 65536, 64)


ATTACKS_OF_REQUESTS = (
    _header("an If of thousands of lists", "If: " + "(<urn:x>)" * (_LONG // 9)),
    _header("an If that never ends", "If: " + "(" * _LONG),
    _header("an If-Match of thousands of tags", "If-Match: " + '"a",' * (_LONG // 4)),
    _header("an If-None-Match of quotation marks", "If-None-Match: " + '"' * _LONG),
    _header("thousands of ranges", "Range: bytes=" + "0-0," * (_LONG // 4)),
    _header("thousands of encodings", "Accept-Encoding: " + "gzip;q=0.1," * (_LONG // 11)),
    _header("a Cookie of thousands", "Cookie: " + "a=b;" * (_LONG // 4), path="/.web/account/"),
    _header("a long Destination", "Destination: /" + "%41" * (_LONG // 3), method="MOVE"),
    _header("a Destination of slashes", "Destination: " + "/" * _LONG, method="COPY"),
    _header("a Depth of digits", "Depth: " + "1" * _LONG, method="PROPFIND", path="/mallory/"),
    _header("a websocket", "Upgrade: websocket", path="/"),
    Attack("header", "HTTP/2 without asking", raw=_preface),
    Attack(
        "header",
        "a body of gzip",
        lambda: [
            Request(
                "PUT",
                f"{HOME}bomb.ics",
                gzip.compress(bytes(64 * MEGABYTE)).decode("latin-1"),
                ("Content-Encoding: gzip", "Content-Type: text/calendar"),
            )
        ],
    ),
    _address("3,500 segments", "/mallory" + "/a" * (_LONG // 2)),
    _address("dots and slashes", "/mallory" + "/%2e%2e" * (_LONG // 7)),
    _address("percent signs", "/mallory/" + "%" * _LONG),
    _address("octets that are not UTF-8", "/mallory/" + "%ff" * (_LONG // 3)),
    _address("a query of thousands for busy times", f"{HOME}?view=freebusy" + "&a=b" * 1700),
    _address("a query of thousands for a page", "/feeds/mallory/?view=month" + "&date=1" * 900),
    _address("a page of the year 9999", "/feeds/mallory/?view=month&date=9999-12-31"),
    _address("a secret of thousands", "/feeds/s/" + "a" * _LONG + "/mallory.ics"),
    _form("100,000 fields", "a=b&" * 100_000, "application/x-www-form-urlencoded"),
    _form("200,000 parts", "".join(_many_parts()), "multipart/form-data; boundary=x"),
    _form("a boundary without end", "--x" * 1_000_000, "multipart/form-data; boundary=x"),
    _file("a calendar of 30,000 events", _events(30_000)),
    _file("a calendar of 3,000 daily events", _events(3_000, "RRULE:FREQ=DAILY")),
    _file("a calendar of 500,000 empty lines", calendar("\r\n" * 490_000, _events(1))),
    _file("a calendar of 200,000 lines outside", "x\r\n" * 200_000 + _events(1)),
    _file(
        "an address book of 100,000 cards",
        "".join(
            f"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:x\r\nUID:{n}\r\nEND:VCARD\r\n"
            for n in range(100_000)
        ),
    ),
    Attack("report", "200 terms", lambda: [report(_search(200), "/", depth="0")]),
    Attack("report", "expansion 40 deep", lambda: [report(_expansion(40, 1), HOME, depth="0")]),
    Attack(
        "report", "expansion of four in four", lambda: [report(_expansion(4, 4), HOME, depth="0")]
    ),
    Attack(
        "report",
        "a token of 100,000 calendars",
        lambda: [report(_sync("data:,kalends-members-1-x-" + "1.1;" * 100_000), "/mallory/")],
    ),
    Attack(
        "report", "a token of digits", lambda: [report(_sync("data:,kalends-" + "1" * 100_000))]
    ),
    Attack("report", "one heavy event 5,000 times", lambda: _of_one(_heavy_multiget(5_000))),
    Attack(
        "report",
        "a search of all cards",
        lambda: [report(_search(1), BOOK, depth="1")],
    ),
)
"""The attacks of this module."""
