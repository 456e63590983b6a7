"""Answers at each log level, which affects only the log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from icalendar import Timezone

from support.server import Answer, KalendsServer

CALENDAR = "/alice/calendar/"
DECLARED = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
OBJECTS = {
    "zoned.ics": "DTSTART:20260601T120000Z",
    "floating.ics": "DTSTART:20260601T230000",
    "day.ics": "DTSTART;VALUE=DATE:20260601",
}
FEW_LINES, SOME_LINES, ALL_LINES = "warning", "info", "debug"

# Fields that differ for each request.
_NOT_COMPARED = {"date", "x-request-id"}


def calendar(content: str) -> str:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\n{content}END:VCALENDAR\r\n"


def event(start: str, uid: str) -> str:
    return calendar(
        f"BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20260101T000000Z\r\n{start}\r\n"
        f"SUMMARY:{uid}\r\nEND:VEVENT\r\n"
    )


def query_of_new_york() -> str:
    """Return a calendar-query over 02:00 to 04:00 UTC, 22:00 to midnight in New York."""
    zone = calendar(Timezone.from_tzid("America/New_York").to_ical().decode())
    return (
        f"<C:calendar-query {DECLARED}><D:prop><D:getetag/></D:prop>"
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        '<C:time-range start="20260602T020000Z" end="20260602T040000Z"/>'
        "</C:comp-filter></C:comp-filter></C:filter>"
        f"<C:timezone><![CDATA[{zone}]]></C:timezone></C:calendar-query>"
    )


def sync(prop: str) -> str:
    return (
        f"<D:sync-collection {DECLARED}><D:sync-token/><D:sync-level>1</D:sync-level>"
        f"<D:prop>{prop}</D:prop></D:sync-collection>"
    )


def compared_parts(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return (
        answer.status,
        {name: value for name, value in headers.items() if name not in _NOT_COMPARED},
        answer.body,
    )


def ask(server: KalendsServer) -> dict[str, Answer]:
    """Return the answers to requests that Radicale's own handlers answer differently."""

    def send(method: str, path: str, body: str = "", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return server.request(method, path, user="alice", body=body, headers=named)

    etag = send("GET", f"{CALENDAR}zoned.ics").headers["ETag"]
    put = send("PUT", "/alice/other/gone.ics", event("DTSTART:20260601T000000Z", "gone"))
    assert put.status == 201
    return {
        "conditional GET": send("GET", f"{CALENDAR}zoned.ics", If_None_Match=etag),
        "query": send("REPORT", CALENDAR, query_of_new_york(), Depth="1"),
        "sync without properties": send("REPORT", CALENDAR, sync("")),
        "sync with owner": send("REPORT", CALENDAR, sync("<D:owner/>")),
        "DELETE": send("DELETE", "/alice/other/gone.ics"),
    }


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Answer]]:
    """Return the answers at each level, from one store."""
    folder: Path = tmp_path_factory.mktemp("levels")
    server = KalendsServer(folder / "server", users={"alice": "wonderland"}, start=False)
    found = {}
    with closing(server):
        for level in (FEW_LINES, SOME_LINES, ALL_LINES):
            server.options["logging"] = {"level": level}
            server.write_config()
            server.start()
            if level == FEW_LINES:
                for name, start in OBJECTS.items():
                    put = server.request(
                        "PUT", CALENDAR + name, user="alice", body=event(start, name)
                    )
                    assert put.status == 201
                assert server.request("MKCALENDAR", "/alice/other/", user="alice").status == 201
            found[level] = ask(server)
            server.stop()
            is_logged = f"REPORT of '{CALENDAR}' by 'alice': 207" in server.log
            assert is_logged is (level == ALL_LINES), "only debug logs a line for each request"
    return found


@pytest.mark.parametrize("level", [SOME_LINES, ALL_LINES])
@pytest.mark.parametrize(
    "name", ["conditional GET", "query", "sync without properties", "sync with owner", "DELETE"]
)
def test_the_log_level_does_not_change_answers(
    answers: dict[str, dict[str, Answer]], level: str, name: str
) -> None:
    assert compared_parts(answers[level][name]) == compared_parts(answers[FEW_LINES][name])


@pytest.mark.parametrize("level", [FEW_LINES, SOME_LINES, ALL_LINES])
def test_answers_follow_the_rfcs(answers: dict[str, dict[str, Answer]], level: str) -> None:
    """RFC 9110 13.1.2 and 15.3.5, RFC 4791 9.8 and 9.9, RFC 6578 3.5.1."""
    found = answers[level]
    assert (found["conditional GET"].status, found["conditional GET"].body) == (304, b"")
    assert found["DELETE"].status == 204
    hrefs = {name: names_in(answer) for name, answer in found.items()}
    assert hrefs["query"] == {"floating.ics", "day.ics"}
    assert hrefs["sync without properties"] == OBJECTS.keys()
    assert hrefs["sync with owner"] == OBJECTS.keys()


def names_in(answer: Answer) -> set[str]:
    return {name for name in OBJECTS if f"{CALENDAR}{name}</" in answer.text}
