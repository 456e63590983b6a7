"""Feed registry: edits of the definitions while feeds are served."""

from __future__ import annotations

from pathlib import Path

from kalends.feeds.definitions.registry import FeedRegistry

GOOD = '[feed.family]\ncalendars = ["alice/*"]\naccess = "login"\n'


class Nobody:
    def names(self) -> frozenset[str]:
        return frozenset()

    def has(self, name: str) -> bool:
        return name in self.names()

    def members(self, group: str) -> frozenset[str]:
        return frozenset()


def test_a_file_written_in_place_is_read_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(GOOD)
    more = GOOD + GOOD.replace("family", "friends")

    def pause(_seconds: float) -> None:
        if path.read_text() != more:  # the editor finishes its write
            path.write_text(more)

    registry = FeedRegistry(path, Nobody(), pause)
    path.write_text("")
    assert registry.defined_names() == {"family", "friends"}


def test_a_broken_edit_leaves_the_last_good_definitions(tmp_path: Path) -> None:
    path = tmp_path / "feeds.toml"
    path.write_text(GOOD)
    registry = FeedRegistry(path, Nobody(), lambda _seconds: None)
    path.write_text(GOOD + "nonsense")
    assert registry.defined_names() == {"family"}
    path.write_text(GOOD.replace("family", "friends"))
    assert registry.defined_names() == {"friends"}
