"""Comparison of reads by Kalends with those by Radicale, property by property, on random data.

`reason_to_differ` names the deliberate differences and their RFC.
"""

from __future__ import annotations

import gzip
import itertools
import re
import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from icalendar import Timezone
from radicale.app.get import ApplicationPartGet
from radicale.app.propfind import ApplicationPartPropfind
from radicale.app.report import ApplicationPartReport
from radicale.xmlutils import make_clark, make_human_tag

from kalends.adapters.radicale_compat import ApplicationBase
from kalends.app.stack import ApplicationStack
from kalends.authn.apache.htfiles import decode_name
from kalends.dav.message import sanitize
from kalends.dav.properties.registry import PROPERTIES
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml.parse import parse
from kalends.wsgi import create_app
from support.installation import NAMES, Answer, Client, Installation
from support.multistatus import PropertyStatuses, Value, parse_multistatus
from support.samples import calendar, card, component, event, todo

SPACES = {**NAMES, "ICAL": "http://apple.com/ns/ical/", "ME": "http://me.com/_namespace/"}
DECLARED = " ".join(f'xmlns:{short}="{uri}"' for short, uri in SPACES.items())

# The properties that clients and the web page request, and some that no resource has.
PROPS = [
    *("D:resourcetype", "D:displayname", "D:getetag", "D:getlastmodified", "D:getcontenttype"),
    *("D:getcontentlength", "D:sync-token", "D:owner", "D:current-user-principal"),
    *("D:current-user-privilege-set", "D:supported-report-set", "D:principal-collection-set"),
    *("D:principal-URL", "D:resource-id", "D:quota-used-bytes", "D:add-member", "D:group"),
    *("CS:getctag", "CS:source", "CS:publish-url", "CS:pushkey", "CS:allowed-sharing-modes"),
    *("C:calendar-home-set", "C:calendar-user-address-set", "C:calendar-description"),
    *("C:supported-calendar-component-set", "C:max-resource-size", "C:calendar-timezone"),
    *("C:schedule-inbox-URL", "C:calendar-data", "CR:address-data", "CR:addressbook-home-set"),
    *("CR:addressbook-description", "CR:supported-address-data", "ICAL:calendar-color"),
    *("ICAL:calendar-order", "ME:bulk-requests", "K:published"),
]
DATA = {"VCALENDAR": make_clark("C:calendar-data"), "VADDRESSBOOK": make_clark("CR:address-data")}
IN_RADICALES_REPORTS = {
    make_clark(name)
    for name in ("D:getetag", "D:getcontenttype", "C:calendar-data", "CR:address-data")
}
HOMES = {
    make_clark(name)
    for name in (
        "C:calendar-home-set",
        "C:calendar-user-address-set",
        "CR:addressbook-home-set",
        "D:principal-URL",
    )
}
NAMES_OF_OBJECTS = ["a.ics", "b c.ics", "ä.ics", "50%.ics", "x@y.ics", "q'&<>\".ics", "no-suffix"]
TEXTS = ["Work", "A & B < C", "Ünïcode ✓", "#FF0000", "", " spaced "]


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    """Open two applications on one store: Radicale answers the reads of the second."""
    folder: Path = tmp_path_factory.mktemp("frequent")
    installation = Installation(folder, feeds="")
    (folder / "groups").write_text("family: alice bob\n")
    installation.write(auth__htgroup_filename=str(folder / "groups"))
    with ExitStack() as stack:
        frequent, radicale = create_app(installation.config), create_app(installation.config)
        for app in (frequent, radicale):
            assert isinstance(app, ApplicationStack)
            stack.callback(app.close)
        users = dict(installation.users)
        for user in users:  # creates their homes
            assert Client(radicale, user, users)("PROPFIND", f"/{user}/").status == 207
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        _ask_radicale_to_read(monkeypatch, radicale)
        yield Client(frequent, "alice", users), Client(radicale, "alice", users)


