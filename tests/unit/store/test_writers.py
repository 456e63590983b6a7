"""Concurrent writers: waits between writes, and freedom from deadlocks."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from kalends.ical.validate import read_calendar_object
from kalends.store import collections
from kalends.store.engine import Database, open_database
from kalends.store.feed_queries import CalendarCache, FeedSnapshot
from kalends.store.migrate import migrate
from kalends.store.objects import read, relocate, write
from kalends.store.sqlite import SqliteDatabase
from support.awaiting import await_that
from support.installation import Installation, event
from support.postgres import PostgresServer

CALENDAR = {"tag": "VCALENDAR"}
PLENTY = 30.0
"""The seconds within which a write that does not wait is done."""

WAITING = """
    SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
    WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted
"""
"""The number of writers that wait, in PostgreSQL."""


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """Yield an empty store on each database."""
    opened = open_database(store_url)
    migrate(opened)
    yield opened
    opened.close()


@pytest.fixture
def several(postgres: PostgresServer) -> Iterator[Database]:
    """Yield an empty store on PostgreSQL."""
    opened = open_database(postgres.store())
    yield opened
    opened.close()


@contextmanager
def another(database: Database, *paths: str) -> Iterator[threading.Event]:
    """Start a write in another thread that ends immediately; yield an event for its begin."""
    begun = threading.Event()

    def write() -> None:
        with database.write(*paths):
            begun.set()

    thread = threading.Thread(target=write)
    thread.start()
    yield begun
    thread.join(PLENTY)
    assert not thread.is_alive()


def await_a_waiting_writer(database: Database) -> None:
    """Return when a writer waits for another one to end."""

    def is_there() -> bool:
        if isinstance(database, SqliteDatabase):
            return database.write_queue.waiting > 0
        with database.read() as connection:
            return bool(connection.exec_driver_sql(WAITING).scalar())

    await_that(is_there, lambda: "no writer waits")


def assert_waits(database: Database, first: list[str], second: list[str]) -> None:
    """Assert that the second write begins when the first has ended, and not before."""
    with ExitStack() as one:
        one.enter_context(database.write(*first))
        with another(database, *second) as begun:
            await_a_waiting_writer(database)
            assert not begun.is_set()
            one.close()
            assert begun.wait(PLENTY)


def test_a_writer_waits_for_an_earlier_one_in_the_same_home(database: Database) -> None:
    assert_waits(database, ["alice/work"], ["/alice/"])


def test_writers_to_different_homes_do_not_wait_for_each_other(several: Database) -> None:
    with (
        several.write("alice/work"),
        several.write("bob/work"),
        several.write("GROUPS/a/b"),
        another(several, "carol") as begun,
    ):
        assert begun.wait(PLENTY)
    assert_waits(several, ["GROUPS/a/b"], ["GROUPS/A/c", "dave"])  # case-insensitive


def test_a_write_to_everything_runs_alone(several: Database) -> None:
    assert_waits(several, [], ["alice"])
    assert_waits(several, ["alice"], [])


def in_threads(*tasks: Callable[[], None]) -> None:
    """Run tasks at the same time, and raise the first failure."""
    together = threading.Barrier(len(tasks))

    def run(task: Callable[[], None]) -> None:
        together.wait(PLENTY)
        task()

    with ThreadPoolExecutor(len(tasks)) as pool:
        for done in [pool.submit(run, task) for task in tasks]:
            done.result(2 * PLENTY)


def test_homes_created_at_the_same_moment_all_exist(database: Database) -> None:
    def make(home: str) -> None:
        with database.write(f"{home}/calendar") as connection:
            collections.ensure_home(connection, home, {"calendar": CALENDAR})

    homes = [f"person{number}" for number in range(4)] + [f"GROUPS/g{n}" for n in range(3)]
    in_threads(*(lambda home=home: make(home) for home in homes))
    with database.read() as connection:
        paths = [row.path for row in collections.list_collections(connection)]
    assert paths == sorted(["", "GROUPS", *homes, *(f"{home}/calendar" for home in homes)])


def test_moves_in_both_directions_never_deadlock(database: Database) -> None:
    """Each thread moves its own object between homes, each in a different order."""
    names = ("alice/a", "bob/b", "GROUPS/family/c")
    with database.write() as connection:
        places = {
            name: collections.create_collection(connection, name, CALENDAR).id for name in names
        }
        for number in range(4):
            content = read_calendar_object(event(f"{number}"))
            write.put_object(connection, places["alice/a"], f"{number}.ics", content)

    def wander(number: int) -> None:
        order = itertools.cycle(list(itertools.permutations(names))[number])
        here = "alice/a"
        for there in itertools.islice(order, 60):
            if there == here:
                continue
            with database.write(here, there) as connection:
                name = f"{number}.ics"
                relocate.move_object(connection, places[here], name, places[there], name)
            here = there

    in_threads(*(lambda number=number: wander(number) for number in range(4)))
    with database.read() as connection:
        assert sum(read.count_members(connection, place) for place in places.values()) == 4


def test_requests_lock_the_homes_that_they_write_to(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """A MOVE locks the homes of its source and target, every other write its own home."""
    (tmp_path / "groups").write_text("family: alice\n")
    url = postgres.store()
    options = {"storage__database": url, "auth__htgroup_filename": str(tmp_path / "groups")}
    to_group = {"Destination": "http://127.0.0.1/GROUPS/family/calendar/1.ics"}
    to_home = {"Destination": "http://127.0.0.1/alice/calendar/1.ics"}
    requests: list[tuple[str, str, bytes, dict[str, str], list[str]]] = [
        ("PUT", "/alice/calendar/1.ics", event("1"), {}, ["alice"]),
        ("MOVE", "/alice/calendar/1.ics", b"", to_group, ["alice", "GROUPS/family"]),
        ("MOVE", "/GROUPS/family/calendar/1.ics", b"", to_home, ["alice", "GROUPS/family"]),
        ("MKCALENDAR", "/alice/more/", b"", {}, ["alice"]),
        ("PROPPATCH", "/alice/more/", RENAME, {}, ["alice"]),
        ("DELETE", "/alice/calendar/1.ics", b"", {}, ["alice"]),
        ("DELETE", "/alice/more/", b"", {}, ["alice"]),
    ]
    other = open_database(url)
    with Installation(tmp_path, options=options).client() as client:
        assert client("PROPFIND", "/alice/").status == 207
        for method, path, body, headers, homes in requests:
            for home in homes:
                done: list[int] = []

                def ask(
                    method: str = method,
                    path: str = path,
                    body: bytes = body,
                    headers: dict[str, str] = headers,
                    done: list[int] = done,
                ) -> None:
                    done.append(client(method, path, body, headers=headers).status)

                thread = threading.Thread(target=ask)
                with ExitStack() as one:
                    one.enter_context(other.write(home))
                    thread.start()
                    await_a_waiting_writer(other)
                    assert not done, (method, home)
                    one.close()
                    thread.join(PLENTY)
                assert done[0] < 300, (method, done)
                if home != homes[-1]:  # move it back for the next request
                    back = {"Destination": f"http://127.0.0.1{path}"}
                    there = headers["Destination"].removeprefix("http://127.0.0.1")
                    assert client("MOVE", there, headers=back).status < 300
        with other.write("bob"), other.write("GROUPS/other"):  # the request waits for neither
            assert client("PUT", "/alice/calendar/2.ics", event("2")).status == 201
    other.close()


RENAME = (
    b'<propertyupdate xmlns="DAV:"><set><prop><displayname>More</displayname></prop></set>'
    b"</propertyupdate>"
)


def test_hosts_that_start_at_the_same_moment_create_the_tables_once(
    postgres: PostgresServer,
) -> None:
    url = postgres.database()

    def start() -> None:
        opened = open_database(url)
        try:
            migrate(opened)
            with opened.read() as connection:
                assert collections.list_collections(connection) == []
        finally:
            opened.close()

    in_threads(*[start] * 4)


def test_listings_are_in_code_point_order_with_any_collation_of_the_database(
    postgres: PostgresServer,
) -> None:
    german = "LOCALE_PROVIDER icu ICU_LOCALE 'de-DE'"
    postgres.execute(f"CREATE DATABASE german TEMPLATE template0 {german} OWNER kalends")
    opened = open_database(postgres.database().rpartition("/")[0] + "/german")
    try:
        migrate(opened)
        names = ["b", "B", "ä", "Z", "a", "\U0001f973", "~"]
        with opened.write() as connection:
            for name in names:
                where = collections.create_collection(connection, name, CALENDAR).id
            for name in names:
                content = read_calendar_object(event(name))
                write.put_object(connection, where, f"{name}.ics", content)
        with opened.read() as connection:
            assert connection.exec_driver_sql("SELECT 'a' < 'B'").scalar() is True
            assert [row.path for row in collections.list_collections(connection)] == [
                "",
                *sorted(names),
            ]
            found = [row.href for row in read.all_objects_by_href(connection, where)]
            assert found == sorted(f"{name}.ics" for name in names)
            in_feeds = [
                each.uid for each in FeedSnapshot(connection, CalendarCache()).objects(where)
            ]
            assert in_feeds == sorted(names)
    finally:
        opened.close()
