"""Reports whose objects, filters or ranges would take a library forever: bounded, and no walk."""

from __future__ import annotations

from collections.abc import Iterator

import dateutil.rrule
import pytest
import radicale.item
import vobject

from kalends.common import budget
from support.installation import NAMES, Answer, Client, Installation
from support.randomcalendars import BERLIN
from support.samples import calendar, card, component

CALENDAR, BOOK = "/alice/calendar/", "/alice/contacts/"
SPACES = " ".join(f'xmlns:{short}="{NAMES[short]}"' for short in ("D", "C", "CR"))
FROM_YEAR_1 = calendar(
    component("VEVENT", "old", "DTSTART:00010101T000000Z", "DURATION:PT1H", "RRULE:FREQ=HOURLY")
)
COUNTED = calendar(
    component(
        *("VEVENT", "counted", "DTSTART:00010101T000000Z", "DURATION:PT1H"),
        "RRULE:FREQ=DAILY;COUNT=20000",
    )
)
ALARM = (
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nREPEAT:9999\r\nDURATION:PT1S\r\nEND:VALARM"
)
RINGING = FROM_YEAR_1.replace("UID:old", f"UID:ringing\r\n{ALARM}")
ZONED = calendar(
    component(
        *("VEVENT", "zoned", "DTSTART;TZID=Europe/Berlin:20200601T090000", "DURATION:PT1H"),
        "RRULE:FREQ=WEEKLY;BYDAY=MO,TU",
    ),
    extra=BERLIN,
)
HOUR = 'start="20260601T000000Z" end="20260601T010000Z"'
AGES = 'start="00010101T000000Z" end="99991231T000000Z"'
LIMITS = f"{{{NAMES['C']}}}max-instances", "{DAV:}number-of-matches-within-limits"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Open an application whose objects are as old as can be."""
    with Installation(tmp_path_factory.mktemp("walks")).client() as client:
        for number, text in enumerate((FROM_YEAR_1, COUNTED, RINGING, ZONED)):
            assert client("PUT", f"{CALENDAR}{number}.ics", text).status == 201
        assert client("PUT", f"{BOOK}a.vcf", card("a", "Ann")).status == 201
        yield client


class ParserUsedError(Exception):
    """A library was given an object's text."""


