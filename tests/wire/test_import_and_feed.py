"""Import and PUT of 198 real calendars, good and broken, and the feed of them."""

from __future__ import annotations

import contextlib
import re
import subprocess
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import icalendar
import pytest
from caldav.davclient import DAVClient
from caldav.lib.error import AuthorizationError

from support import paths
from support.readings import Entry, Reading, Unreadable, read_with_ical_js, read_with_icalendar
from support.server import BIN, KalendsServer
from support.sources import SourceObject, calendar_objects, objects_without_uid, unfolded

DATA = paths.DATA / "ics"
FILES = sorted(DATA.glob("*.ics"))
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
components = ["VEVENT", "VTODO", "VJOURNAL"]
"""
REFUSED = re.compile(r"^(?P<path>.+\.ics):(?P<line>\d+): (?P<why>.+)$")
SUMMARY = re.compile(
    r"^(?P<files>\d+) files: (?P<added>\d+) added, (?P<changed>\d+) changed, "
    r"(?P<unchanged>\d+) unchanged, (?P<refused>\d+) refused$"
)


@dataclass(frozen=True)
class Refusal:
    """A line in which the import reports a refused object."""

    file: str
    line: int
    why: str


@dataclass
class Outcome:
    """A server with all files: its feed, and the source objects that it should show."""

    server: KalendsServer
    user: str
    expected: dict[str, list[str]] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    summaries: list[dict[str, int]] = field(default_factory=list)
    without_uid: list[str] = field(default_factory=list)

    def expect(self, found: SourceObject) -> None:
        """Add an accepted object; the feed shows the last one of each UID."""
        self.expected.setdefault(found.uid, []).append(with_zones(found.text))

    def nameless(self, parser: str) -> Counter[Entry]:
        """Return the entries that the feed should show of objects without a UID."""
        texts = sorted(set(self.without_uid))
        if parser == "ical.js":
            readings = read_with_ical_js(texts)
        else:
            readings = [read_with_icalendar(text) for text in texts]
        return Counter(
            without_uid(entry)
            for reading in readings
            if not isinstance(reading, Unreadable)
            for entry in reading
        )

    def feed(self) -> str:
        """Return the text of the feed."""
        answer = self.server.request("GET", f"/feeds/{self.user}.ics", user=self.user)
        assert answer.status == 200
        return answer.text


def source_text(path: Path) -> str:
    """Return a file as text, with octets replaced that are not UTF-8."""
    return path.read_bytes().decode("utf-8", "replace")


def with_zones(text: str) -> str:
    """Return the object with the IANA definition of each TZID that it uses and does not define.

    A feed has them all, and ical.js takes a time of an unknown zone as floating.
    """
    used = {a or b for a, b in re.findall(r';TZID=(?:"([^"]+)"|([^:;"\r\n]+))', text)}
    defined = set(re.findall(r"^TZID(?:;[^:]*)?:(.+?)\r?$", text, re.MULTILINE))
    zones = ""
    for name in sorted(used - defined):
        with warnings.catch_warnings():
            # icalendar guesses the zone of a TZID with a vendor's prefix, as the feed does.
            warnings.simplefilter("ignore", icalendar.error.GloballyUniqueTZIDGuessed)
            with contextlib.suppress(ValueError):
                made = icalendar.Timezone.from_tzid(name)
                text_of = made.to_ical().decode().replace(f"TZID:{made.tz_name}", f"TZID:{name}", 1)
                zones += for_ical_js(text_of)
    return text.replace("BEGIN:VCALENDAR\r\n", f"BEGIN:VCALENDAR\r\n{zones}", 1)


def without_uid(entry: Entry) -> Entry:
    """Return the entry without its UID."""
    return replace(entry, uid="")


def for_ical_js(definition: str) -> str:
    """Return a definition with each date in its own line: ical.js reads the first of a line only.

    If there are such lines, ical.js does not count DTSTART as one of the dates.
    """
    lines = []
    for line in unfolded(definition.split("\r\n")):
        name, _, value = line.partition(":")
        if name.partition(";")[0] == "DTSTART":
            start = value
        dates = [start, *value.split(",")] if name.partition(";")[0] == "RDATE" else []
        lines += [f"RDATE:{date}" for date in dates] or [line]
    return "\r\n".join(lines)


# --- by import -----------------------------------------------------------------------------------


def import_all(server: KalendsServer) -> tuple[dict[str, int], list[Refusal]]:
    """Run the import of all files; return its totals and refusals."""
    command = [str(BIN / "kalends"), "import", *map(str, FILES), "--into", "demo/all"]
    command += ["--config", str(server.config_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    refusals = []
    for line in done.stderr.splitlines():
        match = REFUSED.match(line)
        assert match, f"not a refusal: {line!r}"
        refusals.append(Refusal(Path(match["path"]).name, int(match["line"]), match["why"]))
    totals = SUMMARY.match(done.stdout.splitlines()[-1])
    assert totals, done.stdout
    assert done.returncode == (1 if refusals else 0)
    return {name: int(value) for name, value in totals.groupdict().items()}, refusals


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Import all files twice into one calendar, while the server runs."""
    folder = tmp_path_factory.mktemp("imported")
    server = KalendsServer(folder, users={"demo": "demo"}, feeds=FEEDS)
    outcome = Outcome(server, "demo")
    for _ in range(2):
        totals, outcome.refusals = import_all(server)
        outcome.summaries.append(totals)
    for path in FILES:
        refused = [refusal.line for refusal in outcome.refusals if refusal.file == path.name]
        for found in calendar_objects(source_text(path), refused):
            if not any(found.first <= line <= found.last for line in refused):
                outcome.expect(found)
        nameless = objects_without_uid(source_text(path))
        # Equal components are one object, which is refused at the line of the first.
        bad = {o.text for o in nameless if any(o.first <= line <= o.last for line in refused)}
        outcome.without_uid += [with_zones(o.text) for o in nameless if o.text not in bad]
    yield outcome
    server.close()


