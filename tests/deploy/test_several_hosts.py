"""Two hosts on one PostgreSQL behind one nginx without sticky sessions act as one server."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import requests
from requests.auth import HTTPDigestAuth

from support.apache import RealApache, dav_directives
from support.awaiting import await_that
from support.cluster import Cluster
from support.postgres import PostgresServer
from support.samples import event
from support.server import BIN, htpasswd_line
from support.storm import Client, Gate

USERS = {"alice": "wonderland", "bob": "builder", "carol": "christmas"}
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
private = "show"
publish = ["everyone.ics", "REMOTE"]
"""
PASSWORD = "a remote password"
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApache]:
    """A foreign WebDAV server."""
    folder = tmp_path_factory.mktemp("remote")
    (folder / "users").write_text(htpasswd_line("kalends", PASSWORD))
    config = dav_directives(folder, kind="Basic", user_file=folder / "users", realm="remote")
    with RealApache(folder, config) as apache:
        yield apache


@pytest.fixture(scope="module")
def cluster(
    postgres: PostgresServer, remote: RealApache, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Two hosts that publish the same feeds."""
    folder = tmp_path_factory.mktemp("cluster")
    logins = folder / "remotes.toml"
    logins.write_text(
        f'["{remote.url}"]\nuser = "kalends"\npassword = "{PASSWORD}"\nbasic_over_http = true\n'
    )
    logins.chmod(0o600)
    running = Cluster(
        folder,
        postgres.store(),
        users=USERS,
        feeds=FEEDS.replace("REMOTE", f"{remote.url}dav/everyone.ics"),
        options={"kalends": {"remotes": str(logins)}},
    )
    yield running
    running.close()
    assert "Traceback" not in "".join(host.log for host in running.hosts)


def count_requests(cluster: Cluster) -> list[int]:
    """Return the number of requests that each host has answered."""
    return [host.log.count("HTTP/1.") for host in cluster.hosts]


def put(cluster: Cluster, user: str, name: str, summary: str = "Lunch") -> None:
    text = event(name, summary, "20260601T090000Z")
    answer = cluster.request("PUT", f"/{user}/calendar/{name}.ics", user=user, body=text)
    assert answer.status in (201, 204), answer.body


def digest_client(cluster: Cluster) -> requests.Session:
    """Return an HTTP client that logs in as alice with Digest."""
    client = requests.Session()
    client.auth = HTTPDigestAuth("alice", USERS["alice"])
    client.trust_env = False  # else REQUESTS_CA_BUNDLE would replace this certificate
    client.verify = str(cluster.front.certificate.chain)
    return client


def test_a_digest_login_moves_from_host_to_host(cluster: Cluster) -> None:
    before = count_requests(cluster)
    with digest_client(cluster) as client:
        path = f"{cluster.url}alice/calendar/"
        statuses = []
        for _ in range(20):
            answer = client.request("PROPFIND", path, headers={"Depth": "0"})
            statuses.append((len(answer.history), answer.status_code))
    # One challenge: each host accepts the nonce that the other has issued.
    assert statuses == [(1, 207), *[(0, 207)] * 19]
    assert all(
        after - count >= 5 for after, count in zip(count_requests(cluster), before, strict=True)
    )


def test_a_captured_request_is_accepted_once_in_the_cluster(cluster: Cluster) -> None:
    put(cluster, "alice", "captured")
    one, two = (host.url for host in cluster.hosts)
    with digest_client(cluster) as client:
        for address, others in ((cluster.url, (one, two)), (one, (two,))):
            answer = client.get(f"{address}alice/calendar/captured.ics")
            assert answer.status_code == 200
            captured = answer.request.headers["Authorization"]
            for other in others:  # each is a failed login, and the sixth would have to wait
                again = requests.get(
                    f"{other}alice/calendar/captured.ics", headers={"Authorization": captured}
                )
                assert again.status_code == 401
                assert "stale=true" not in again.headers["WWW-Authenticate"].lower()


def test_failed_logins_count_on_both_hosts(cluster: Cluster, postgres: PostgresServer) -> None:
    """The unit tests of the throttle cover the delay that follows."""
    for turn in range(4):
        host = cluster.hosts[turn % 2]
        answer = host.request(
            "PROPFIND",
            "/bob/",
            user="bob",
            password="wrong",
            headers={"X-Forwarded-For": "198.51.100.9"},
        )
        assert answer.status == 401
    database = cluster.hosts[0].options["storage"]["database"].rpartition("/")[2]
    counted = "SELECT count(*) FROM login_try WHERE count BETWEEN 3.5 AND 4"
    assert postgres.execute(counted, database) == [(3,)]  # bob, the address, and both together


def test_sync_tokens_are_valid_on_the_other_host(cluster: Cluster) -> None:
    put(cluster, "bob", "first")
    one, two = cluster.hosts

    def sync(host: object, token: str) -> tuple[set[str], str]:
        answer = host.request("REPORT", "/bob/calendar/", user="bob", body=SYNC.format(token))  # type: ignore[attr-defined]
        assert answer.status == 207, answer.body
        names = {part.split("</")[0] for part in answer.text.split("<href>")[1:]}
        return names, answer.text.split("<sync-token>")[1].split("</")[0]

    there, token = sync(one, "")
    assert "/bob/calendar/first.ics" in there
    assert sync(two, token) == (set(), token)
    for number, host in enumerate((one, two, one, two)):
        path = f"/bob/calendar/{number}.ics"
        body = event(f"sync{number}", "Lunch", "20260601T090000Z")
        assert host.request("PUT", path, user="bob", body=body).status == 201
        for reader in (two, one):
            assert sync(reader, token)[0] == {path}
        token = sync(two, token)[1]


def test_feeds_are_identical_and_current_on_both_hosts(cluster: Cluster) -> None:
    one, two = cluster.hosts
    for number in range(5):
        put(cluster, "carol", "fed", f"Version {number}")
        answers = [host.request("GET", "/feeds/carol.ics", user="carol") for host in (two, one)]
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].body == answers[1].body
        assert answers[0].headers["ETag"] == answers[1].headers["ETag"]
        assert f"Version {number}" in answers[0].text
        known = {"If-None-Match": answers[0].headers["ETag"]}
        for host in (one, two):
            again = host.request("GET", "/feeds/carol.ics", user="carol", headers=known)
            assert again.status == 304


def test_each_host_publishes_its_own_file_and_one_of_them_pushes(
    cluster: Cluster, remote: RealApache
) -> None:

    def pushes() -> int:
        return remote.access_log.read_text().count('"PUT ')

    before = pushes()
    put(cluster, "alice", "published", "Published everywhere")
    files = [host.feeds_folder / "login" / "everyone.ics" for host in cluster.hosts]
    there = remote.folder / "dav" / "everyone.ics"

    def shows(path: Path, text: bytes) -> bool:
        return path.exists() and text in path.read_bytes()

    for path in (*files, there):
        await_that(partial(shows, path, b"Published everywhere"))
    await_that(lambda: pushes() > before)  # Apache logs a request after its file is in place
    pushed = pushes()
    put(cluster, "alice", "published", "Published once more")
    for path in (*files, there):
        await_that(partial(shows, path, b"Published once more"))
    assert files[0].read_bytes() == files[1].read_bytes() == there.read_bytes()
    # Each host has written its own file, so both have seen that nothing is left to do.
    await_that(lambda: pushes() > pushed)
    assert pushes() == pushed + 1


def test_a_host_killed_in_the_middle_of_a_write_loses_nothing(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    users = {f"client{number}": "secret" for number in range(4)}
    running = Cluster(tmp_path / "cluster", postgres.store(), users=users, feeds=FEEDS_OF_STORM)
    dice = random.Random(20261127)
    writes, kills = 240, 2
    try:
        gate = Gate(running, dice.sample(range(30, writes - 30), kills))  # type: ignore[arg-type]
        clients = [
            Client(running, gate, user, random.Random(user))  # type: ignore[arg-type]
            for user in users
        ]
        for client in clients:
            made = running.request("MKCALENDAR", f"/{client.user}/second/", user=client.user)
            assert made.status == 201, made.body
        threads = [
            threading.Thread(target=client.run, args=(writes // len(clients),))
            for client in clients
        ]
        for thread in threads:
            thread.start()
        gate.kill_at_moments()
        for thread in threads:
            thread.join(300)
        assert [failure for client in clients for failure in client.failures] == []
        assert (gate.kills, gate.written) == (kills, writes)
        assert sum(client.in_doubt for client in clients) > 0
        for client in clients:
            assert {path: client.read(path) for path in client.held} == client.held
            for host in running.hosts:
                feed = host.request("GET", f"/feeds/{client.user}.ics", user=client.user)
                shown = {line for line in feed.text.splitlines() if line.startswith("SUMMARY:")}
                assert shown == {
                    line
                    for text in client.held.values()
                    for line in text.splitlines()
                    if line.startswith("SUMMARY:")
                }
            client.close()
        command = [str(BIN / "kalends"), "check", "--config", str(running.hosts[0].config_file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        running.hosts[0].kill9()
        for number in range(6):  # nginx fails over to the other host
            path = f"/{clients[0].user}/calendar/after{number}.ics"
            text = event(f"after{number}", "Lunch", "20260601T090000Z")
            put_there = running.request("PUT", path, user=clients[0].user, body=text)
            assert put_there.status == 201
    finally:
        running.close()


FEEDS_OF_STORM = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""
