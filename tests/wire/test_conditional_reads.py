"""If-None-Match of a reader: an object, the file of a feed and its page answer alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Client, Installation, event

FACES = ["/alice/calendar/x.ics", "/feeds/open.ics", "/feeds/open/"]
FEEDS = """
[feed.open]
calendars = ["alice/*"]
access = "public"
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Installation(tmp_path, feeds=FEEDS).client() as client:
        assert client("PUT", FACES[0], event("x")).status == 201
        yield client


@pytest.mark.parametrize("face", FACES)
def test_a_reader_who_has_it_gets_304(client: Client, face: str) -> None:
    first = client("GET", face)
    assert first.status == 200
    strong = first.headers["ETag"].removeprefix("W/")
    for known, status in (
        ("*", 304),
        (strong, 304),
        (f"W/{strong}", 304),
        (f'"other", {strong}', 304),
        (f'"o,ther" ,, W/{strong},', 304),
        (f"*, {strong}", 304),
        ('"other"', 200),
        ('*, "other"', 200),
        (strong.strip('"'), 200),
        (f"w/{strong}", 200),
        (f"{strong} {strong}", 200),
        (strong.replace('"', '" ', 1), 200),
        (f'"{strong}', 200),
        ("", 200),
    ):
        for method in ("GET", "HEAD"):
            answer = client(method, face, headers={"If-None-Match": known})
            assert (answer.status, known) == (status, known)
            assert answer.headers["ETag"] == first.headers["ETag"]
            assert answer.body == (first.body if (status, method) == (200, "GET") else b"")
