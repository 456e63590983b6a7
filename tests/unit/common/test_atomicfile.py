from io import BytesIO
from pathlib import Path

import pytest

from kalends.common import atomicfile


def test_a_new_file_has_the_content_and_is_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "family.ics"
    assert atomicfile.replace(path, b"one")
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [found.name for found in tmp_path.iterdir()] == ["family.ics"]


def test_a_file_gets_the_given_mode(tmp_path: Path) -> None:
    path = tmp_path / "key"
    atomicfile.replace(path, b"one", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"same", b"x" * (3 << 20)])
def test_a_file_with_equal_content_is_left_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "family.ics"
    atomicfile.replace(path, content)
    before = path.stat()
    assert not atomicfile.replace(path, content)
    assert not atomicfile.replace(path, BytesIO(content))
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("new", [b"longer than it was", b"shor", b"SAME!"])
def test_a_replaced_file_is_unchanged_for_open_readers(tmp_path: Path, new: bytes) -> None:
    path = tmp_path / "family.ics"
    atomicfile.replace(path, b"same!")
    with path.open("rb") as reader:
        assert atomicfile.replace(path, BytesIO(new))
        assert reader.read() == b"same!"
    assert path.read_bytes() == new


class Failing(BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise OSError(28, "No space left on device")


def test_a_failure_leaves_only_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "family.ics"
    atomicfile.replace(path, b"old")
    with pytest.raises(OSError, match="No space"):
        atomicfile.replace(path, Failing(b"newer"))
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["family.ics"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        atomicfile.replace(tmp_path / "nowhere" / "family.ics", b"one")
