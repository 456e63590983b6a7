"""Transactions of the store: durable and atomic writes, and reads that never wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from kalends.store import collections
from kalends.store.engine import Database, open_database
from kalends.store.migrate import migrate


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    opened = open_database(store_url)
    migrate(opened)
    yield opened
    opened.close()


def test_a_commit_is_on_the_disk(database: Database) -> None:
    for transaction in (database.read, database.write):
        with transaction() as connection:
            if connection.dialect.name == "postgresql":
                assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
                continue
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_reader_does_not_wait_for_a_writer_and_does_not_see_its_changes(
    database: Database,
) -> None:
    seen: list[object] = []

    def read() -> None:
        with database.read() as connection:
            seen.append(collections.find_collection(connection, "alice"))

    with database.write() as connection:
        collections.create_collection(connection, "alice", {})
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(30)  # it would wait for this very block
        assert seen == [None]
    read()
    assert seen[1] is not None


def test_a_snapshot_does_not_change_while_others_write(database: Database) -> None:
    with database.read() as before:
        assert collections.find_collection(before, "alice") is None
        with database.write() as connection:
            collections.create_collection(connection, "alice", {})
        assert collections.find_collection(before, "alice") is None


def test_a_write_that_fails_stores_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as connection:
            collections.create_collection(connection, "alice/work", {"tag": "VCALENDAR"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with database.read() as connection:
        assert collections.list_collections(connection) == []
