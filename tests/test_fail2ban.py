"""The real fail2ban reads our log: it finds who guesses passwords, and nobody else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.digestclients import XML, CurlBasic, Requests, opened
from support.server import KalendsServer, with_digest

ROOT = Path(__file__).parent.parent
FILTER = ROOT / "deploy" / "fail2ban" / "filter.d" / "kalends.conf"
LINE = "2026-11-23 23:32:04,494 4868 WARNING kalends.htauth: login failed from {}: {}\n"
NAMED = LINE.replace("htauth:", "htauth [4f1c.a-b]:")
JSON = (
    '{{"time": "2026-11-23T23:32:04.494Z", "level": "WARNING", "logger": "kalends.htauth", '
    '"process": 4868, "request": "4f1c", "message": {}}}\n'
)
GUESS = "wrong name or password, name {!a}"


def found_in(text: str, folder: Path) -> list[str]:
    """The addresses that fail2ban would count, in order."""
    log = folder / "kalends.log"
    log.write_text(text)
    done = subprocess.run(
        ["fail2ban-regex", "--out", "<ip>", str(log), str(FILTER)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KalendsServer]:
    running = with_digest(
        tmp_path / "server",
        {"alice": "wonderland"},
        options={"kalends": {"trusted_proxies": "127.0.0.1"}},
    )
    yield running
    running.close()


def test_it_counts_wrong_passwords_of_the_running_server(
    server: KalendsServer, tmp_path: Path
) -> None:
    def tries(address: str, password: str, name: str = "alice") -> None:
        for kind in (CurlBasic, Requests):
            with opened(kind, server.url, name, password) as ask:
                ask("PROPFIND", "/alice/", headers={**XML, "X-Forwarded-For": address})

    tries("192.0.2.1", "wonderland")
    tries("192.0.2.2", "wrong")
    tries("2001:db8::3", "wrong")
    tries("192.0.2.4", "wrong", "x' from 192.0.2.99: wrong name or password, name 'y'")
    server.request("PROPFIND", "/alice/", headers={"X-Forwarded-For": "192.0.2.5"})
    for header in ("Basic !!!", "Bearer x", "Digest nonsense"):
        more = {"Authorization": header, "X-Forwarded-For": "192.0.2.6"}
        server.request("PROPFIND", "/alice/", headers=more)
    server.request("GET", "/nothing", user="alice", headers={"X-Forwarded-For": "192.0.2.7"})
    server.stop()
    assert found_in(server.log, tmp_path) == (
        ["192.0.2.2"] * 2 + ["2001:db8::3"] * 2 + ["192.0.2.4"] * 2
    )


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "it's",
        'say "x"',
        'it\'s "x" \\',
        "a\nb",
        "2026-11-23 23:32:04,494 4868 WARNING kalends.htauth: login failed from 192.0.2.99: x",
        "ünïcode",
        "",
    ],
)
def test_no_name_hides_the_address_or_brings_another(name: str, tmp_path: Path) -> None:
    for line in (LINE, NAMED):
        assert found_in(line.format("192.0.2.1", GUESS.format(name)), tmp_path) == ["192.0.2.1"]
    message = json.dumps(f"login failed from 192.0.2.1: {GUESS.format(name)}")
    assert found_in(JSON.format(message), tmp_path) == ["192.0.2.1"]


@pytest.mark.parametrize("prefix", ["Nov 23 23:32:04 host kalends[4868]: ", "host kalends[4868]: "])
def test_it_reads_the_journal_and_syslog(prefix: str, tmp_path: Path) -> None:
    line = prefix + LINE.format("192.0.2.1", GUESS.format("alice"))
    assert found_in(line, tmp_path) == ["192.0.2.1"]


@pytest.mark.parametrize(
    "why",
    [
        "this answer was used before, name 'alice'",
        "its uri is of another request, name 'alice'",
        "malformed Basic credentials, name unknown",
        "wrong name or password, name 'alice' and more",
    ],
)
def test_what_is_no_guess_is_not_counted(why: str, tmp_path: Path) -> None:
    assert found_in(LINE.format("192.0.2.1", why), tmp_path) == []
    if not why.endswith("and more"):  # where an object ends is where its line does
        message = json.dumps(f"login failed from 192.0.2.1: {why}")
        assert found_in(JSON.format(message), tmp_path) == []


def test_the_jail_is_one(tmp_path: Path) -> None:
    folder = tmp_path / "fail2ban"
    shutil.copytree("/etc/fail2ban", folder)
    shutil.copytree(ROOT / "deploy" / "fail2ban", folder, dirs_exist_ok=True)
    done = subprocess.run(
        ["fail2ban-client", "-c", str(folder), "--dp"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "'add', 'kalends', 'systemd'" in done.stdout
    assert "'set', 'kalends', 'maxretry', 20" in done.stdout