def test_all_files_are_present() -> None:
    assert len(FILES) == 198


def test_the_import_reports_refusals_with_file_line_and_reason(imported: Outcome) -> None:
    first = imported.summaries[0]
    assert first["files"] == len(FILES)
    assert first["refused"] == len(imported.refusals) > 0
    for refusal in imported.refusals:
        lines = len(source_text(DATA / refusal.file).splitlines())
        assert 1 <= refusal.line <= max(lines, 1)


def test_importing_twice_changes_nothing(imported: Outcome) -> None:
    again = imported.summaries[1]
    assert (again["added"], again["refused"]) == (0, imported.summaries[0]["refused"])
    before = imported.feed()
    totals, _ = import_all(imported.server)
    assert totals == again
    assert imported.feed() == before


# --- by PUT --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def put(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Send each object of all files with the caldav library, with one address for each UID."""
    folder = tmp_path_factory.mktemp("put")
    server = KalendsServer(folder, users={"demo": "demo"}, feeds=FEEDS)
    outcome = Outcome(server, "demo")
    with DAVClient(url=server.url, username="demo", password="demo") as client:
        library: Any = client
        calendar = library.principal().make_calendar(cal_id="all")
        uids: list[str] = []
        for path in FILES:
            for found in calendar_objects(source_text(path)):
                if found.uid not in uids:
                    uids.append(found.uid)
                address = f"{calendar.url}{uids.index(found.uid)}.ics"
                status = library_put(client, address, found.text)
                if status in (201, 204):
                    outcome.expect(found)
                else:
                    assert 400 <= status < 500, path.name
                    outcome.refusals.append(Refusal(path.name, found.first, str(status)))
    yield outcome
    server.close()


def library_put(client: Any, address: str, body: str) -> int:
    """Send a PUT with the caldav library; return the status."""
    try:
        answer = client.put(address, body, {"Content-Type": "text/calendar; charset=utf-8"})
    except AuthorizationError:  # the library raises it for a 403
        return 403
    status: int = answer.status
    return status


