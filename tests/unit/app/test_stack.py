"""The WSGI stack of one process."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from kalends.store import sqlite
from support.installation import Installation


def test_a_process_opens_one_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[URL] = []

    class Counted(sqlite.SqliteDatabase):
        def __init__(self, url: URL) -> None:
            opened.append(url)
            super().__init__(url)

    monkeypatch.setattr(sqlite, "SqliteDatabase", Counted)
    with Installation(tmp_path).client() as client:
        assert client("PROPFIND", "/alice/").status == 207
        assert client("GET", "/feeds/alice.ics").status == 200
    assert len(opened) == 1
