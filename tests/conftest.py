"""Fixtures that several test modules use: servers, and accounts of their own on one of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.postgres import PostgresServer
from support.server import KalendsServer

# The duration of an example does not decide whether the code is right.
settings.register_profile(
    "untimed", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("untimed")

# Started first, so that no worker is left alone with one of them at the end.
LONGEST = ("test_bench.py", "test_kill.py", "test_apache_agreement.py", "test_several_hosts.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)


FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KalendsServer]:
    """Run a server with a new store, the accounts alice and bob, and a feed for each account."""
    running = KalendsServer(
        tmp_path / "server", users={"alice": "wonderland", "bob": "builder"}, feeds=FEEDS
    )
    yield running
    running.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    """Run one server for all tests that use only an account of their own (see `account`)."""
    running = KalendsServer(
        tmp_path_factory.mktemp("shared") / "server", users={"first": "first"}, feeds=FEEDS
    )
    yield running
    running.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for all tests; each creates databases of its own on it."""
    running = PostgresServer()
    yield running
    running.close()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL server for one test, which may break it."""
    running = PostgresServer()
    yield running
    running.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store, once for each supported database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/kalends.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.store()


_numbers = itertools.count(1)


@pytest.fixture
def account(shared_server: KalendsServer) -> str:
    """Add an account to the shared server for one test; its password is its name."""
    name = f"user{next(_numbers)}"
    shared_server.add_user(name, name)
    return name
