"""`kalends serve` on PostgreSQL: failures of its server as clients see them."""

from __future__ import annotations

import contextlib
import random
import subprocess
import time
from pathlib import Path

import pytest

from kalends.cli.main import main
from kalends.store import collections, engine
from kalends.store.engine import open_database
from support.installation import Installation
from support.installation import event as installed_event
from support.postgres import PASSWORD, PostgresServer
from support.samples import event
from support.server import BIN, Answer, KalendsServer, basic

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""
MULTIGET_OF_NOTHING = (
    '<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop>'
    "<D:getetag/></D:prop><D:href>/alice/calendar/a%00.ics</D:href></C:calendar-multiget>"
)
USERS = {"alice": "wonderland"}


def serve(folder: Path, url: str, *, start: bool = True, workers: int = 2) -> KalendsServer:
    """Return a server on the database at a URL."""
    options = {"storage": {"database": url}}
    return KalendsServer(
        folder, users=USERS, feeds=FEEDS, workers=workers, options=options, start=start
    )


# Without the database, the last good version of a feed is still served.
WITHOUT_DATABASE = [503, 503, 503, 503, 200, 503]


def ask_all(server: KalendsServer, number: int) -> list[Answer]:
    """Send a request of each kind: a write, a read, those of a first visit, and feeds."""
    path = f"/alice/calendar/{number}.ics"
    text = event(f"event{number}", "Lunch", "20260601T090000Z")
    return [
        server.request("PUT", path, user="alice", body=text),
        server.request("GET", "/alice/calendar/1.ics", user="alice"),
        server.request("PROPFIND", "/alice/", user="alice", headers={"Depth": "1"}),
        server.request("PROPFIND", "/", user="alice", headers={"Depth": "1"}),
        server.request("GET", "/feeds/alice.ics", user="alice"),
        server.request("GET", "/feeds/s/no-such-secret/alice.ics"),
    ]