@pytest.fixture
def _forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid that vobject parses anything, and that dateutil walks a rule."""

    def refuse(*_: object, **__: object) -> None:
        raise ParserUsedError

    for module, names in {
        vobject: ("readOne", "readComponents"),
        vobject.base: ("readOne", "readComponents", "textLineToContentLine"),
        radicale.item: ("read_components",),
        dateutil.rrule.rrule: ("_iter",),
        dateutil.rrule.rruleset: ("_iter",),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, refuse)


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


def query(inner: str, data: str = "") -> str:
    prop = f"<D:prop><D:getetag/><C:calendar-data>{data}</C:calendar-data></D:prop>"
    comp = f'<C:comp-filter name="VEVENT">{inner}</C:comp-filter>'
    found = f'<C:filter><C:comp-filter name="VCALENDAR">{comp}</C:comp-filter></C:filter>'
    return report("C:calendar-query", prop, found)


def free_busy(within: str) -> str:
    return report("C:free-busy-query", f"<C:time-range {within}/>")


TEXT = '<C:prop-filter name="UID"><C:text-match>old</C:text-match></C:prop-filter>'
RINGS = f'<C:comp-filter name="VALARM"><C:time-range {HOUR}/></C:comp-filter>'
CARDS = (
    '<D:prop><CR:address-data><CR:prop name="FN"/></CR:address-data></D:prop><CR:filter>'
    '<CR:prop-filter name="FN"><CR:text-match>ann</CR:text-match></CR:prop-filter></CR:filter>'
)
REQUESTS = {
    "text": (CALENDAR, query(TEXT)),
    "range": (CALENDAR, query(f"<C:time-range {HOUR}/>")),
    "range and text": (CALENDAR, query(f"<C:time-range {HOUR}/>{TEXT}")),
    "alarm": (CALENDAR, query(RINGS)),
    "expand": (CALENDAR, query(f"<C:time-range {HOUR}/>", f"<C:expand {HOUR}/>")),
    "overrides": (CALENDAR, query("", f"<C:limit-recurrence-set {HOUR}/>")),
    "part": (CALENDAR, query("", '<C:comp name="VCALENDAR"/>')),
    "busy times": (CALENDAR, free_busy(HOUR)),
    "object": (f"{CALENDAR}0.ics", query(TEXT)),
    "other spelling": ("/alice//calendar/", query(TEXT)),
    "cards": (BOOK, report("CR:addressbook-query", CARDS)),
    "unknown report": (CALENDAR, report("D:version-tree")),
}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.usefixtures("_forbidden")
def test_no_library_reads_an_object_for_a_report(client: Client, name: str) -> None:
    path, body = REQUESTS[name]
    assert client("REPORT", path, body).status == (
        403 if name == "unknown report" else 200 if name == "busy times" else 207
    )


@pytest.mark.usefixtures("_forbidden")
def test_no_library_reads_an_object_for_another_request(client: Client) -> None:
    view = f"{CALENDAR}?view=freebusy&start=20260601T000000Z&end=20260602T000000Z"
    for path in (CALENDAR, BOOK, f"{CALENDAR}0.ics", view):
        for method in ("GET", "HEAD"):
            assert client(method, path).status == 200, path
    for path in ("/", "/alice/", CALENDAR, f"{CALENDAR}0.ics", "/alice//calendar/"):
        for depth in ("0", "1"):
            assert client("PROPFIND", path, headers={"Depth": depth}).status == 207
    whole = FROM_YEAR_1.replace("RRULE:FREQ=HOURLY", "X-A:b")
    assert client("PUT", "/alice/whole/", whole).status == 201
    (moved,) = set(client.props("/alice/whole/", "D:getetag", depth="1")) - {"/alice/whole/"}
    to = {"Destination": f"{CALENDAR}moved.ics"}
    assert client("MOVE", moved, headers=to).status == 409  # the UID is there
    name = "<D:displayname>A</D:displayname>"
    patch = report("D:propertyupdate", f"<D:set><D:prop>{name}</D:prop></D:set>")
    assert client("PROPPATCH", "/alice/whole/", patch).status == 207
    assert client("DELETE", "/alice/whole/").status == 204


def test_a_short_range_is_answered_wherever_the_series_begins(client: Client) -> None:
    answer = client("REPORT", CALENDAR, query("", f"<C:expand {HOUR}/>"))
    assert answer.status == 207
    assert answer.body.count(b"DTSTART:20260601T000000Z") == 2
    assert b"20260601T000000Z/20260601T010000Z" in client("REPORT", CALENDAR, free_busy(HOUR)).body


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("REPORT", CALENDAR, query("", f"<C:expand {AGES}/>")),
        ("REPORT", CALENDAR, query("", "<C:expand/>")),
        ("REPORT", f"{CALENDAR}0.ics", query("", f"<C:expand {AGES}/>")),
        ("REPORT", CALENDAR, free_busy(AGES)),
        ("REPORT", CALENDAR, free_busy('start="20260601T000000Z"')),
        ("REPORT", CALENDAR, free_busy("")),
        ("GET", f"{CALENDAR}?view=freebusy&start=00010101T000000Z&end=99991231T000000Z", ""),
    ],
)
def test_a_range_with_too_many_instances_is_refused(
    client: Client, method: str, path: str, body: str
) -> None:
    answer = client(method, path, body)
    assert (answer.status, answer.precondition() in LIMITS) == (403, True)


def limited(client: Client, monkeypatch: pytest.MonkeyPatch, steps: int, body: str) -> Answer:
    few = budget.Steps(steps, steps)
    monkeypatch.setattr(budget.Steps, "of_request", lambda _: budget.Budget(steps, few))
    return client("REPORT", CALENDAR, body)


@pytest.mark.parametrize("inner", [TEXT, RINGS, f"<C:time-range {HOUR}/>{TEXT}"])
def test_the_work_on_all_objects_is_bounded(
    client: Client, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    answer = limited(client, monkeypatch, 20, query(inner))
    assert (answer.status, answer.precondition()) == (403, LIMITS[1])


def test_equal_filters_cost_as_much_as_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert limited(client, monkeypatch, 500, query(TEXT * 50)).status == 207
