"""A server of the database that cannot be reached: how often it is tried, and by whom."""

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
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fail(reach: CircuitBreaker, clock: Clock, seconds: float) -> None:
    with contextlib.suppress(ConnectionError), reach.attempt():
        clock.now += seconds
        raise ConnectionError


def is_tried(reach: CircuitBreaker) -> bool:
    """Whether somebody who wants to reach the server now tries to; it answers, if so."""
    try:
        with reach.attempt():
            return True
    except CircuitOpenError:
        return False


def test_who_does_not_answer_is_left_alone_for_as_long_as_it_took() -> None:
    clock = Clock()
    reach = CircuitBreaker(clock)
    fail(reach, clock, 5.0)
    clock.now += 4.9
    assert not is_tried(reach)
    clock.now += 0.2
    fail(reach, clock, 5.0)
    assert not is_tried(reach)


def test_one_tries_meanwhile_the_others_are_told_at_once() -> None:
    clock = Clock()
    reach = CircuitBreaker(clock)
    fail(reach, clock, 5.0)
    clock.now += 6.0
    with reach.attempt():
        assert not is_tried(reach)
    with reach.attempt():  # it has answered
        assert is_tried(reach)


def test_who_refuses_at_once_is_asked_each_time() -> None:
    clock = Clock()
    reach = CircuitBreaker(clock)
    fail(reach, clock, 0.1)
    with reach.attempt():
        assert is_tried(reach)
    fail(reach, clock, 5.0)
    clock.now += 6.0
    fail(reach, clock, 0.1)  # it is there again, and refuses
    with reach.attempt():
        assert is_tried(reach)


@pytest.fixture
def firewall(postgres: PostgresServer) -> Iterator[Firewall]:
    running = Firewall(postgres.port)
    yield running
    running.close()


def read_together(database: Database, readers: int) -> None:
    """Let so many read at once, so that there are as many connections."""
    barrier = threading.Barrier(readers)

    def read() -> None:
        with database.read():
            barrier.wait(60)

    threads = [threading.Thread(target=read) for _ in range(readers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_connections_that_a_firewall_forgot_one_is_found_out_for_all(
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
