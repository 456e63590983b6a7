"""Incremental composition: equal to composition from scratch after any writes."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.feeds.definitions.model import Rules
from support.feedstore import TODAY, Store, cache_in, compose, feed_with

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def text(
    uid: str, summary: str, access: str, zone: str, organizer: str, override: bool, day: int
) -> bytes:
    start = (
        f"DTSTART;TZID=Here:202601{day:02}T090000" if zone else f"DTSTART:202601{day:02}T090000Z"
    )
    lines = [f"UID:{uid}", start, f"SUMMARY:{summary}", "RRULE:FREQ=DAILY;COUNT=3"]
    if access:
        lines.append(f"CLASS:{access}")
    if organizer:
        lines.append(f"ORGANIZER:mailto:{organizer}")
    event = "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT", ""])
    if override:
        moved = [f"UID:{uid}", "RECURRENCE-ID:20260106T090000Z", "DTSTART:20260106T100000Z"]
        event += "\r\n".join(["BEGIN:VEVENT", *moved, f"SUMMARY:{summary}2", "END:VEVENT", ""])
    definition = ZONE.format(zone) if zone else ""
    return f"BEGIN:VCALENDAR\r\n{definition}{event}END:VCALENDAR\r\n".encode()


objects = st.builds(
    text,
    uid=st.just("UID"),
    summary=st.sampled_from(["one", "two", "a long summary " * 9]),
    access=st.sampled_from(["", "", "PRIVATE", "CONFIDENTIAL"]),
    zone=st.sampled_from(["", "", "+0100", "-0500"]),
    organizer=st.sampled_from(["", "a@example.org", "b@example.org"]),
    override=st.booleans(),
    day=st.integers(1, 9),
)
writes = st.tuples(
    st.sampled_from([1, 2, 3]),
    st.sampled_from(["a", "b", "c", "d", "e", "ä"]),
    st.none() | objects,
)
rules = st.builds(
    Rules,
    title=st.just("All"),
    private=st.sampled_from(["hide", "busy", "show"]),
    busy=st.booleans(),
    past=st.sampled_from([None, None, 3]),
)
# A calendar joins or leaves the feed, or gets another path.
moves = st.tuples(st.sampled_from(["HIDE", "PATH"]), st.sampled_from([1, 2, 3]))
days = st.sampled_from([0, 0, 1, 2, 5, -1])


Write = tuple[int, str, bytes | None]
Move = tuple[str, int]


def carry_out(store: Store, write: Write | Move) -> None:
    match write:
        case ("HIDE", number):
            store.hidden ^= {number}
        case ("PATH", number):
            # Move it before the other calendars, or back.
            path = store.paths[number]
            store.rename(number, path[4:] if path.startswith("aaa-") else f"aaa-{path}")
        case (calendar, uid, None):
            store.remove(calendar, uid)
        case (calendar, uid, data):
            store.put(calendar, uid, data.replace(b"UID:UID", f"UID:{uid}".encode()))


@settings(max_examples=150)
@given(
    history=st.lists(
        st.tuples(days, st.lists(writes | writes | moves, max_size=4)), min_size=1, max_size=6
    ),
    rules=rules,
)
def test_an_incremental_version_equals_one_from_scratch(
    history: list[tuple[int, list[Write | Move]]], rules: Rules
) -> None:
    feed = feed_with(rules)
    store = Store()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        today = TODAY
        for number, (passed, batch) in enumerate(history):
            today += timedelta(days=passed)
            for write in batch:
                carry_out(store, write)
            grown = compose(folder / "grown", store, feed, today)
            assert grown == compose(folder / f"fresh-{number}", store, feed, today)
            if rules.private == "show" and not rules.past:
                assert grown.count(b"UID:") >= len(store.shown_uids())
            assert grown.startswith(b"BEGIN:VCALENDAR\r\n")
            assert grown.endswith(b"END:VCALENDAR\r\n")
            assert grown.count(b"BEGIN:VEVENT") == grown.count(b"END:VEVENT")


@settings(max_examples=100)
@given(
    final=st.dictionaries(
        st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from("abcd")), objects, max_size=8
    ),
    seed=st.randoms(use_true_random=False),
    rules=rules,
)
def test_the_order_of_writes_does_not_matter(
    final: dict[tuple[int, str], bytes], seed: object, rules: Rules
) -> None:
    feed = feed_with(rules)
    written = [(calendar, uid, data) for (calendar, uid), data in final.items()]
    bodies = []
    for _ in range(2):
        store = Store()
        for write in written:
            carry_out(store, write)
        with tempfile.TemporaryDirectory() as name:
            bodies.append(compose(Path(name), store, feed))
        seed.shuffle(written)  # type: ignore[attr-defined]
    assert bodies[0] == bodies[1]


def test_adding_or_removing_a_calendar_does_not_read_the_others(tmp_path: Path) -> None:
    feed = feed_with(Rules("All", "show"))
    store = Store()
    store.hidden = {3}
    for calendar, uid in ((1, "a"), (2, "a"), (2, "b"), (3, "c")):
        store.put(calendar, uid, text(uid, f"in {calendar}", "", "", "", False, 5))
    compose(tmp_path, store, feed)
    for hidden, title in (({2}, b"in 3"), (frozenset(), b"in 2"), ({1}, b"in 2")):
        came = store.hidden - hidden
        store.hidden = hidden
        store.take_reads()
        assert title in compose(tmp_path, store, feed)
        assert store.take_reads() == came


def test_removing_a_calendar_removes_the_effect_of_a_copy_that_was_not_shown(
    tmp_path: Path,
) -> None:
    """The UID of a second meeting is derived from the path of the first calendar that has it."""
    feed = feed_with(Rules("All", "show"))
    store = Store()
    for calendar, organizer, sequence in ((1, "a", 0), (2, "b", 0), (3, "b", 1)):
        event = text("same", f"in {calendar}", "", "", f"{organizer}@example.org", False, 5)
        number = f"BEGIN:VEVENT\r\nSEQUENCE:{sequence}\r\n".encode()
        store.put(calendar, "same", event.replace(b"BEGIN:VEVENT\r\n", number))
    before = compose(tmp_path / "grown", store, feed)
    assert b"in 2" not in before
    store.hidden = {2}
    after = compose(tmp_path / "grown", store, feed)
    assert after == compose(tmp_path / "fresh", store, feed)
    assert after != before
    assert b"in 3" in after


def test_the_text_of_a_zone_goes_with_the_object_it_came_from() -> None:
    """Definitions with equal rules may differ in names and comments; none of these may remain."""
    feed = feed_with(Rules("All", "hide"))
    named = [ZONE.format("+0100").replace("END:S", f"TZNAME:{n}\r\nEND:S") for n in ("A", "B")]
    noted = [ZONE.format("+0100"), ZONE.format("+0100").replace("BEGIN:S", "X-N:1\r\nBEGIN:S")]
    for definitions in (named, noted):
        for leaves in (0, 1):
            store = Store()
            for calendar, definition in enumerate(definitions, 1):
                event = text(f"u{calendar}", "one", "", "+0100", "", False, 5).decode()
                data = event.replace(ZONE.format("+0100"), definition).encode()
                store.put(calendar, f"u{calendar}", data)
            with tempfile.TemporaryDirectory() as name:
                compose(Path(name) / "grown", store, feed)
                store.remove(leaves + 1, f"u{leaves + 1}")
                grown = compose(Path(name) / "grown", store, feed)
                assert grown == compose(Path(name) / "fresh", store, feed)


def ends(uid: str, when: str) -> bytes:
    """Return an event that ends at a time."""
    lines = [f"UID:{uid}", "DTSTART:20260101T000000Z", f"DTEND:{when}"]
    return "\r\n".join(
        ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"]
    ).encode()


def test_a_window_moves_with_the_utc_date_only(tmp_path: Path) -> None:
    store = Store()
    store.put(1, "early", ends("early", "20260110T000000Z"))
    store.put(1, "late", ends("late", "20260110T000001Z"))
    window = feed_with(Rules("All", "show", past=30))
    whole = feed_with(Rules("All", "show"))
    seen = []
    for moment in (
        datetime(2026, 2, 8, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 2, 9, 0, 0, 0, tzinfo=UTC),
        datetime(2026, 2, 9, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 2, 10, 0, 0, 0, tzinfo=UTC),
    ):
        cache = cache_in(tmp_path, store, moment)
        version, file = cache.open(window)
        with file:
            body = file.read()
        seen.append((b"UID:early" in body, b"UID:late" in body, version))
    assert [(early, late) for early, late, _ in seen] == [
        (True, True),
        (False, True),
        (False, True),
        (False, False),
    ]
    contents = [version.content for _, _, version in seen]
    assert contents[0] != contents[1] == contents[2] != contents[3]
    # A client that compares times must see that the version has changed.
    dates = [version.modified or 0 for _, _, version in seen]
    assert dates[0] < dates[1] == dates[2] < dates[3]
    days = [datetime(2026, 2, day, tzinfo=UTC) for day in (8, 9)]
    states = [cache_in(tmp_path, store, day).state(whole) for day in days]
    assert (states[0].key, states[0].changed) == (states[1].key, states[1].changed)
