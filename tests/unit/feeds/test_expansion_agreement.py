"""A feed has exactly the occurrences of its visible sources, by two independent readers."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.feeds.definitions.model import Rules
from support.expansions import IcalJs, Occurrences, expand_with_icalendar
from support.feedstore import Store, compose, feed_with
from support.randomcalendars import HIDDEN, StoredObjects, random_stores, visible_objects

Reader = Callable[[str], Occurrences]
rules = st.tuples(st.sampled_from(["hide", "busy", "show"]), st.booleans())


@pytest.fixture(scope="module")
def ical_js() -> Iterator[Reader]:
    with IcalJs() as reader:
        yield reader


def feed_of(objects: StoredObjects, private: str, busy: bool) -> str:
    """Compose the feed of objects in four calendars."""
    store = Store("alice/1", "alice/2", "bob/3", "carol/4")
    for (calendar, uid), source in objects.items():
        store.put(calendar, uid, source.text(uid).encode())
    feed = feed_with(Rules("All", private, busy=busy))
    with tempfile.TemporaryDirectory() as folder:
        return compose(Path(folder), store, feed).decode()


def expected(objects: StoredObjects, private: str, busy: bool, reader: Reader) -> Occurrences:
    """Return the visible occurrences of the sources, read one by one."""
    found: Occurrences = Counter()
    for source, uid in visible_objects(objects, private, busy):
        levels = source.levels(private, busy)
        for (start, end, summary), times in reader(source.text(uid)).items():
            if levels[summary] != "hide":
                found[start, end, summary if levels[summary] == "show" else "Busy"] += times
    return found


def check(objects: StoredObjects, private: str, busy: bool, reader: Reader) -> None:
    text = feed_of(objects, private, busy)
    assert reader(text) == expected(objects, private, busy, reader)
    if private != "show" or busy:
        assert HIDDEN.lower() not in text.replace("\r\n ", "").lower()


@settings(max_examples=30)
@given(objects=random_stores, chosen=rules)
def test_icalendar_finds_the_same_occurrences_in_a_feed_as_in_its_sources(
    objects: StoredObjects, chosen: tuple[str, bool]
) -> None:
    check(objects, *chosen, expand_with_icalendar)


def test_ical_js_finds_the_same_occurrences_in_a_feed_as_in_its_sources(ical_js: Reader) -> None:
    @settings(max_examples=300)
    @given(objects=random_stores, chosen=rules)
    def run(objects: StoredObjects, chosen: tuple[str, bool]) -> None:
        check(objects, *chosen, ical_js)

    run()
