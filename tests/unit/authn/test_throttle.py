"""Delays after failed logins, which do not affect other clients."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import pytest

from kalends.authn.backends.apache_files import UserDirectory, htpasswd_file
from kalends.authn.hashing.apr1 import apr1
from kalends.authn.login_attempts import SECONDS_PER_FAILURE, HostLoginAttempts
from kalends.authn.throttle import (
    FREE_FAILURES,
    LONGEST_SECONDS,
    Throttle,
    network_of,
)
from kalends.errors import TooManyAttemptsError
from support.wsgisite import Site


class Clock:
    """A clock, and a sleep function that records its durations."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(HostLoginAttempts(None, clock), clock.sleep)


def fail(
    throttle: Throttle, times: int, account: str = "alice", address: str = "192.0.2.1"
) -> None:
    for _ in range(times):
        throttle.failed(account, address)


def test_five_failures_are_free_and_then_delays_grow(throttle: Throttle) -> None:
    delays = []
    for _ in range(12):
        delays.append(throttle.delay("alice", "192.0.2.1"))
        fail(throttle, 1)
    assert delays[:FREE_FAILURES] == [0] * FREE_FAILURES
    assert delays[FREE_FAILURES:] == [0.5, 1, 2, *[LONGEST_SECONDS] * 4]


def test_an_account_is_delayed_for_every_address(throttle: Throttle) -> None:
    for number in range(6):
        fail(throttle, 1, address=f"192.0.2.{number}")
    assert throttle.delay("alice", "198.51.100.1") > 0
    assert throttle.delay("bob", "198.51.100.1") == 0


def test_an_address_is_delayed_for_every_account(throttle: Throttle) -> None:
    for number in range(6):
        fail(throttle, 1, account=f"user{number}")
    assert throttle.delay("alice", "192.0.2.1") > 0
    assert throttle.delay("alice", "192.0.2.2") == 0


def test_a_known_client_is_not_delayed_by_the_failures_of_others(throttle: Throttle) -> None:
    throttle.succeeded("alice", "192.0.2.9")
    fail(throttle, 20, address="198.51.100.1")
    fail(throttle, 20, account="bob", address="192.0.2.9")
    assert throttle.delay("alice", "192.0.2.9") == 0
    fail(throttle, 6, address="192.0.2.9")
    assert throttle.delay("alice", "192.0.2.9") > 0


def test_a_login_ends_the_delay_only_for_its_account_and_address(throttle: Throttle) -> None:
    fail(throttle, 8)
    throttle.succeeded("alice", "192.0.2.1")
    assert throttle.delay("alice", "192.0.2.1") == 0
    assert throttle.delay("bob", "192.0.2.1") > 0
    assert throttle.delay("alice", "192.0.2.2") > 0


def test_delays_expire(throttle: Throttle, clock: Clock) -> None:
    fail(throttle, 9)
    before = throttle.delay("alice", "192.0.2.1")
    clock.now += 2 * SECONDS_PER_FAILURE
    assert 0 < throttle.delay("alice", "192.0.2.1") < before
    clock.now += 3 * SECONDS_PER_FAILURE
    assert throttle.delay("alice", "192.0.2.1") == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8:0:0:ffff::9", "2001:db8::"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("-", "-"),
        ("", ""),
    ],
)
def test_ipv6_addresses_are_grouped_by_network(address: str, network: str) -> None:
    assert network_of(address) == network


def test_the_number_of_waiting_requests_is_limited() -> None:
    waiting = threading.Semaphore(0)
    release = threading.Event()

    def sleep(seconds: float) -> None:
        waiting.release()
        release.wait(60)

    throttle = Throttle(HostLoginAttempts(None), sleep)
    fail(throttle, 7)
    threads = [
        threading.Thread(target=throttle.admit, args=("alice", "192.0.2.1")) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert waiting.acquire(timeout=60)
    with pytest.raises(TooManyAttemptsError) as refused:
        throttle.admit("alice", "192.0.2.1")
    assert refused.value.retry_after == 2
    throttle.admit("bob", "192.0.2.2")
    release.set()
    for thread in threads:
        thread.join()
    throttle.admit("alice", "192.0.2.1")


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


@pytest.fixture
def site(tmp_path: Path, throttle: Throttle) -> Site:
    (tmp_path / "users").write_bytes(b"alice:" + apr1(b"secret", b"salt") + b"\n")
    directory = UserDirectory(htpasswd_file(tmp_path / "users"))
    return Site(directory, throttle=throttle)


def test_failed_logins_delay_requests(site: Site, clock: Clock) -> None:
    for _ in range(5):
        assert site.ask(basic(b"alice:wrong")).status == 401
    assert clock.slept == []
    assert site.ask(basic(b"alice:wrong")).status == 401
    assert clock.slept == [0.5]
    assert site.ask(None).status == 401
    assert site.ask(None, "/open").status == 200
    assert clock.slept == [0.5]
    assert site.ask(basic(b"alice:secret")).status == 200
    assert clock.slept == [0.5, 1]
    assert site.ask(basic(b"alice:secret")).status == 200
    assert clock.slept == [0.5, 1]


def test_a_header_without_a_name_is_not_a_failure(site: Site, clock: Clock) -> None:
    for value in ("", "Bearer x", "Basic !!!") * 5:
        assert site.ask(value).status == 401
    assert site.ask(basic(b"alice:wrong")).status == 401
    assert clock.slept == []


def test_a_request_that_may_not_wait_gets_503_unchecked(tmp_path: Path) -> None:
    class Full(Throttle):
        def admit(self, account: str, address: str) -> None:
            raise TooManyAttemptsError(4)

    (tmp_path / "users").write_bytes(b"alice:" + apr1(b"secret", b"salt") + b"\n")
    site = Site(
        UserDirectory(htpasswd_file(tmp_path / "users")), throttle=Full(HostLoginAttempts(None))
    )
    for password in (b"secret", b"wrong"):
        answer = site.ask(basic(b"alice:" + password))
        assert answer.status == 503
        assert answer.all("Retry-After") == ["4"]
    assert site.ask(basic(b"alice:secret"), "/open").body == b"nobody"
