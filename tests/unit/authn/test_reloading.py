"""A file that is reloaded after edits: one stat if unchanged, and never half of an edit."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kalends.authn.apache.reloading import ReloadingFile, is_open_for_writing
from kalends.errors import UserFileUnavailableError


class Counted:
    """A parser and a stat function that count their calls."""

    def __init__(self) -> None:
        self.parsed = 0
        self.stats = 0

    def parse(self, data: bytes) -> bytes:
        self.parsed += 1
        return data

    def stat(self, path: Path) -> os.stat_result:
        self.stats += 1
        return path.stat()


def later() -> float:
    """Return a time at which every edit so far is long ago."""
    return time.time() + 60


def without_proc(descriptor: int) -> bool | None:
    return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_bytes(b"one\n")
    return path


def test_an_unchanged_file_costs_one_stat(path: Path) -> None:
    counted = Counted()
    file = ReloadingFile(path, counted.parse, look=counted.stat, now=later)
    for _ in range(5):
        assert file.current() == b"one\n"
    assert (counted.stats, counted.parsed) == (5, 1)


def replaced(path: Path, data: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(data)
    new.rename(path)


def written_over(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def with_the_old_time(path: Path, data: bytes) -> None:
    old = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))


@pytest.mark.parametrize("edit", [replaced, written_over, with_the_old_time])
@pytest.mark.parametrize("writing", [is_open_for_writing, without_proc])
@pytest.mark.parametrize("data", [b"two\n", b"longer\n"], ids=["same-size", "other-size"])
def test_an_edit_takes_effect_at_once(
    path: Path,
    edit: Callable[[Path, bytes], None],
    writing: Callable[[int], bool | None],
    data: bytes,
) -> None:
    file = ReloadingFile(path, bytes, writing=writing)
    assert file.current() == b"one\n"
    for content in (data, b"six\n", data):
        edit(path, content)
        assert file.current() == content


@pytest.mark.parametrize(("age", "reads"), [(0.01, 3), (60, 1)], ids=["fresh", "old"])
def test_a_file_that_may_change_within_the_tick_is_read_again(
    path: Path, age: float, reads: int
) -> None:
    """With a coarse file system clock, such an edit does not change the file's stat."""
    checks = []

    def writing(descriptor: int) -> bool | None:
        checks.append(descriptor)
        return False

    file = ReloadingFile(path, bytes, writing=writing, now=lambda: path.stat().st_ctime + age)
    for _ in range(3):
        file.current()
    assert len(checks) == reads


def test_edits_within_one_tick_of_the_clock_take_effect(path: Path) -> None:
    file = ReloadingFile(path, bytes)
    for number in range(100, 400):
        path.write_bytes(b"%d\n" % number)
        assert file.current() == b"%d\n" % number


@pytest.mark.parametrize("data", [b"", b"no newline"])
def test_a_finished_file_may_be_empty_or_end_anywhere(path: Path, data: bytes) -> None:
    file = ReloadingFile(path, bytes)
    file.current()
    path.write_bytes(data)
    assert file.current() == data


def test_the_same_content_is_not_parsed_again(path: Path) -> None:
    counted = Counted()
    file = ReloadingFile(path, counted.parse)
    file.current()
    path.touch()
    file.current()
    assert counted.parsed == 1


def test_the_old_content_is_used_while_the_file_is_written(path: Path) -> None:
    file = ReloadingFile(path, bytes)
    file.current()
    with path.open("wb") as writer:
        assert file.current() == b"one\n"
        writer.write(b"two\nthree\n")
        writer.flush()
        assert file.current() == b"one\n"
    assert file.current() == b"two\nthree\n"


def test_an_incomplete_file_is_not_used_if_writers_are_unknown(path: Path) -> None:
    file = ReloadingFile(path, bytes, writing=without_proc)
    file.current()
    for beginning in (b"", b"two\nthr"):
        path.write_bytes(beginning)
        assert file.current() == b"one\n"
    path.write_bytes(b"two\nthree\n")
    assert file.current() == b"two\nthree\n"


def test_an_incomplete_file_is_used_after_two_seconds(path: Path) -> None:
    clock = [time.time()]
    file = ReloadingFile(path, bytes, writing=without_proc, now=lambda: clock[0])
    clock[0] += 60
    assert file.current() == b"one\n"
    path.write_bytes(b"")
    clock[0] = path.stat().st_mtime + 1.9
    assert file.current() == b"one\n"
    clock[0] += 0.2
    assert file.current() == b""


def test_a_file_that_stays_open_for_writing_is_used_after_two_seconds(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    file = ReloadingFile(path, bytes)
    file.current()
    with path.open("ab") as writer:
        writer.write(b"two\n")
        writer.flush()
        assert file.current() == b"one\n"
        clock[0] += 1.9
        assert file.current() == b"one\n"
        clock[0] += 0.2
        assert file.current() == b"one\ntwo\n"


def test_many_threads_never_see_half_of_a_rewritten_file(path: Path) -> None:
    """``htpasswd`` rewrites a file like this: it truncates the file and writes it in pieces."""
    whole = {bytes([letter]) * 200_000 + b"\n" for letter in b"ab"}
    path.write_bytes(min(whole))
    file = ReloadingFile(path, bytes)
    file.current()
    wrong: list[bytes] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            value = file.current()
            if value not in whole:
                wrong.append(value[:10])

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for turn in range(60):
        content = sorted(whole)[turn % 2]
        with path.open("wb", buffering=0) as writer:
            for start in range(0, len(content), 8192):
                writer.write(content[start : start + 8192])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert file.current() == content


def test_a_missing_file_and_its_return_are_each_logged_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "kalends.htauth")
    file = ReloadingFile(path, bytes)
    path.unlink()
    for _ in range(3):
        with pytest.raises(UserFileUnavailableError, match="No such file"):
            file.current()
    path.write_bytes(b"back\n")
    assert file.current() == b"back\n"
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert str(path) in caplog.text


def test_only_regular_files_and_the_null_device_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UserFileUnavailableError, match=r"directory|regular"):
            ReloadingFile(other, bytes).current()
    assert ReloadingFile(os.devnull, bytes).current() == b""


def test_a_symbolic_link_is_followed(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(path)
    file = ReloadingFile(link, bytes)
    assert file.current() == b"one\n"
    path.write_bytes(b"two\n")
    assert file.current() == b"two\n"
