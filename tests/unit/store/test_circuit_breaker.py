"""The circuit breaker: attempts to connect to a database server that does not answer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from kalends.errors import StoreUnavailableError
from kalends.store.circuit_breaker import CircuitBreaker, CircuitOpenError
from kalends.store.engine import Database, open_database
from support.firewall import Firewall
from support.postgres import PostgresServer


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(breaker: CircuitBreaker, clock: Clock, seconds: float) -> None:
    with contextlib.suppress(ConnectionError), breaker.attempt():
        clock.now += seconds
        raise ConnectionError


def is_tried(breaker: CircuitBreaker) -> bool:
    """Return True if an attempt is allowed now; it succeeds, then."""
    try:
        with breaker.attempt():
            return True
    except CircuitOpenError:
        return False


def test_after_a_slow_failure_no_attempt_is_made_for_as_long_as_it_took() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    fail(breaker, clock, 5.0)
    clock.now += 4.9
    assert not is_tried(breaker)
    clock.now += 0.2
    fail(breaker, clock, 5.0)
    assert not is_tried(breaker)


def test_one_attempt_at_a_time_is_made_and_others_fail_immediately() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    fail(breaker, clock, 5.0)
    clock.now += 6.0
    with breaker.attempt():
        assert not is_tried(breaker)
    with breaker.attempt():  # it has answered
        assert is_tried(breaker)


def test_a_server_that_refuses_immediately_is_tried_each_time() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock)
    fail(breaker, clock, 0.1)
    with breaker.attempt():
        assert is_tried(breaker)
    fail(breaker, clock, 5.0)
    clock.now += 6.0
    fail(breaker, clock, 0.1)  # it is up again, and refuses
    with breaker.attempt():
        assert is_tried(breaker)


@pytest.fixture
def firewall(postgres: PostgresServer) -> Iterator[Firewall]:
    running = Firewall(postgres.port)
    yield running
    running.close()


def read_together(database: Database, readers: int) -> None:
    """Read in several threads at once, so that the pool has as many connections."""
    barrier = threading.Barrier(readers)

    def read() -> None:
        with database.read():
            barrier.wait(60)

    threads = [threading.Thread(target=read) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_dead_connection_discards_all_connections(
    postgres: PostgresServer, firewall: Firewall
) -> None:
    url = postgres.store().replace(f":{postgres.port}/", f":{firewall.port}/")
    database = open_database(url)
    try:
        read_together(database, 5)
        firewall.forget()
        with pytest.raises(StoreUnavailableError), database.read():
            pass
        for _ in range(5):
            with database.read() as connection:
                assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    finally:
        database.close()
