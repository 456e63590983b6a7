"""If-None-Match in reads of an object, of a feed and of its page (RFC 9110 section 13.1.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Client, Installation, event

PATHS = ["/alice/calendar/x.ics", "/feeds/open.ics", "/feeds/open/"]
FEEDS = """
[feed.open]
calendars = ["alice/*"]
access = "public"
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Installation(tmp_path, feeds=FEEDS).client() as client:
        assert client("PUT", PATHS[0], event("x")).status == 201
        yield client


@pytest.mark.parametrize("path", PATHS)
def test_a_matching_tag_is_answered_with_304(client: Client, path: str) -> None:
    first = client("GET", path)
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
            answer = client(method, path, headers={"If-None-Match": known})
            assert (answer.status, known) == (status, known)
            assert answer.headers["ETag"] == first.headers["ETag"]
            assert answer.body == (first.body if (status, method) == (200, "GET") else b"")
