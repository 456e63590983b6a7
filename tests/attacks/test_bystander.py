"""A bystander gets every answer while sixteen attackers send what costs most."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.attacks import ATTACKS, Attacker
from support.attacks_model import Attack
from support.server import KalendsServer

ATTACKERS = 16
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""
CHOSEN = (
    "before a login: REPORT of",
    "http: a trailer line",
    "http: blank lines",
    "http: requests without a pause",
    "xml: 200,000 levels",
    "xml: 100,000 prop-filters",
    "zone: a rule of MINUTELY",
    "zone: a rule of HOURLY",
    "recurrence: hourly since",
    "recurrence: 500,000 EXDATEs",
    "line: characters",
)
"""One or two attacks of each kind; the benchmark sends them all."""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    users = {"alice": "wonderland", "mallory": "mallory"}
    folder = tmp_path_factory.mktemp("attacked") / "server"
    running = KalendsServer(folder, users=users, feeds=FEEDS, workers=2)
    assert running.request("PROPFIND", "/mallory/", user="mallory").status == 207
    yield running
    running.close()


@pytest.mark.parametrize("title", CHOSEN)
def test_a_bystander_gets_every_answer(attacked: KalendsServer, title: str) -> None:
    (attack,) = [attack for attack in ATTACKS if attack.title.startswith(title)]
    before = workers(attacked)
    with ThreadPoolExecutor(ATTACKERS) as pool:
        attacks = [pool.submit(send, attacked.port, attack) for _ in range(ATTACKERS)]
        answered = [attacked.request("PROPFIND", "/alice/", user="alice").status for _ in range(20)]
        statuses = [status for sent in attacks for status in sent.result()]
    assert set(answered) == {207}
    assert [status for status in statuses if status >= 500 and status != 507] == []
    assert workers(attacked) == before
    assert "Traceback" not in attacked.log


def send(port: int, attack: Attack) -> list[int]:
    """Send an attack; return the statuses of the answers."""
    return list(Attacker(port).attack(attack))


def workers(server: KalendsServer) -> list[str]:
    """Return the process ids of a server's workers."""
    master = server.process.pid
    return Path(f"/proc/{master}/task/{master}/children").read_text().split()
