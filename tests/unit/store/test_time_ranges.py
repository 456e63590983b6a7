"""Time ranges from the index: runs of equal steps, its arithmetic, and older databases."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kalends.ical.recurrence.duration import FOREVER
from kalends.ical.recurrence.index import Interval, runs_of
from kalends.ical.recurrence.occurrences import Occurrence
from kalends.ical.validate import CalendarObject
from kalends.store import collections
from kalends.store.engine import Database, open_database
from kalends.store.migrate import migrate
from kalends.store.objects import read, relocate, time_range, write
from kalends.store.objects.time_range import TimeRange
from support.installation import Client, Installation
from support.samples import calendar, component, event

HOUR, DAY = 3600, 86400


def times_of(interval: Interval) -> list[tuple[int, int]]:
    """Return the start and end of each repetition of an interval."""
    return [
        (interval.start + number * interval.step, interval.end + number * interval.step)
        for number in range(interval.repeats + 1)
    ]


STARTS = st.one_of(
    st.lists(st.integers(-400, 400).map(lambda hours: hours * HOUR), max_size=30),
    st.tuples(st.integers(-9, 9), st.sampled_from([1, 7]), st.integers(1, 40)).map(
        lambda of: [(of[0] + number * of[1]) * DAY for number in range(of[2])]
    ),
    st.integers(1, 20).map(
        lambda weeks: [w * 7 * DAY + d * DAY for w in range(weeks) for d in (0, 1, 4)]
    ),
)


@given(STARTS, STARTS, st.sampled_from([0, HOUR, DAY]))
def test_runs_are_the_occurrences(one: list[int], other: list[int], length: int) -> None:
    found = sorted({Occurrence(start, start + length, floating=False) for start in one})
    found += sorted({Occurrence(start, start + HOUR, floating=True) for start in other})
    runs = runs_of(found)
    assert sorted((time, run.floating) for run in runs for time in times_of(run)) == sorted(
        ((start, end), floating) for start, end, floating in found
    )
    assert len(runs) <= max(1, len(found))


def test_a_weekly_event_on_three_days_is_three_rows() -> None:
    starts = [week * 7 * DAY + day * DAY for week in range(50) for day in (0, 2, 4)]
    assert len(runs_of([Occurrence(start, start + HOUR, False) for start in starts])) == 3


INTERVALS = st.builds(
    lambda start, length, floating, sure, step, again: Interval(
        start, start + length, floating, sure, step if again else 0, again if step else 0
    ),
    st.integers(-5000, 5000),
    st.one_of(
        st.integers(0, 50),
        st.sampled_from([8 * DAY, 100 * DAY, 1000 * DAY]),
    ),
    st.booleans(),
    st.just(True),
    st.sampled_from([0, 10, 70, 100, DAY, 30 * DAY]),
    st.integers(0, 20),
)
UNCERTAIN = st.builds(
    lambda start, length: Interval(start, start + length, floating=False, certain=False),
    st.sampled_from([-FOREVER, 0, 500]),
    st.sampled_from([1, 700, FOREVER]),
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[tuple[Interval, ...]], TimeRange]:
    """Draw objects, and a range whose bounds are often exactly theirs."""
    some = st.lists(st.one_of(INTERVALS, UNCERTAIN), max_size=4).map(lambda of: tuple(set(of)))
    content = draw(st.lists(some, max_size=6))
    edges = {
        edge for of in content for interval in of for time in times_of(interval) for edge in time
    }
    bound = st.one_of(st.none(), st.integers(-6000, 6000), st.sampled_from(sorted(edges) or [0]))
    return content, TimeRange.open_ended(*(draw(bound) for _ in range(4)))


def stored(uid: str, intervals: tuple[Interval, ...]) -> CalendarObject:
    """Return an object with these intervals."""
    return CalendarObject(
        uid.encode(), "VCALENDAR", uid, "VEVENT", None, None, recurring=False, intervals=intervals
    )


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path_factory.mktemp('store')}/kalends.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").store()
    opened = open_database(url)
    migrate(opened)
    yield opened
    opened.close()


RUN = Interval(0, 10, floating=False, certain=True, step=100, repeats=3)


@settings(max_examples=300)
@given(questions(), st.booleans())
@example(([(RUN,)], TimeRange.open_ended(10, 100, None, None)), True)
@example(([(RUN,)], TimeRange.open_ended(10, 101, None, None)), True)
@example(([(RUN,)], TimeRange.open_ended(9, 10, None, None)), True)
@example(([(RUN,)], TimeRange.open_ended(110, 200, None, None)), True)
@example(([(RUN,)], TimeRange.open_ended(309, 400, None, None)), True)
@example(([(RUN,)], TimeRange.open_ended(310, 400, None, None)), True)
def test_the_index_finds_the_objects_that_meet_a_range(
    database: Database, question: tuple[list[tuple[Interval, ...]], TimeRange], data: bool
) -> None:
    content, within = question

    def meets(interval: Interval) -> bool:
        lower, upper = within[2:] if interval.floating else within[:2]
        return any(begin < upper and finish > lower for begin, finish in times_of(interval))

    expected = {}
    with database.write() as connection:
        row = collections.find_collection(connection, "a/b") or collections.create_collection(
            connection, "a/b", {"tag": "VCALENDAR"}
        )
        for number, intervals in enumerate(content):
            write.put_object(connection, row.id, f"{number}.ics", stored(str(number), intervals))
            met = [interval.certain for interval in intervals if meets(interval)]
            if met:
                expected[f"{number}.ics"] = any(met)
        found = list(time_range.objects_in_range(connection, row.id, "VEVENT", within, data=data))
        assert {listed.href: sure for listed, sure in found} == expected
        assert len(found) == len(expected)
        for listed, sure in found:
            assert listed.data == (listed.href[:-4].encode() if data or not sure else b"")
        assert not list(time_range.objects_in_range(connection, row.id, "VTODO", within, data=data))
        for number in range(len(content)):
            write.remove_object(connection, row.id, f"{number}.ics")
        assert connection.exec_driver_sql("SELECT count(*) FROM occurrence").scalar() == 0


def test_a_moved_object_keeps_its_intervals(database: Database) -> None:
    interval = Interval(100, 200, floating=True, certain=True, step=1000, repeats=3)
    with database.write() as connection:
        one = collections.create_collection(connection, "m/one", {"tag": "VCALENDAR"})
        other = collections.create_collection(connection, "m/other", {"tag": "VCALENDAR"})
        write.put_object(connection, one.id, "a.ics", stored("a", (interval,)))
        relocate.move_object(connection, one.id, "a.ics", other.id, "b.ics")
        moved = read.get_object(connection, other.id, "b.ics")
        assert moved is not None
        assert time_range.read_intervals(connection, moved.id) == [interval]


def query_range(client: Client, start: str, end: str) -> str:
    answer = client(
        "REPORT",
        "/alice/calendar/",
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
        "<prop><getetag/></prop>"
        '<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        f'<C:time-range start="{start}" end="{end}"/></C:comp-filter></C:comp-filter></C:filter>'
        "</C:calendar-query>",
    )
    assert answer.status == 207
    return answer.body.decode()


OF_VERSION_2 = {
    "alembic_version",
    "collection",
    "feed_secret",
    "object",
    "outsider",
    "publication",
    "tombstone",
}
DAILY = calendar(
    component("VEVENT", "daily", "DTSTART:20100101T090000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY")
)


def test_an_upgrade_indexes_the_existing_objects(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        for name, text in {"once": event("once"), "daily": DAILY}.items():
            assert client("PUT", f"/alice/calendar/{name}.ics", text).status == 201
    store = sqlite3.connect(tmp_path / "kalends.db")
    # Drop the tables, the index and the column of later versions.
    store.execute("DROP INDEX object_props")
    store.execute("ALTER TABLE object DROP COLUMN props")
    for (name,) in store.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        if name not in OF_VERSION_2 and not name.startswith("sqlite_"):
            store.execute(f"DROP TABLE {name}")
    store.execute("UPDATE alembic_version SET version_num = '0002'")
    store.commit()
    store.close()
    with installation.client() as client:
        june = query_range(client, "20260601T000000Z", "20260701T000000Z")
        assert "once.ics" in june
        assert "daily.ics" in june


@pytest.mark.parametrize("year", [2009, 2010, 2013, 2026, 2049, 2099])
def test_an_unbounded_daily_event_is_found_at_any_time(tmp_path: Path, year: int) -> None:
    """The index ends at some time; after it, the text of the object is read."""
    with Installation(tmp_path).client() as client:
        client("PROPFIND", "/alice/")
        assert client("PUT", "/alice/calendar/daily.ics", DAILY).status == 201
        morning = query_range(client, f"{year}0301T093000Z", f"{year}0301T094500Z")
        evening = query_range(client, f"{year}0301T193000Z", f"{year}0301T194500Z")
    assert ("daily.ics" in morning) is (year >= 2010)
    assert "daily.ics" not in evening
