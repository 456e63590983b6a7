"""The key of nonces, and the nonce counts that workers share."""

from __future__ import annotations

import multiprocessing
import os
import struct
import threading
from collections import Counter
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.authn.nonces.replay_cache import NonceUse, SharedNonceCounts, load_key
from kalends.authn.nonces.signing import Nonce
from kalends.errors import ConfigurationError

NOW = 1_790_000_000.0


def nonce(number: int, age: float = -1) -> Nonce:
    """Return a genuine nonce, issued after the tables of these tests unless it has an age."""
    return Nonce(NOW - age, struct.pack(">QQI", number, number, 0), True)


def table(path: Path, **more: int) -> SharedNonceCounts:
    return SharedNonceCounts(path / "counts", NOW, boot="this", **more)


def test_a_key_is_created_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    key = load_key(tmp_path / "key")
    assert len(key) == 32
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert load_key(tmp_path / "key") == key
    assert load_key(tmp_path / "other") != key
    assert {path.name for path in tmp_path.iterdir()} == {"key", "other"}


def test_workers_that_start_together_get_one_key(tmp_path: Path) -> None:
    keys: list[bytes] = []
    start = threading.Barrier(8)

    def load() -> None:
        start.wait()
        keys.append(load_key(tmp_path / "key"))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_file_that_is_not_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not a nonce key"):
        load_key(tmp_path / "key")


@pytest.mark.parametrize("mode", [0o604, 0o620, 0o666])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    load_key(tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_key(tmp_path / "key")


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_key(tmp_path / "no" / "key")
    with pytest.raises(ConfigurationError, match="No such file"):
        table(tmp_path / "no")


@pytest.mark.parametrize(
    ("counts", "last"),
    [
        pytest.param([1], NonceUse.FIRST, id="first"),
        pytest.param([7], NonceUse.FIRST, id="first-is-seven"),
        pytest.param([1, 1], NonceUse.AGAIN, id="again"),
        pytest.param([1, 2, 1], NonceUse.AGAIN, id="an-earlier-one-again"),
        pytest.param([1, 5], NonceUse.FIRST, id="gap"),
        pytest.param([1, 3, 2], NonceUse.FIRST, id="overtaken"),
        pytest.param([1, 3, 2, 2], NonceUse.AGAIN, id="overtaken-and-again"),
        pytest.param([64, 1], NonceUse.FIRST, id="at-the-windows-end"),
        pytest.param([65, 1], NonceUse.UNKNOWN, id="behind-the-window"),
        pytest.param([1, 65, 1], NonceUse.UNKNOWN, id="used-behind-the-window"),
        pytest.param([1, 2**32 - 1, 2**32 - 1], NonceUse.AGAIN, id="the-highest"),
        pytest.param([1, 200, 199], NonceUse.FIRST, id="a-leap-forgets-nothing-it-should-know"),
    ],
)
def test_a_count_is_judged_by_the_counts_before_it(
    tmp_path: Path, counts: list[int], last: NonceUse
) -> None:
    used = table(tmp_path)
    assert [used.use(nonce(1), count) for count in counts][-1] is last
    used.close()


@settings(max_examples=50)
@given(st.lists(st.integers(1, 150), max_size=60))
def test_no_count_is_accepted_twice(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int]
) -> None:
    used = table(tmp_path_factory.mktemp("counts"))
    good: Counter[int] = Counter()
    for count in counts:
        outcome = used.use(nonce(1), count)
        good[count] += outcome is NonceUse.FIRST
        if good[count] == 0:
            assert outcome is NonceUse.UNKNOWN
            assert max(counts) - count >= 64
    assert max(good.values(), default=0) <= 1
    used.close()


def test_workers_share_counts_and_a_restart_keeps_them(tmp_path: Path) -> None:
    one, two = table(tmp_path), table(tmp_path)
    assert one.use(nonce(1), 1) is NonceUse.FIRST
    assert two.use(nonce(1), 1) is NonceUse.AGAIN
    assert two.use(nonce(1), 2) is NonceUse.FIRST
    one.close()
    two.close()
    three = SharedNonceCounts(tmp_path / "counts", NOW + 100, boot="this")
    assert three.use(nonce(1), 2) is NonceUse.AGAIN
    assert three.use(nonce(1), 3) is NonceUse.FIRST
    assert three.use(nonce(2), 1) is NonceUse.FIRST
    three.close()


def test_an_old_nonce_is_unknown_to_a_new_table(tmp_path: Path) -> None:
    used = table(tmp_path)
    assert used.use(nonce(1, age=0.001), 1) is NonceUse.UNKNOWN
    assert used.use(nonce(1, age=0.001), 1) is NonceUse.UNKNOWN
    used.close()


def test_after_a_reboot_earlier_nonces_are_unknown(tmp_path: Path) -> None:
    used = table(tmp_path)
    used.use(nonce(1), 1)
    used.close()
    after = SharedNonceCounts(tmp_path / "counts", NOW + 2, boot="that")
    assert after.use(nonce(1), 2) is NonceUse.UNKNOWN
    assert after.use(nonce(2, age=-3), 1) is NonceUse.FIRST
    after.close()


def test_nonces_of_a_damaged_table_are_unknown(tmp_path: Path) -> None:
    used = table(tmp_path)
    used.use(nonce(1), 1)
    used.close()
    os.truncate(tmp_path / "counts", 500)
    after = SharedNonceCounts(tmp_path / "counts", NOW + 2, boot="this")
    assert after.use(nonce(1), 2) is NonceUse.UNKNOWN
    after.close()


def test_an_evicted_nonce_is_unknown(tmp_path: Path) -> None:
    """A bucket holds eight; the ninth displaces the one that was issued first."""
    used = table(tmp_path, buckets=1)
    for number in range(9):
        assert used.use(nonce(number, age=-10 - number), 1) is NonceUse.FIRST
    assert used.use(nonce(0, age=-10), 1) is NonceUse.UNKNOWN
    assert used.use(nonce(0, age=-10), 2) is NonceUse.UNKNOWN
    for number in range(1, 9):
        assert used.use(nonce(number, age=-10 - number), 1) is NonceUse.AGAIN
    assert used.use(nonce(77, age=-9), 1) is NonceUse.UNKNOWN  # could have been displaced, too
    used.close()


def test_a_nonce_older_than_all_others_is_not_stored(tmp_path: Path) -> None:
    used = table(tmp_path, buckets=1)
    for number in range(8):
        used.use(nonce(number, age=-10), 1)
    assert used.use(nonce(9, age=-5), 1) is NonceUse.UNKNOWN
    assert used.use(nonce(3, age=-10), 1) is NonceUse.AGAIN
    used.close()


def test_the_size_of_the_table_is_constant(tmp_path: Path) -> None:
    used = table(tmp_path, buckets=4)
    size = (tmp_path / "counts").stat().st_size
    for number in range(1000):
        used.use(nonce(number, age=-10 - number), 1)
    assert (tmp_path / "counts").stat().st_size == size < 2000
    used.close()


def _use_all(path: Path, start: Barrier, results: Queue[int]) -> None:
    used = table(path)
    start.wait()
    results.put(sum(used.use(nonce(number), 1) is NonceUse.FIRST for number in range(3000)))
    used.close()


def test_racing_processes_use_each_nonce_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    results: Queue[int] = context.Queue()
    start = context.Barrier(3)
    workers = [context.Process(target=_use_all, args=(tmp_path, start, results)) for _ in range(3)]
    for worker in workers:
        worker.start()
    assert sum(results.get(timeout=60) for _ in workers) == 3000
    for worker in workers:
        worker.join()
