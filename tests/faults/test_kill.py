"""Kills at random moments while clients write: acknowledged writes are complete."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import icalendar
import pytest

from support.awaiting import await_that
from support.server import BIN, KalendsServer
from support.storm import Client, Gate

CLIENTS = 4
WRITES = 2000
KILLS = 6
SEED = 20261123
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
publish = ["everyone.ics"]
"""


@pytest.fixture(scope="module")
def storm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KalendsServer, list[Client]]]:
    """Yield a server that was killed several times while clients wrote, and the clients."""
    users = {f"client{number}": "secret" for number in range(CLIENTS)}
    server = KalendsServer(tmp_path_factory.mktemp("storm"), users=users, feeds=FEEDS, workers=3)
    dice = random.Random(SEED)
    gate = Gate(server, dice.sample(range(50, WRITES - 50), KILLS))
    clients = [Client(server, gate, user, random.Random(f"{SEED} {user}")) for user in users]
    for client in clients:
        made = server.request("MKCALENDAR", f"/{client.user}/second/", user=client.user)
        assert made.status == 201, made.body
    threads = [threading.Thread(target=client.run, args=(WRITES // CLIENTS,)) for client in clients]
    for thread in threads:
        thread.start()
    gate.kill_at_moments()
    for thread in threads:
        thread.join(300)
    server.kill9()
    server.start()
    yield server, clients
    for client in clients:
        client.close()
    server.close()


Storm = tuple[KalendsServer, list[Client]]


def test_all_writes_and_kills_took_place(storm: Storm) -> None:
    _, clients = storm
    assert [failure for client in clients for failure in client.failures] == []
    assert clients[0].gate.kills == KILLS
    assert clients[0].gate.written == WRITES
    assert 0 < sum(client.in_doubt for client in clients) <= KILLS * CLIENTS


def test_every_acknowledged_write_is_complete(storm: Storm) -> None:
    server, clients = storm
    for client in clients:
        listed = set()
        for calendar in ("calendar", "second"):
            folder = f"/{client.user}/{calendar}/"
            answer = server.request("PROPFIND", folder, user=client.user, headers={"Depth": "1"})
            parts = answer.text.split("href>")
            listed |= {part.removesuffix("</") for part in parts if part.endswith(".ics</")}
        assert listed == set(client.held)
        assert {path: client.read(path) for path in client.held} == client.held


def test_check_finds_no_problem(storm: Storm) -> None:
    server, _ = storm
    command = [str(BIN / "kalends"), "check", "--config", str(server.config_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_feeds_have_exactly_the_acknowledged_events(storm: Storm) -> None:
    server, clients = storm
    for client in clients:
        feed = server.request("GET", f"/feeds/{client.user}.ics", user=client.user)
        shown = {
            (str(found["UID"]), str(found["SUMMARY"]))
            for found in icalendar.Calendar.from_ical(feed.body).walk("VEVENT")
        }
        assert shown == {uid_and_summary(text) for text in client.held.values()}


def uid_and_summary(text: str) -> tuple[str, str]:
    """Return the UID and the summary in the text of an event."""
    return text.split("UID:")[1].split("\r\n")[0], text.split("SUMMARY:")[1].split("\r\n")[0]


def test_feeds_equal_feeds_composed_from_scratch(storm: Storm, tmp_path: Path) -> None:
    server, clients = storm
    paths = [f"/feeds/{client.user}.ics" for client in clients]
    users = [client.user for client in clients]
    before = {p: server.request("GET", p, user=u).body for p, u in zip(paths, users, strict=True)}
    everyone = server.request("GET", "/feeds/everyone.ics", user=users[0]).body
    fresh = KalendsServer(
        tmp_path / "fresh",
        users=server.users,
        feeds=FEEDS,
        options={"storage": {"database": f"sqlite:///{server.database}"}},
    )
    try:
        after = {p: fresh.request("GET", p, user=u).body for p, u in zip(paths, users, strict=True)}
        assert after == before
        assert fresh.request("GET", "/feeds/everyone.ics", user=users[0]).body == everyone
    finally:
        fresh.close()


def test_the_published_file_is_updated_after_the_restart(storm: Storm) -> None:
    server, clients = storm
    user = clients[0].user
    wanted = server.request("GET", "/feeds/everyone.ics", user=user).body
    found = server.feeds_folder
    await_that(lambda: [file.read_bytes() for file in found.glob("*/everyone.ics")] == [wanted])