def _ask_radicale_to_read(monkeypatch: pytest.MonkeyPatch, app: ApplicationStack) -> None:
    """Make an application answer by Radicale's own handlers; Kalends answers all but pages."""
    dav = app._dav
    monkeypatch.setattr(dav, "read_xml", _read_xml)
    handlers = {
        "do_REPORT": ApplicationPartReport.do_REPORT,
        "do_PROPFIND": ApplicationPartPropfind.do_PROPFIND,
        "do_GET": ApplicationPartGet.do_GET,
    }
    for name, handler in handlers.items():
        monkeypatch.setattr(dav, name, partial(_in_snapshot, dav, handler), raising=False)

    def ask(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("PUT", "MKCOL"):
            return dav(environ, start_response)
        path = decode_name(environ["PATH_INFO"].encode("latin-1"))
        environ["PATH_INFO"] = sanitize(path)
        answer: Iterable[bytes] = ApplicationBase.__call__(dav, environ, start_response)
        return answer

    monkeypatch.setattr(app, "_dav", ask)


def _in_snapshot(dav: Any, handler: Any, environ: Any, *rest: Any) -> Any:
    """Run a handler of Radicale's; it releases its lock before it has read everything."""
    with dav._store.acquire_lock("r"):
        return handler(dav, environ, *rest)


def _read_xml(environ: Mapping[str, Any]) -> ET.Element | None:
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH", 0)))
    return parse(body) if body else None


def xml(root: str, *content: str) -> str:
    return f"<{root} {DECLARED}>{''.join(content)}</{root}>"


def prop(names: list[str]) -> str:
    return f"<D:prop>{''.join(f'<{name}/>' for name in names)}</D:prop>"


def propfind(client: Client, path: str, names: list[str], depth: str, **more: Any) -> Answer:
    return client(
        "PROPFIND", path, xml("D:propfind", prop(names)), headers={"Depth": depth}, **more
    )


def reason_to_differ(report: bool, tag: str, path: str, ours: Value, theirs: Value) -> str:
    """Return the reason for a deliberate difference in a property; empty if there is none."""
    name = make_human_tag(tag)
    if report and tag not in IN_RADICALES_REPORTS:
        return "RFC 4791 7.8, 7.9 and RFC 6578 3.2: any property may be requested in a report"
    if report and name in ("C:calendar-data", "CR:address-data"):
        return (
            "RFC 4791 9.6, RFC 6352 10.4: a calendar has calendar-data, an address book the other"
        )
    if name == "D:getcontentlength" and path.endswith("/"):
        return "RFC 4918 15.4: the length of a whole calendar costs as much as its GET"
    if name == "C:supported-calendar-component-set":
        return "RFC 4791 5.2.3: on calendars alone; and RFC 4791 4.1: VFREEBUSY as well"
    if name in ("D:displayname", "RADICALE:displayname"):
        return "RFC 3744 4: of a principal, and the last segment where nobody has given a name"
    if name in ("D:current-user-privilege-set", "D:group", "D:principal-URL"):
        return "RFC 3744 4 and 5: each privilege by its name, and what principals have"
    if name in ("D:resourcetype", "CS:source", "C:max-resource-size"):
        return "RFC 3744 2, RFC 4791 5.2.5: on principals, on calendars alone"
    if name == "CR:supported-address-data":
        return "RFC 6352 6.2.2: vCard 4.0 is kept, so it is listed"
    if name == "D:sync-token":
        return "RFC 6578 4: of every collection that has sync-collection, a home too"
    if name == "D:supported-report-set":
        return "RFC 3253 3.1.5: the reports that are answered"
    if tag in HOMES and path == "/":
        return "RFC 4791 6.2.1: a principal's home, not the address of the request"
    return ""


# Of RFC 4918 section 15, and by propname those of the other RFCs as well.
OURS = frozenset(PROPERTIES)
UNLIKE = {
    make_clark(name)
    for name in (
        "D:getcontentlength",  # of a collection: see above
        "D:displayname",  # of a home as well
        *("D:sync-token", "D:supported-report-set"),  # of a home as well; see above
        "C:calendar-home-set",  # of "/": see above
        "C:supported-calendar-component-set",  # VFREEBUSY as well (RFC 4791 section 4.1)
        *("C:calendar-user-address-set", "CR:addressbook-home-set", "D:principal-URL"),
        *("D:current-user-privilege-set", "CS:source", "RADICALE:displayname"),
    )
}


def assert_agreement(
    ours: dict[str, PropertyStatuses],
    theirs: dict[str, PropertyStatuses],
    *,
    report: bool = False,
    path: str = "",
) -> set[str]:
    """Assert that two answers have only deliberate differences; return the reasons of these."""
    assert ours.keys() == theirs.keys()
    reasons = set()
    for href, statuses in ours.items():
        assert statuses.keys() == theirs[href].keys(), href
        for tag, own in statuses.items():
            if own != theirs[href][tag]:
                reason = reason_to_differ(report, tag, path, own, theirs[href][tag])
                assert reason, f"{href} {tag}: {own}, by Radicale {theirs[href][tag]}"
                reasons.add(reason)
    return reasons


_numbers = itertools.count()
Objects = dict[str, str]


@st.composite
def objects(draw: st.DrawFn, tag: str) -> Objects:
    names = draw(st.lists(st.sampled_from(NAMES_OF_OBJECTS), unique=True, max_size=5))
    made = {}
    for name in names:
        text = draw(st.sampled_from(TEXTS))
        if tag == "VADDRESSBOOK":
            made[name] = card(name, text)
        elif draw(st.booleans()):
            made[name] = event(name, text)
        else:
            made[name] = todo(name, text)
    return made


@st.composite
def collections(draw: st.DrawFn) -> tuple[str, dict[str, str], Objects]:
    tag = draw(st.sampled_from(["VCALENDAR", "VADDRESSBOOK"]))
    settable = ["D:displayname", "ICAL:calendar-color", "C:calendar-description", "K:published"]
    props = draw(st.dictionaries(st.sampled_from(settable), st.sampled_from(TEXTS)))
    return tag, props, draw(objects(tag))


def make(client: Client, tag: str, props: dict[str, str], content: Objects) -> str:
    """Create a collection in alice's home; return its path."""
    path = f"/alice/c{next(_numbers)}/"
    kind = "C:calendar" if tag == "VCALENDAR" else "CR:addressbook"
    types = f"<D:resourcetype><D:collection/><{kind}/></D:resourcetype>"
    given = "".join(f"<{name}><![CDATA[{text}]]></{name}>" for name, text in props.items())
    made = client("MKCOL", path, xml("D:mkcol", f"<D:set><D:prop>{types}{given}</D:prop></D:set>"))
    assert made.status == 201, made
    put(client, path, content)
    return path


def put(client: Client, path: str, content: Objects) -> None:
    for name, text in content.items():
        answer = client("PUT", path + quote(name), text)
        assert answer.status in (201, 204), answer


sampled = settings(max_examples=60)
REQUESTED_PROPS = st.lists(st.sampled_from(PROPS), unique=True, min_size=1)


@sampled
@given(collections(), REQUESTED_PROPS, st.sampled_from(["0", "1"]))
def test_propfind_agrees_with_radicale(
    apps: tuple[Client, Client],
    made: tuple[str, dict[str, str], Objects],
    wanted: list[str],
    depth: str,
) -> None:
    _, radicale = apps
    path = make(radicale, *made)
    places = [path, "/", "/alice/", "/GROUPS/family/family/"]
    places += [path + quote(name) for name in made[2]]
    for place in places:
        ours, theirs = (propfind(client, place, wanted, depth) for client in apps)
        assert (ours.status, theirs.status) == (207, 207), place
        # RFC 4918 section 18.2: class 2 is LOCK's, which neither has.
        assert ours.headers["DAV"].split(", ")[:3] == ["1", "3", "calendar-access"]
        own, other = parse_multistatus(ours.body), parse_multistatus(theirs.body)
        assert_agreement(own, other, path=place)
    assert radicale("DELETE", path).status == 200


@settings(max_examples=20)
@given(collections(), st.sampled_from(["allprop", "propname", ""]), st.sampled_from(["0", "1"]))
def test_all_properties_agree_with_radicale(
    apps: tuple[Client, Client],
    made: tuple[str, dict[str, str], Objects],
    asked: str,
    depth: str,
) -> None:
    _, radicale = apps
    path = make(radicale, *made)
    body = xml("D:propfind", f"<D:{asked}/>") if asked else ""
    for place in [path, "/", "/alice/", *(path + quote(name) for name in made[2])]:
        ours, theirs = (
            parse_multistatus(client("PROPFIND", place, body, headers={"Depth": depth}).body)
            for client in apps
        )
        assert ours.keys() == theirs.keys()
        for href, found in ours.items():
            other = theirs[href]
            assert found.keys() <= other.keys() | OURS
            # RFC 3744 and others: their properties are not in allprop.
            alike = [tag for tag in found if tag in other and tag not in UNLIKE]
            assert {tag: found[tag] for tag in alike} == {tag: other[tag] for tag in alike}
    assert radicale("DELETE", path).status == 200


@sampled
@given(collections(), collections(), REQUESTED_PROPS)
def test_sync_collection_agrees_with_radicale(
    apps: tuple[Client, Client],
    made: tuple[str, dict[str, str], Objects],
    later: tuple[str, dict[str, str], Objects],
    wanted: list[str],
) -> None:
    frequent, radicale = apps
    path = make(radicale, *made)

    def sync(client: Client, token: str) -> dict[str, PropertyStatuses]:
        level = "<D:sync-level>1</D:sync-level>"
        body = xml(
            "D:sync-collection", f"<D:sync-token>{token}</D:sync-token>", level, prop(wanted)
        )
        answer = client("REPORT", path, body, headers={"Depth": "1"})
        assert answer.status == 207, answer
        return parse_multistatus(answer.body)

    first = sync(frequent, "")
    assert_agreement(first, sync(radicale, ""), report=True)
    token = str(first[""]["{DAV:}sync-token"][1][0])
    for name in list(made[2])[::2]:
        assert frequent("DELETE", path + quote(name)).status == 204
    if later[0] == made[0]:
        put(frequent, path, later[2])
    assert_agreement(sync(frequent, token), sync(radicale, token), report=True)
    assert radicale("DELETE", path).status == 200


@sampled
@given(
    collections(),
    REQUESTED_PROPS,
    st.lists(st.sampled_from(NAMES_OF_OBJECTS), min_size=1, unique=True),
)
def test_multiget_agrees_with_radicale(
    apps: tuple[Client, Client],
    made: tuple[str, dict[str, str], Objects],
    wanted: list[str],
    names: list[str],
) -> None:
    path = make(apps[1], *made)
    kind = "C:calendar-multiget" if made[0] == "VCALENDAR" else "CR:addressbook-multiget"
    hrefs = [quote(path + name) for name in names] + ["/alice/elsewhere/x.ics"]
    body = xml(kind, prop(wanted), *(f"<D:href>{href}</D:href>" for href in hrefs))
    ours, theirs = (client("REPORT", path, body, headers={"Depth": "1"}) for client in apps)
    assert (ours.status, theirs.status) == (207, 207)
    assert_agreement(parse_multistatus(ours.body), parse_multistatus(theirs.body), report=True)
    assert apps[1]("DELETE", path).status == 200


@sampled
@given(collections())
def test_get_agrees_with_radicale(
    apps: tuple[Client, Client], made: tuple[str, dict[str, str], Objects]
) -> None:
    path = make(apps[1], *made)
    for name in made[2]:
        for method in ("GET", "HEAD"):
            ours, theirs = (client(method, path + quote(name)) for client in apps)
            assert ours == theirs
            assert ours.status == 200
        known = apps[0]("GET", path + quote(name), headers={"If-None-Match": ours.headers["ETag"]})
        assert (known.status, known.body) == (304, b""), "RFC 9110 13.1.2; Radicale sends it again"
    assert apps[1]("DELETE", path).status == 200


def test_a_sync_without_properties_lists_the_members(apps: tuple[Client, Client]) -> None:
    """RFC 6578 section 3.5.1; Radicale leaves them out."""
    path = make(apps[1], "VCALENDAR", {}, {"a.ics": event("a")})
    body = xml("D:sync-collection", "<D:sync-token/><D:sync-level>1</D:sync-level>", "<D:prop/>")
    ours, theirs = (client("REPORT", path, body) for client in apps)
    assert f"{path}a.ics" in parse_multistatus(ours.body)
    assert f"{path}a.ics" not in parse_multistatus(theirs.body)


def test_a_propfind_with_another_root_is_refused(apps: tuple[Client, Client]) -> None:
    """RFC 4918 section 8.2."""
    body = xml("D:propertyupdate", prop(["D:getetag"]))
    frequent, radicale = (client("PROPFIND", "/alice/", body) for client in apps)
    assert (frequent.status, radicale.status) == (400, 207)


def test_names_of_components_are_escaped(apps: tuple[Client, Client]) -> None:
    path = f"/alice/c{next(_numbers)}/"
    components = '<C:comp name="VEVENT&quot;&lt;x"/>'
    components = f"<C:supported-calendar-component-set>{components}"
    components += "</C:supported-calendar-component-set>"
    body = xml("C:mkcalendar", f"<D:set><D:prop>{components}</D:prop></D:set>")
    assert apps[1]("MKCALENDAR", path, body).status == 201
    wanted = ["C:supported-calendar-component-set"]
    ours, theirs = (propfind(client, path, wanted, "0") for client in apps)
    assert parse_multistatus(ours.body) == parse_multistatus(theirs.body)
    assert apps[1]("DELETE", path).status == 200


def test_a_calendar_is_not_one_of_its_objects(apps: tuple[Client, Client]) -> None:
    """RFC 4791 section 7.9: hrefs of objects; Radicale takes the calendar's for all of them."""
    path = make(apps[1], "VCALENDAR", {}, {"a.ics": event("a")})
    for address in (path, path.rstrip("/")):
        body = xml("C:calendar-multiget", prop(["D:getetag"]), f"<D:href>{address}</D:href>")
        frequent, radicale = (client("REPORT", path, body) for client in apps)
        assert parse_multistatus(frequent.body) == {address: {"": (404, ())}}
        assert list(parse_multistatus(radicale.body)) == [f"{path}a.ics"]
    assert apps[1]("DELETE", path).status == 200


@pytest.mark.parametrize(
    ("user", "path"),
    [("bob", "/alice/"), ("bob", "/alice/calendar/"), ("bob", "/alice/calendar/a.ics")],
)
def test_requests_for_another_users_home_are_refused(
    apps: tuple[Client, Client], user: str, path: str
) -> None:
    bodies = {"PUT": event("a"), "REPORT": xml("D:sync-collection", prop(["D:getetag"]))}
    for method in ("GET", "PROPFIND", "REPORT", "PUT", "DELETE"):
        body = bodies.get(method, xml("D:propfind", prop(["D:getetag"])))
        for client in apps:
            assert client(method, path, body, user=user).status == 403


def test_members_see_their_groups_calendars_in_their_homes(apps: tuple[Client, Client]) -> None:
    for client in apps:
        found = parse_multistatus(
            propfind(client, "/bob/", ["D:displayname"], "1", user="bob").body
        )
        assert "/GROUPS/family/family/" in found


def test_large_answers_are_compressed_on_request(apps: tuple[Client, Client]) -> None:
    frequent, radicale = apps
    path = make(radicale, "VCALENDAR", {}, {})
    put(frequent, path, {f"{n}.ics": event(f"{n}") for n in range(300)})
    body = xml("D:propfind", prop(PROPS))
    plain = frequent("PROPFIND", path, body, headers={"Depth": "1"})
    for coding, is_coded in {"gzip, deflate": True, "gzip;q=0": False, "br": False}.items():
        headers = {"Depth": "1", "Accept-Encoding": coding}
        coded = frequent("PROPFIND", path, body, headers=headers)
        assert coded.headers.get("Content-Encoding") == ("gzip" if is_coded else None)
        assert int(coded.headers["Content-Length"]) == len(coded.body)
        assert (gzip.decompress(coded.body) if is_coded else coded.body) == plain.body
    short = frequent(
        "PROPFIND",
        path,
        xml("D:propfind", prop(["D:getetag"])),
        headers={"Depth": "0", "Accept-Encoding": "gzip"},
    )
    assert "Content-Encoding" not in short.headers


def test_an_unread_large_answer_does_not_keep_a_snapshot(
    apps: tuple[Client, Client], tmp_path: Path
) -> None:
    frequent, radicale = apps
    path = make(radicale, "VCALENDAR", {}, {})
    put(frequent, path, {f"{n}.ics": event(f"{n}", "long " * 2000) for n in range(200)})
    body = xml("D:sync-collection", "<D:sync-token/>", prop(["C:calendar-data"]))
    unread = frequent.start("REPORT", path, body)
    assert isinstance(unread, ResponseBuffer)
    put(frequent, path, {"new.ics": event("new")})
    assert isinstance(frequent.app, ApplicationStack)
    store = sqlite3.connect(frequent.app.container.settings.database.removeprefix("sqlite:///"))
    try:
        # SQLite cannot empty the write-ahead log while a reader uses an older snapshot.
        assert store.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    finally:
        store.close()
    found = parse_multistatus(b"".join(unread))
    unread.close()
    assert len(found) == 201


TIMES = st.integers(0, 400).map(
    lambda hours: datetime(2026, 3, 20, tzinfo=UTC) + timedelta(hours=hours)
)
RULES = ["", "", "FREQ=DAILY;COUNT=5", "FREQ=WEEKLY;BYDAY=MO,TH", "FREQ=MONTHLY", "FREQ=DAILY"]


@dataclass(frozen=True)
class TimedComponent:
    """An event or task as text, and its times by the RFC."""

    kind: str
    start: datetime
    zone: str
    length: timedelta | None
    rule: str

    @property
    def text(self) -> str:
        """The calendar object of the component."""
        begin = {
            "UTC": f"DTSTART:{self.start:%Y%m%dT%H%M%SZ}",
            "DATE": f"DTSTART;VALUE=DATE:{self.start:%Y%m%d}",
            "": f"DTSTART:{self.start:%Y%m%dT%H%M%S}",
        }.get(self.zone, f"DTSTART;TZID={self.zone}:{self.start:%Y%m%dT%H%M%S}")
        lines = [begin]
        if self.length is not None:
            hours = int(self.length.total_seconds()) // 3600
            lines.append(
                f"DURATION:P{hours // 24}D" if self.zone == "DATE" else f"DURATION:PT{hours}H"
            )
        if self.rule:
            lines.append(f"RRULE:{self.rule}")
        return calendar(component(self.kind, repr(self), *lines))

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Return True if an occurrence overlaps a time range (RFC 4791 section 9.9).

        This follows the tables of the RFC literally; times without a zone are in UTC.
        """
        first = self.start.replace(tzinfo=None)
        if self.zone == "DATE":
            first = first.replace(hour=0)
        # The first is DTSTART, whether it fits the rule or not (RFC 5545 section 3.8.5.3).
        rest: Iterable[datetime] = rrulestr(self.rule, dtstart=first) if self.rule else []
        for local in itertools.chain([first], rest):
            zone = UTC if self.zone in ("UTC", "DATE", "") else ZoneInfo(self.zone)
            begin = local.replace(tzinfo=zone).astimezone(UTC)
            if begin > end + timedelta(days=2):
                return False
            if self._overlaps(begin, start, end):
                return True
        return False

    def _overlaps(self, begin: datetime, start: datetime, end: datetime) -> bool:
        length = self.length
        if self.kind == "VTODO" and length is not None:
            due = begin + length
            return start <= due and (end > begin or end >= due)
        if self.kind == "VTODO":
            return start <= begin and end > begin
        if length is None and self.zone == "DATE":
            length = timedelta(days=1)
        if length:
            return start < begin + length and end > begin
        return start <= begin and end > begin


@st.composite
def timed_components(draw: st.DrawFn) -> TimedComponent:
    zone = draw(st.sampled_from(["UTC", "DATE", "", "Europe/Berlin", "America/New_York"]))
    hours = draw(st.sampled_from([None, 24, 48] if zone == "DATE" else [None, 0, 1, 30, 24 * 9]))
    rule = draw(st.sampled_from(RULES))
    kind = draw(st.sampled_from(["VEVENT", "VTODO"]))
    length = None if hours is None else timedelta(hours=hours)
    return TimedComponent(kind, draw(TIMES), zone, length, rule)


def query(kind: str, start: datetime, end: datetime) -> str:
    limits = f'start="{start:%Y%m%dT%H%M%SZ}" end="{end:%Y%m%dT%H%M%SZ}"'
    return xml(
        "C:calendar-query",
        prop(["D:getetag", "C:calendar-data"]),
        f'<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="{kind}">',
        f"<C:time-range {limits}/></C:comp-filter></C:comp-filter></C:filter>",
    )


@settings(max_examples=150)
@given(
    st.lists(timed_components(), min_size=1, max_size=8, unique_by=lambda one: one.text),
    st.lists(st.tuples(TIMES, st.integers(1, 200)), min_size=1, max_size=4),
    st.sampled_from(["VEVENT", "VTODO"]),
)
def test_time_range_queries_agree_with_the_rfc(
    apps: tuple[Client, Client],
    made: list[TimedComponent],
    ranges: list[tuple[datetime, int]],
    kind: str,
) -> None:
    """This compares with the RFC's tables: Radicale treats floating times and days differently."""
    frequent, radicale = apps
    path = make(radicale, "VCALENDAR", {}, {f"{n}.ics": one.text for n, one in enumerate(made)})
    for start, hours in ranges:
        end = start + timedelta(hours=hours)
        answer = frequent("REPORT", path, query(kind, start, end), headers={"Depth": "1"})
        assert answer.status == 207, answer
        found = parse_multistatus(answer.body)
        assert found.keys() == {
            f"{path}{number}.ics"
            for number, one in enumerate(made)
            if one.kind == kind and one.overlaps(start, end)
        }
        for href, statuses in found.items():
            number = int(href.removeprefix(path).removesuffix(".ics"))
            text = statuses[DATA["VCALENDAR"]][1][0]
            assert text == made[number].text.replace("\r\n", "\n")
    assert radicale("DELETE", path).status == 200


@pytest.mark.parametrize(("zone", "found"), [("America/New_York", True), ("Asia/Tokyo", False)])
def test_times_without_zone_are_read_in_the_zone_of_the_query(
    apps: tuple[Client, Client], zone: str, found: bool
) -> None:
    """RFC 4791 section 9.8: 20:00 in New York is 00:00 UTC; 20:00 in Tokyo is 11:00 UTC."""
    path = make(apps[1], "VCALENDAR", {}, {"a.ics": event("a", "Floating", "20260601T200000")})
    start = datetime(2026, 6, 2, tzinfo=UTC)
    definition = Timezone.from_tzid(zone).to_ical().decode()
    timezone = f"<C:timezone><![CDATA[{calendar(definition)}]]></C:timezone>"
    body = query("VEVENT", start, start + timedelta(hours=1))
    with_zone = body.replace("</C:calendar-query>", f"{timezone}</C:calendar-query>")
    assert with_zone != body
    assert (f"{path}a.ics" in parse_multistatus(apps[0]("REPORT", path, with_zone).body)) is found
    assert f"{path}a.ics" not in parse_multistatus(apps[0]("REPORT", path, body).body)


def filtered(report: str, filters: str) -> str:
    data = "C:calendar-data" if report == "C:calendar-query" else "CR:address-data"
    space = data.partition(":")[0]
    return xml(report, f"<D:prop><{data}/></D:prop><{space}:filter>{filters}</{space}:filter>")


def text_filter(space: str, name: str, text: str, more: str = "") -> str:
    match = f"<{space}:text-match{more}>{text}</{space}:text-match>"
    return f'<{space}:prop-filter name="{name}">{match}</{space}:prop-filter>'


@settings(max_examples=20)
@given(collections(), st.sampled_from(["wor", "&amp;", "ü", "✓", "e"]), st.booleans())
def test_searches_for_a_text_agree_with_radicale(
    apps: tuple[Client, Client],
    made: tuple[str, dict[str, str], Objects],
    text: str,
    negated: bool,
) -> None:
    """Every object has one SUMMARY or FN: RFC 4791 9.7.2 tests one property at a time.

    In calendars "ü" is not "Ü" (RFC 4791 7.5, i;ascii-casemap), and Radicale takes it for that.
    """
    path = make(apps[1], *made)
    assume(text.isascii() or made[0] == "VADDRESSBOOK")
    more = ' negate-condition="yes"' if negated else ""
    if made[0] == "VCALENDAR":
        inner = text_filter("C", "SUMMARY", text, more)
        inner = f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter>'
        body = filtered(
            "C:calendar-query", f'<C:comp-filter name="VCALENDAR">{inner}</C:comp-filter>'
        )
    else:
        body = filtered("CR:addressbook-query", text_filter("CR", "FN", text, more))
    ours, theirs = (client("REPORT", path, body, headers={"Depth": "1"}) for client in apps)
    assert (ours.status, theirs.status) == (207, 207)
    assert parse_multistatus(ours.body) == parse_multistatus(theirs.body)
    assert apps[1]("DELETE", path).status == 200


RANGE = 'start="20260320T000000Z" end="20260420T000000Z"'


def times_of(text: str) -> list[str]:
    """Return the instances in a calendar: DTSTART and RECURRENCE-ID of each."""
    parts = re.findall(r"BEGIN:VEVENT(.*?)END:VEVENT", text, re.DOTALL)
    return sorted(
        " ".join(sorted(re.findall(r"(?:DTSTART|RECURRENCE-ID):\S+", part))) for part in parts
    )


@settings(max_examples=20)
@given(st.lists(timed_components(), min_size=1, max_size=5, unique_by=lambda one: one.text))
def test_expansions_and_busy_times_agree_with_radicale(
    apps: tuple[Client, Client], made: list[TimedComponent]
) -> None:
    """In UTC, with a length, and a rule that makes DTSTART.

    RFC 4791 9.6.5 and 9.9 treat floating times and days otherwise than Radicale does; each instance
    has the offset of its own local time, not that of DTSTART (RFC 5545 3.3.10), which is always the
    first one (3.8.5.3).
    """
    kept = [
        one
        for one in made
        if one.kind == "VEVENT" and one.zone == "UTC" and one.length
        if one.rule and "BYDAY" not in one.rule
    ]
    content = {f"{number}.ics": one.text for number, one in enumerate(kept)}
    path = make(apps[1], "VCALENDAR", {}, content)
    expanded = query("VEVENT", datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 4, 20, tzinfo=UTC))
    data = f"<C:calendar-data><C:expand {RANGE}/></C:calendar-data>"
    expanded = expanded.replace("<C:calendar-data/>", data)
    ours, theirs = (
        {
            href: times_of(str(statuses[DATA["VCALENDAR"]][1][0]))
            for href, statuses in parse_multistatus(client("REPORT", path, expanded).body).items()
        }
        for client in apps
    )
    assert ours == theirs
    asked = xml("C:free-busy-query", f"<C:time-range {RANGE}/>")
    busy, radicales = (
        re.findall(
            r"FREEBUSY;FBTYPE=BUSY:(\S+)/(\S+)", _unfolded(client("REPORT", path, asked).body)
        )
        for client in apps
    )
    assert busy == radicales
    assert apps[1]("DELETE", path).status == 200


def _unfolded(body: bytes) -> str:
    return body.decode().replace("\r\n ", "")
