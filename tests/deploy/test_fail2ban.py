"""The real fail2ban finds in Kalends' log those who guess passwords, and nobody else."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.awaiting import await_that
from support.deployment import Deployed, DeployedWsgi
from support.digestclients import XML, CurlBasic, Requests, open_client
from support.paths import ROOT
from support.proxied import ProxiedKalends
from support.server import KalendsServer, basic, create_digest_server

FILTER = ROOT / "deploy" / "fail2ban" / "filter.d" / "kalends.conf"
LINE = "2026-11-23 23:32:04,494 4868 WARNING kalends.htauth: login failed from {}: {}\n"
NAMED = LINE.replace("htauth:", "htauth [4f1c.a-b]:")
JSON = (
    '{{"time": "2026-11-23T23:32:04.494Z", "level": "WARNING", "logger": "kalends.htauth", '
    '"process": 4868, "request": "4f1c", "message": {}}}\n'
)
GUESS = "wrong name or password, name {!a}"


def banned_addresses(text: str, folder: Path) -> list[str]:
    """Return the addresses that fail2ban would count, in order."""
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
    running = create_digest_server(
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
            with open_client(kind, server.url, name, password) as ask:
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
    assert banned_addresses(server.log, tmp_path) == (
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
def test_no_name_hides_the_address_or_forges_another(name: str, tmp_path: Path) -> None:
    for line in (LINE, NAMED):
        assert banned_addresses(line.format("192.0.2.1", GUESS.format(name)), tmp_path) == [
            "192.0.2.1"
        ]
    message = json.dumps(f"login failed from 192.0.2.1: {GUESS.format(name)}")
    assert banned_addresses(JSON.format(message), tmp_path) == ["192.0.2.1"]


@pytest.mark.parametrize("prefix", ["Nov 23 23:32:04 host kalends[4868]: ", "host kalends[4868]: "])
def test_it_reads_the_journal_and_syslog(prefix: str, tmp_path: Path) -> None:
    line = prefix + LINE.format("192.0.2.1", GUESS.format("alice"))
    assert banned_addresses(line, tmp_path) == ["192.0.2.1"]


@pytest.mark.parametrize("form", ["text", "json"])
def test_it_reads_the_error_log_of_apache(form: str, tmp_path: Path) -> None:
    """Under mod_wsgi a line has another prefix, and doubled backslashes."""
    names = ["alice", "it's", 'say "x"', 'it\'s "x" \\', "x': 2 'y", "ünïcode", ""]
    with ProxiedKalends(tmp_path / "server", {"alice": "wonderland"}) as kalends:
        kalends.options = {"logging": {"format": form}}
        kalends.write_config()
        with DeployedWsgi(tmp_path / "front", kalends.backend()) as front:
            for number, name in enumerate(names, 2):
                ask_from(front, f"127.0.0.{number}", basic(name, "wrong"))
            ask_from(front, "127.0.0.20", basic("alice", "wonderland"))
            ask_from(front, "127.0.0.21", "Basic !!!")
            ask_from(front, "127.0.0.22", "Digest nonsense")
            addresses = [f"127.0.0.{number}" for number, _ in enumerate(names, 2)]
            failed = {*addresses, "127.0.0.21", "127.0.0.22"}
            # The processes log a moment after their responses, in any order.
            await_that(lambda: failed <= {*FAILED.findall(front.error_log())}, front.error_log)
            log = front.error_log()
    assert sorted(banned_addresses(log, tmp_path)) == sorted(addresses)


FAILED = re.compile(r"login failed from ([0-9.]+):")


def ask_from(front: Deployed, address: str, login: str) -> None:
    """Send a request from another address of this machine."""
    connection = http.client.HTTPSConnection(
        front.host, front.port, source_address=(address, 0), context=front.certificate.trusted()
    )
    with closing(connection):
        connection.request("GET", "/alice/", headers={"Authorization": login, "Referer": "x"})
        connection.getresponse().read()


EMBEDDED = (
    "[Fri Nov 27 04:00:35.048143 2026] [wsgi:error] [pid 15962:tid 15986] [client 192.0.2.1:42696] "
)


@pytest.mark.parametrize(
    ("after", "count"),
    [("", 1), (", referer: https://x/]: y", 1), (" and more", 0), (", referer", 0)],
)
def test_the_referer_that_apache_appends_is_accepted(
    after: str, count: int, tmp_path: Path
) -> None:
    """In embedded mode, without a daemon process, Apache appends the referer."""
    line = EMBEDDED + NAMED.format("192.0.2.1", GUESS.format("alice")).rstrip("\n")
    assert banned_addresses(f"{line}{after}\n", tmp_path) == ["192.0.2.1"] * count
    elsewhere = line.replace("wsgi:error", "core:error")
    assert banned_addresses(f"{elsewhere}{after}\n", tmp_path) == []


@pytest.mark.parametrize(
    "why",
    [
        "this answer was used before, name 'alice'",
        "its uri names another request, name 'alice'",
        "malformed Basic credentials, name unknown",
        "wrong name or password, name 'alice' and more",
    ],
)
def test_other_failures_are_not_counted(why: str, tmp_path: Path) -> None:
    assert banned_addresses(LINE.format("192.0.2.1", why), tmp_path) == []
    if not why.endswith("and more"):  # a JSON object ends its line
        message = json.dumps(f"login failed from 192.0.2.1: {why}")
        assert banned_addresses(JSON.format(message), tmp_path) == []


def test_fail2ban_accepts_the_jail(tmp_path: Path) -> None:
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
