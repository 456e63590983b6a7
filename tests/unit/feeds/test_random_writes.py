"""Random writes over the wire: an updated feed equals one composed from scratch."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kalends.store import collections
from support.installation import Client, Installation
from support.randomcalendars import HIDDEN, RandomObject, random_objects

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.hide]
calendars = ["*/*"]
access = "login"

[feed.busy]
calendars = ["*/*"]
access = "login"
busy = true
past = "2y"
"""
NAMES = ("alice", "hide", "busy")
CALENDARS = ("one", "two", "three")
COLOR = (
    '<propertyupdate xmlns="DAV:"><set><prop>'
    '<calendar-color xmlns="http://apple.com/ns/ical/">#00ff00ff</calendar-color>'
    "</prop></set></propertyupdate>"
)


class Place(NamedTuple):
    """The place of an object of Alice's."""

    calendar: str
    name: str

    @property
    def address(self) -> str:
        return f"/alice/{self.calendar}/{self.name}.ics"


places = st.builds(Place, st.sampled_from(CALENDARS), st.sampled_from("abc"))
writes = st.one_of(
    st.tuples(st.just("PUT"), places, random_objects),
    st.tuples(st.just("PUT"), places, random_objects),
    st.tuples(st.just("DELETE"), places),
    st.tuples(st.just("MOVE"), places, places),
    st.tuples(st.just("COLOR"), st.sampled_from(CALENDARS)),
    st.tuples(st.just("REPLACE"), st.sampled_from(CALENDARS), places, random_objects),
)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return Installation(tmp_path_factory.mktemp("writes"), feeds=FEEDS)


@pytest.fixture
def client(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    # The times of changes in the store are part of a feed.
    monkeypatch.setattr(collections, "now_microseconds", lambda: 1_767_225_600_000_000)
    with installation.client() as client:
        yield client


def begin(client: Client) -> None:
    """Create three empty calendars."""
    for name in CALENDARS:
        client("DELETE", f"/alice/{name}/")
        assert client("MKCALENDAR", f"/alice/{name}/").status == 201


def put(client: Client, place: Place, source: RandomObject) -> None:
    answer = client("PUT", place.address, source.text(place.name))
    assert answer.status in (201, 204, 409), answer.body  # a MOVE may have left the UID elsewhere


def carry_out(client: Client, write: tuple[object, ...]) -> None:
    match write:
        case ("PUT", Place() as place, RandomObject() as source):
            put(client, place, source)
        case ("DELETE", Place() as place):
            assert client("DELETE", place.address).status in (204, 404)
        case ("MOVE", Place() as place, Place() as target):
            headers = {"Destination": target.address}
            assert client("MOVE", place.address, headers=headers).status < 500
        case ("COLOR", name):
            assert client("PROPPATCH", f"/alice/{name}/", COLOR).status == 207
        case ("REPLACE", name, Place() as place, RandomObject() as source):
            client("DELETE", f"/alice/{name}/")
            assert client("PUT", f"/alice/{name}/", source.text(place.name)).status == 201


def feeds(client: Client) -> dict[str, tuple[str, bytes]]:
    """Return the entity tag and the octets of each feed."""
    answers = {name: client("GET", f"/feeds/{name}.ics") for name in NAMES}
    assert {answer.status for answer in answers.values()} == {200}
    return {name: (answer.headers["ETag"], answer.body) for name, answer in answers.items()}


def clear_cache(folder: Path) -> None:
    """Delete all composed versions."""
    for path in (folder / "feeds" / ".versions").iterdir():
        shutil.rmtree(path)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.lists(writes, max_size=4), min_size=1, max_size=4))
def test_after_any_writes_a_feed_equals_one_from_scratch(
    client: Client, installation: Installation, history: list[list[tuple[object, ...]]]
) -> None:
    begin(client)
    etags: dict[tuple[str, bytes], str] = {}
    for batch in history:
        for write in batch:
            carry_out(client, write)
        grown = feeds(client)
        for name, (etag, octets) in grown.items():
            # Equal octets have equal entity tags, and others have others.
            assert etags.setdefault((name, octets), etag) == etag
            assert list(etags.values()).count(etag) == 1
        for name in ("hide", "busy"):
            text = grown[name][1].replace(b"\r\n ", b"")
            assert HIDDEN.encode() not in text
    clear_cache(installation.folder)
    assert feeds(client) == grown


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    final=st.dictionaries(places, random_objects, min_size=1, max_size=6),
    seed=st.integers(0, 1000),
)
def test_the_order_of_writes_changes_no_octet(
    client: Client, final: dict[Place, RandomObject], seed: int
) -> None:
    written = list(final.items())
    bodies = []
    for _ in range(2):
        begin(client)
        for place, source in written:
            put(client, place, source)
            if seed % 2:
                feeds(client)
        bodies.append({name: body for name, (_, body) in feeds(client).items()})
        random.Random(seed).shuffle(written)
    assert bodies[0] == bodies[1]