def test_requests_fail_while_the_server_is_down_and_work_again_afterwards(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    server = serve(tmp_path / "server", own_postgres.store())
    try:
        usual = [201, 200, 207, 207, 200, 404]
        assert [answer.status for answer in ask_all(server, 1)] == usual
        own_postgres.stop()
        for _ in range(2):
            answers = ask_all(server, 2)
            assert [answer.status for answer in answers] == WITHOUT_DATABASE
            busy = [answer for answer in answers if answer.status == 503]
            assert [answer.headers["Retry-After"] for answer in busy] == ["5"] * 5
        own_postgres.process.start()
        for number in (3, 4, 5):
            assert [answer.status for answer in ask_all(server, number)] == usual
        assert "Traceback" not in server.log
        assert PASSWORD not in server.log
    finally:
        server.close()


def test_a_restart_between_requests_goes_unnoticed(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    server = serve(tmp_path / "server", own_postgres.store())
    try:
        ask_all(server, 1)
        own_postgres.stop()
        own_postgres.process.start()
        assert [answer.status for answer in ask_all(server, 2)] == [201, 200, 207, 207, 200, 404]
    finally:
        server.close()


def test_too_many_connections_are_answered_as_a_busy_server(
    own_postgres: PostgresServer, tmp_path: Path
) -> None:
    url = own_postgres.store()
    server = serve(tmp_path / "server", url, workers=1)
    name = url.rpartition("/")[2]
    try:
        ask_all(server, 1)
        own_postgres.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        own_postgres.execute(ended)
        answers = ask_all(server, 2)
        assert [answer.status for answer in answers] == WITHOUT_DATABASE
        assert "too many connections" in server.log
        own_postgres.execute(f"ALTER DATABASE {name} CONNECTION LIMIT -1")
        assert [answer.status for answer in ask_all(server, 3)] == [201, 200, 207, 207, 200, 404]
        assert "Traceback" not in server.log
    finally:
        server.close()


def test_a_full_disk_refuses_writes_and_allows_reads(
    postgres: PostgresServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A trigger raises the error of a full disk (SQLSTATE 53100)."""
    url = postgres.store()
    name = url.rpartition("/")[2]
    with Installation(tmp_path, options={"storage__database": url}).client() as client:
        assert client("PUT", "/alice/calendar/1.ics", installed_event("1")).status == 201
        postgres.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '53100'; END $$",
            name,
        )
        trigger = "CREATE TRIGGER full_disk BEFORE INSERT ON object EXECUTE FUNCTION full_disk()"
        postgres.execute(trigger, name)
        assert client("PUT", "/alice/calendar/2.ics", installed_event("2")).status == 507
        assert client("GET", "/alice/calendar/1.ics").status == 200
        assert b"UID:2" not in client("GET", "/feeds/alice.ics").body
        postgres.execute("DROP TRIGGER full_disk ON object", name)
        assert client("PUT", "/alice/calendar/2.ics", installed_event("2")).status == 201
    assert "Traceback" not in caplog.text


def test_a_database_error_is_one_line_without_the_password(
    postgres: PostgresServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = postgres.database()
    name = good.rpartition("/")[2]
    postgres.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' OWNER kalends")
    wrong = {
        good.replace(PASSWORD, PASSWORD + "!"): "password authentication failed",
        good.replace(name, "nowhere"): 'database "nowhere" does not exist',
        good.replace(f":{postgres.port}/", ":1/"): "refused",
        good.replace(name, "latin"): "its encoding is LATIN1; create it with UTF8",
        good.replace("+psycopg", "+nothing"): "has an unknown driver",
        good.replace("+psycopg", "+psycopg2"): "has an unsupported driver",
        good.replace("postgresql+psycopg", "mysql"): "is not supported",
        good.replace("//", "/"): "is not a database URL",
        f"postgresql+psycopg://kalends@127.0.0.1:1/x?password={PASSWORD}": "refused",
    }
    for number, (url, message) in enumerate(wrong.items()):
        server = serve(tmp_path / f"{number}", url, start=False)
        server.reserved.release()
        with pytest.raises(SystemExit) as ended:
            main(["check", "--config", str(server.config_file)])
        printed = capsys.readouterr()
        assert (ended.value.code, printed.out) == (1, "")
        (line,) = printed.err.splitlines()
        assert message in line
        assert PASSWORD not in line


def test_of_several_servers_the_writable_one_is_used(postgres: PostgresServer) -> None:
    address, _, name = postgres.store().rpartition("/")
    login = address.rpartition("@")[0]
    hosts = f"host=127.0.0.1:1&host=127.0.0.1:{postgres.port}&target_session_attrs=read-write"
    opened = open_database(f"{login}@/{name}?{hosts}")
    try:
        with opened.write("alice") as connection:
            assert collections.create_collection(connection, "alice", {}).path == "alice"
    finally:
        opened.close()
    assert str(postgres.port) in opened.name
    assert PASSWORD not in opened.name


def test_check_reports_problems_of_the_server(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_postgres.execute("ALTER SYSTEM SET fsync = off")
    own_postgres.stop()
    own_postgres.process.start()
    moment = time.time() - 60
    monkeypatch.setattr("kalends.store.postgres.time.time", lambda: moment)
    opened = open_database(own_postgres.store())
    try:
        with opened.read() as connection:
            lines = list(engine.check_database(connection))
    finally:
        opened.close()
    assert [line.split(":")[1].split(" is ")[0] for line in lines] == [
        " fsync",
        " this host's clock",
    ]
    assert "behind the server's" in lines[1]


def test_names_that_the_database_cannot_store_are_refused(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    dice = random.Random(1)
    long = "".join(dice.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(5000))
    options = {"storage__database": postgres.store()}
    with Installation(tmp_path, options=options).client() as client:
        assert client("PUT", "/alice/calendar/1.ics", installed_event("1")).status == 201
        for method, path, body in (
            ("PUT", f"/alice/calendar/{long}.ics", installed_event("2")),
            ("PUT", "/alice/calendar/2.ics", installed_event(long)),
            ("MKCALENDAR", f"/alice/{long}/", b""),
            ("REPORT", "/alice/calendar/", MULTIGET_OF_NOTHING),
        ):
            answer = client(method, path, body)
            assert answer.status == 403, (method, path[:30])
            assert b"the database cannot hold it" in answer.body
        assert client("PUT", "/alice/calendar/2.ics", installed_event("2")).status == 201


def test_check_passes_and_no_process_shows_the_password(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    server = serve(tmp_path / "server", postgres.store())
    try:
        ask_all(server, 1)
        command = [str(BIN / "kalends"), "check", "--config", str(server.config_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        listed = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
        shown = [line for line in listed.splitlines() if str(server.config_file) in line]
        assert shown
        assert PASSWORD not in "".join(shown)
    finally:
        server.close()


def test_a_connection_lost_within_a_write_stores_nothing(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """The server closes it while the write waits for a table that another write has locked."""
    url = postgres.store()
    server = serve(tmp_path / "server", url, workers=1)
    try:
        assert ask_all(server, 1)[0].status == 201
        connection = server.connection()
        other = open_database(url)
        with contextlib.closing(connection), other.write("bob") as locking:
            locking.exec_driver_sql("LOCK TABLE object IN EXCLUSIVE MODE")
            text = event("event2", "Lunch", "20260601T090000Z")
            headers = {"Authorization": basic("alice", USERS["alice"])}
            connection.request("PUT", "/alice/calendar/2.ics", body=text, headers=headers)
            waiting = "wait_event = 'relation' AND datname = current_database()"
            ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {waiting}"
            while not postgres.execute(ended, url.rpartition("/")[2]):
                pass  # the write does not wait yet
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            answer.read()
        other.close()
        assert server.request("GET", "/alice/calendar/2.ics", user="alice").status == 404
        assert ask_all(server, 2)[0].status == 201
        assert "Traceback" not in server.log
    finally:
        server.close()
