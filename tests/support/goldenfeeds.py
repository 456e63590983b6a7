"""The golden folders of tests/data/feeds: calendars, a definition, and the expected feed.

A folder holds objects (``OWNER__CALENDAR__NAME.ics``), a file of definitions with one feed
(``feed.toml``, with the UTC date in a comment ``# today: YYYY-MM-DD`` where it matters) and the
octets of the composed feed (``expected.ics``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kalends.feeds.definitions.model import Feed
from kalends.feeds.definitions.parse import parse_definitions
from support.feedstore import TODAY, Store, compose

FOLDER = Path(__file__).resolve().parents[1] / "data" / "feeds"
_UID = re.compile(rb"^UID:(.*?)\r?$", re.MULTILINE)


@dataclass(frozen=True)
class Golden:
    """A golden folder with its objects by calendar and UID, in the order of their names."""

    folder: Path
    feed: Feed
    today: datetime
    objects: dict[tuple[str, str], bytes]

    @property
    def expected(self) -> bytes:
        """The expected octets of the feed."""
        return (self.folder / "expected.ics").read_bytes()

    def make_store(self, *, backwards: bool = False) -> Store:
        """Return a store with the objects, written in order or backwards."""
        paths = sorted({path for path, _ in self.objects})
        store = Store(*paths)
        numbers = {path: number for number, path in store.paths.items()}
        written = list(self.objects.items())
        for (path, uid), data in reversed(written) if backwards else written:
            store.put(numbers[path], uid, data)
        return store

    def compose_feed(self, folder: Path, *, backwards: bool = False) -> bytes:
        """Return the octets of the composed feed."""
        return compose(folder, self.make_store(backwards=backwards), self.feed, self.today)


def list_folders() -> list[Path]:
    """Return all golden folders."""
    return sorted(path for path in FOLDER.iterdir() if path.is_dir())


def load(folder: Path) -> Golden:
    """Load a golden folder."""
    text = (folder / "feed.toml").read_text("utf-8")
    (feed,) = parse_definitions(text, str(folder / "feed.toml")).named.values()
    said = re.search(r"^# today: (.+)$", text, re.MULTILINE)
    today = datetime.fromisoformat(said[1]).replace(tzinfo=UTC) if said else TODAY
    objects = {}
    for file in sorted(folder.glob("*__*.ics")):
        owner, calendar, _ = file.stem.split("__")
        data = file.read_bytes()
        uid = _UID.search(data)
        assert uid is not None, file
        objects[f"{owner}/{calendar}", uid[1].decode()] = data
    return Golden(folder, feed, today, objects)