def test_each_file_is_stored_unchanged_or_refused_with_a_reason(
    server: KalendsServer,
) -> None:
    made = server.request("MKCALENDAR", "/alice/raw/", user="alice")
    assert made.status == 201
    taken = 0
    for number, path in enumerate(FILES):
        address = f"/alice/raw/{number}.ics"
        sent = path.read_bytes()
        answer = server.request("PUT", address, user="alice", body=sent)
        if answer.status == 201:
            taken += 1
            back = server.request("GET", address, user="alice")
            assert back.body == sent.removeprefix(b"\xef\xbb\xbf"), path.name
            assert back.headers["ETag"] == answer.headers["ETag"]
            assert server.request("DELETE", address, user="alice").status in (200, 204)
        else:
            assert answer.status in (403, 409, 415), (path.name, answer.status, answer.body)
            assert b":error" in answer.body or b"<error" in answer.body, path.name
    assert taken > 30
    assert "Traceback" not in server.log


# --- the results ---------------------------------------------------------------------------------


@pytest.fixture(params=["imported", "put"])
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """Return the outcome of the import, or that of the PUTs."""
    found: Outcome = request.getfixturevalue(request.param)
    return found


def by_uid(reading: Reading) -> dict[str, Reading]:
    """Return the entries of each UID."""
    uids = {entry.uid for entry in reading}
    return {uid: frozenset(entry for entry in reading if entry.uid == uid) for uid in uids}


def test_the_log_has_no_errors(outcome: Outcome) -> None:
    log = outcome.server.log
    assert "Traceback" not in log
    assert not re.search(r'HTTP/1\.1"? 5\d\d', log)


def test_the_store_has_all_accepted_objects(outcome: Outcome) -> None:
    whole = outcome.server.request("GET", "/demo/all/", user="demo")
    assert whole.status == 200
    held = {found.uid for found in calendar_objects(whole.text)}
    assert held >= set(outcome.expected)
    assert len(outcome.expected) > 50


def test_objects_that_both_parsers_read_are_accepted(imported: Outcome) -> None:
    """Only texts that are not calendar objects, or cannot be expanded, may be refused."""
    refused: list[str] = []
    sources = [
        (path.name, found) for path in FILES for found in calendar_objects(source_text(path))
    ]
    by_js = read_with_ical_js([found.text for _, found in sources])
    for (name, found), js in zip(sources, by_js, strict=True):
        py = read_with_icalendar(found.text)
        if isinstance(js, Unreadable) or isinstance(py, Unreadable):
            continue
        if any(not entry.starts for entry in js | py) or found.uid in imported.expected:
            continue
        refused.append(f"{name}:{found.first} {found.uid}")
    # A duration that overflows. Of two events with one UID, the first is kept.
    assert [line.partition(":")[0] for line in refused] == ["invalid_duration.ics"]


@pytest.mark.parametrize("parser", ["icalendar", "ical.js"])
def test_the_feed_shows_each_object_as_its_source_does(outcome: Outcome, parser: str) -> None:
    feed = outcome.feed()
    sources = [texts[-1] for texts in outcome.expected.values()]
    if parser == "ical.js":
        shown, *expected = read_with_ical_js([feed, *sources])
    else:
        shown = read_with_icalendar(feed)
        expected = [read_with_icalendar(text) for text in sources]
    assert not isinstance(shown, Unreadable), shown
    found = by_uid(shown)
    assert set(outcome.expected) <= set(found)
    # Objects without a UID get one from their content; the feed shows nothing else.
    derived = set(found) - set(outcome.expected)
    assert {uid for uid in derived if not re.fullmatch("[0-9a-f]{40}", uid)} == set()
    shown_of_these = Counter(without_uid(entry) for uid in derived for entry in found[uid])
    assert shown_of_these == outcome.nameless(parser)
    different = {
        uid: (sorted(map(str, reading - found[uid])), sorted(map(str, found[uid] - reading)))
        for uid, reading in zip(outcome.expected, expected, strict=True)
        if not isinstance(reading, Unreadable) and reading != found[uid]
    }
    assert different == {}


def test_every_tzid_of_the_feed_is_defined_once(outcome: Outcome) -> None:
    feed = re.sub(r"\r\n[ \t]", "", outcome.feed())
    defined = re.findall(r"^TZID:(.+?)\r$", feed, re.MULTILINE)
    assert len(defined) == len(set(defined))
    used = {a or b for a, b in re.findall(r';TZID=(?:"([^"]+)"|([^:;"\r\n]+))', feed)}
    assert set(defined) <= used
    assert "\n" not in feed.replace("\r\n", "")
