"""The digest of a version: the same from any history, and another for other octets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.feeds.compose import content_digest
from kalends.feeds.compose.content_digest import PartKey
from kalends.feeds.compose.part_index import PartIndex, open_part_index

Parts = dict[PartKey, bytes]

keys = st.builds(PartKey, st.sampled_from(["a", "b"]), st.sampled_from("vwxyzé"), st.just(1))
texts = st.integers(0, 40).map(lambda number: b"text %d" % number)
histories = st.lists(st.dictionaries(keys, st.none() | texts, max_size=6), min_size=1, max_size=6)


@pytest.fixture(autouse=True)
def frequent_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut after each third part, on average."""
    monkeypatch.setattr(content_digest, "_is_cut", lambda digest: digest[0] % 3 == 0)


def apply(index: PartIndex, parts: Parts, changes: dict[PartKey, bytes | None]) -> str:
    """Change the parts of an index, and return its digest."""
    for key, text in changes.items():
        if parts.pop(key, None) is not None:
            index.remove(key)
        if text is not None:
            parts[key] = text
            index.add(key, text, {}, None)
    return index.content_digest(b"head")


def from_scratch(folder: Path, parts: Parts, head: bytes = b"head") -> str:
    (folder / "scratch.db").unlink(missing_ok=True)
    with open_part_index(folder / "scratch.db") as index:
        index.clear()
        for key in sorted(parts):
            index.add(key, parts[key], {}, None)
        return index.content_digest(head)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories)
def test_the_history_does_not_matter(
    tmp_path: Path, history: list[dict[PartKey, bytes | None]]
) -> None:
    (tmp_path / "parts.db").unlink(missing_ok=True)
    parts: Parts = {}
    seen: dict[str, list[bytes]] = {}
    for changes in history:
        with open_part_index(tmp_path / "parts.db") as index:
            digest = apply(index, parts, changes)
        octets = [parts[key] for key in sorted(parts)]
        assert digest == from_scratch(tmp_path, parts)
        assert seen.setdefault(digest, octets) == octets


def test_the_digest_is_of_the_octets_alone(tmp_path: Path) -> None:
    one = {PartKey("a", "x", 1): b"1", PartKey("b", "y", 2): b"2"}
    moved = {PartKey("c", "x", 3): b"1", PartKey("c", "z", 4): b"2"}
    swapped = {PartKey("a", "x", 1): b"2", PartKey("b", "y", 2): b"1"}
    assert from_scratch(tmp_path, one) == from_scratch(tmp_path, moved)
    assert from_scratch(tmp_path, one) != from_scratch(tmp_path, swapped)
    assert from_scratch(tmp_path, one) != from_scratch(tmp_path, one, b"another head")
    assert from_scratch(tmp_path, {}) != from_scratch(tmp_path, {}, b"another head")


def test_a_change_reads_the_digests_of_its_own_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {PartKey("a", f"{number:05}", 1): b"text %d" % number for number in range(3000)}
    read: list[bytes] = []
    digests = content_digest.ContentDigest._digests

    def counting(*arguments: object) -> object:
        found = list(digests(*arguments))  # type: ignore[arg-type]
        read.extend(found)
        return iter(found)

    with open_part_index(tmp_path / "parts.db") as index:
        index.clear()
        apply(index, {}, dict(parts))
        monkeypatch.setattr(content_digest.ContentDigest, "_digests", counting)
        apply(index, parts, {PartKey("a", "01500", 1): b"another"})
    assert 0 < len(read) < 60
