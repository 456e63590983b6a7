"""The record of failed logins that the workers of a host share."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from kalends.authn.login_attempts import HostLoginAttempts, PendingFailures
from kalends.authn.mapped_table import HEADER_BYTES
from kalends.errors import ConfigurationError

NOTHING = PendingFailures(0.0, 0.0, 0.0, is_welcome=False)


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(folder: Path, clock: Clock | None = None, **more: object) -> HostLoginAttempts:
    return HostLoginAttempts(folder / "attempts", clock or Clock(), **more)  # type: ignore[arg-type] # further parameters


def test_workers_count_together(tmp_path: Path) -> None:
    workers = [opened(tmp_path) for _ in range(3)]
    for worker in workers * 2:
        worker.record_failure("alice", "192.0.2.1")
    for worker in workers:
        assert worker.pending("alice", "192.0.2.1")[:3] == (6.0, 6.0, 6.0)
        assert worker.pending("alice", "192.0.2.2")[:3] == (6.0, 0.0, 0.0)
        assert worker.pending("bob", "192.0.2.1")[:3] == (0.0, 6.0, 0.0)
    workers[0].record_success("alice", "192.0.2.1")
    for worker in workers:
        assert worker.pending("alice", "192.0.2.1") == (6.0, 6.0, 0.0, True)


def test_processes_lose_no_count(tmp_path: Path) -> None:
    """Other processes than these could add between the read and the write of a count."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=fail_often, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert opened(tmp_path).pending("alice", "net")[:3] == (600.0, 600.0, 600.0)


def fail_often(folder: Path) -> None:
    mine = opened(folder)
    for _ in range(200):
        mine.record_failure("alice", "net")


def test_counts_survive_a_restart_of_the_server_and_not_of_the_machine(tmp_path: Path) -> None:
    first = opened(tmp_path, boot="one")
    first.record_failure("alice", "net")
    first.close()
    assert opened(tmp_path, boot="one").pending("alice", "net").account == 1.0
    assert opened(tmp_path, boot="two").pending("alice", "net") == NOTHING


def test_a_failure_is_forgotten_in_a_minute(tmp_path: Path) -> None:
    attempts = opened(tmp_path, clock := Clock())
    for _ in range(2):
        attempts.record_failure("alice", "net")
    clock.now += 59
    assert 1 < attempts.pending("alice", "net").account < 1.1
    clock.now += 60
    assert 0 < attempts.pending("alice", "net").account < 0.1
    clock.now += 2
    assert attempts.pending("alice", "net") == NOTHING


def test_the_file_is_of_constant_size_and_private(tmp_path: Path) -> None:
    attempts = opened(tmp_path, buckets=2)
    size = (tmp_path / "attempts").stat().st_size
    for number in range(200):
        attempts.record_failure(f"user{number}", f"net{number}")
        attempts.record_success("x" * 10_000 + str(number), f"net{number}")
    status = (tmp_path / "attempts").stat()
    assert status.st_size == size < 4000
    assert status.st_mode & 0o777 == 0o600
    assert b"user1" not in (tmp_path / "attempts").read_bytes()


def test_nobody_can_foresee_the_place_of_a_name(tmp_path: Path) -> None:
    contents = set()
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        opened(tmp_path / name, buckets=1).record_failure("alice", "net")
        accounts = slice(HEADER_BYTES, HEADER_BYTES + 256)
        contents.add((tmp_path / name / "attempts").read_bytes()[accounts])
    assert len(contents) == 2


def test_names_of_any_text_are_counted(tmp_path: Path) -> None:
    attempts = opened(tmp_path)
    for name in ("", "å", "\udcff", "a\0b"):
        attempts.record_failure(name, name)
        assert attempts.pending(name, name).both == 1.0


def test_a_flood_of_names_evicts_itself(tmp_path: Path) -> None:
    """All names share two buckets of each kind; the flood is a hundred times their size."""
    attempts = opened(tmp_path, buckets=2)
    for _ in range(6):
        attempts.record_failure("alice", "192.0.2.1")
    for number in range(1600):
        attempts.record_failure(f"user{number}", f"10.0.{number // 256}.{number % 256}")
    assert attempts.pending("alice", "192.0.2.1")[:3] == (6.0, 6.0, 6.0)
    assert attempts.pending("alice", "203.0.113.9").account == 6.0


def test_a_name_is_counted_also_in_a_full_table(tmp_path: Path) -> None:
    clock = Clock()
    attempts = opened(tmp_path, clock, buckets=1)
    for number in range(8):
        for _ in range(10):
            attempts.record_failure(f"user{number}", f"net{number}")
        clock.now += 1
    for expected in range(1, 7):
        attempts.record_failure("alice", "192.0.2.1")
        assert attempts.pending("alice", "192.0.2.1").account == expected
    assert [attempts.pending(f"user{n}", "").account > 0 for n in range(8)] == [False, *[True] * 7]


def test_clients_stay_welcome_while_an_account_logs_in_from_everywhere(tmp_path: Path) -> None:
    attempts = opened(tmp_path, buckets=64)
    victims = [f"user{number}" for number in range(20)]
    for name in victims:
        attempts.record_success(name, "192.0.2.1")
    for number in range(600):
        attempts.record_success("mallory", f"10.0.{number // 256}.{number % 256}")
    # The digests are random: one in 64 accounts is in the same bucket as mallory's.
    welcome = [attempts.pending(name, "192.0.2.1").is_welcome for name in victims]
    assert sum(welcome) > len(victims) / 2


def test_the_latest_clients_of_an_account_are_welcome(tmp_path: Path) -> None:
    attempts = opened(tmp_path, clock := Clock())
    for number in range(9):
        attempts.record_success("alice", f"192.0.2.{number}")
        clock.now += 1
    welcome = [attempts.pending("alice", f"192.0.2.{number}").is_welcome for number in range(9)]
    assert welcome == [False, *[True] * 8]


def test_a_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="counts of failed logins"):
        opened(tmp_path / "missing")
