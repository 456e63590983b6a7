"""A version made from the one before equals one made from scratch, whatever was written."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from kalends.icsfeed import spec
from kalends.icsfeed.definitions import Feed, Rules
from kalends.icsfeed.versions import Versions

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{0}\r\nTZOFFSETTO:{0}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@dataclass(frozen=True)
class State:
    id: int
    path: str
    modseq: int
    changed: int
    props: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    id: int
    calendar: int
    uid: str
    component: str
    modseq: int
    changed: int
    data: bytes


class Store:
    """A store in memory, with the time of each change a function of what was written."""

    def __init__(self) -> None:
        self.modseqs = {1: 1, 2: 1, 3: 1}
        self.stored: dict[tuple[int, str], Stored] = {}
        self.gone: list[tuple[int, int, int, str]] = []
        self.next_id = 1

    def put(self, calendar: int, uid: str, data: bytes) -> None:
        self.modseqs[calendar] += 1
        old = self.stored.get((calendar, uid))
        number = old.id if old else self.next_id
        self.next_id += 0 if old else 1
        stored = Stored(number, calendar, uid, "VEVENT", self.modseqs[calendar], 10**12, data)
        self.stored[calendar, uid] = stored

    def remove(self, calendar: int, uid: str) -> None:
        old = self.stored.pop((calendar, uid), None)
        if old:
            self.modseqs[calendar] += 1
            self.gone.append((calendar, self.modseqs[calendar], old.id, uid))

    @contextmanager
    def snapshot(self) -> Iterator[Store]:
        yield self

    def calendars(self) -> list[State]:
        return [State(i, f"alice/{i}", m, 10**12) for i, m in sorted(self.modseqs.items())]

    def objects(self, calendar: int) -> Iterator[Stored]:
        yield from sorted(
            (s for s in self.stored.values() if s.calendar == calendar), key=lambda s: s.uid
        )

    def changed_since(self, calendar: int, modseq: int) -> Iterator[Stored]:
        yield from (s for s in self.objects(calendar) if s.modseq > modseq)

    def removed_since(self, calendar: int, modseq: int) -> list[tuple[int, str]]:
        return [(number, uid) for c, m, number, uid in self.gone if c == calendar and m > modseq]

    def copies(self, calendars: Collection[int], uids: Collection[str]) -> Iterator[Stored]:
        yield from (s for s in self.stored.values() if s.calendar in calendars and s.uid in uids)

    def shared_uids(self, calendars: Collection[int]) -> set[str]:
        seen = [s.uid for s in self.stored.values() if s.calendar in calendars]
        return {uid for uid in seen if seen.count(uid) > 1}

    def oldest_change(self, calendar: int) -> int:
        return 0


class Everyone:
    def names(self) -> frozenset[str]:
        return frozenset({"alice"})

    def members(self, group: str) -> frozenset[str]:
        return frozenset()


def text(uid: str, summary: str, access: str, zone: str, organizer: str, override: bool) -> bytes:
    start = "DTSTART;TZID=Here:20260105T090000" if zone else "DTSTART:20260105T090000Z"
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
)


def feed_with(rules: Rules) -> Feed:
    """A feed of all of Alice's calendars."""
    text = '[feed.all]\ncalendars = ["alice/*"]\naccess = "login"\n'
    return replace(spec.parse(text, "feeds.toml").named["all"], rules=rules)


def carry_out(store: Store, write: tuple[int, str, bytes | None]) -> None:
    calendar, uid, data = write
    if data is None:
        store.remove(calendar, uid)
    else:
        store.put(calendar, uid, data.replace(b"UID:UID", f"UID:{uid}".encode()))


def composed(folder: Path, store: Store, feed: Feed) -> bytes:
    _, file = Versions(folder, store, Everyone()).open(feed)
    with file:
        return file.read()


@settings(max_examples=150, deadline=None)
@given(history=st.lists(st.lists(writes, max_size=4), min_size=1, max_size=6), rules=rules)
def test_from_before_equals_from_scratch(
    history: list[list[tuple[int, str, bytes | None]]], rules: Rules
) -> None:
    feed = feed_with(rules)
    store = Store()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, batch in enumerate(history):
            for write in batch:
                carry_out(store, write)
            grown = composed(folder / "grown", store, feed)
            assert grown == composed(folder / f"fresh-{number}", store, feed)
            shown = [s for s in store.stored.values() if rules.private == "show"]
            assert grown.count(b"UID:") >= len({s.uid for s in shown})
            assert grown.startswith(b"BEGIN:VCALENDAR\r\n")
            assert grown.endswith(b"END:VCALENDAR\r\n")
            assert grown.count(b"BEGIN:VEVENT") == grown.count(b"END:VEVENT")


@settings(max_examples=100, deadline=None)
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
            bodies.append(composed(Path(name), store, feed))
        seed.shuffle(written)  # type: ignore[attr-defined]
    assert bodies[0] == bodies[1]


def test_a_zones_text_does_not_outlive_the_object_it_came_with() -> None:
    """Definitions with equal rules may differ in names and notes; no trace stays of who left."""
    feed = feed_with(Rules("All", "hide"))
    named = [ZONE.format("+0100").replace("END:S", f"TZNAME:{n}\r\nEND:S") for n in ("A", "B")]
    noted = [ZONE.format("+0100"), ZONE.format("+0100").replace("BEGIN:S", "X-N:1\r\nBEGIN:S")]
    for definitions in (named, noted):
        for leaves in (0, 1):
            store = Store()
            for calendar, definition in enumerate(definitions, 1):
                event = text(f"u{calendar}", "one", "", "+0100", "", False).decode()
                data = event.replace(ZONE.format("+0100"), definition).encode()
                store.put(calendar, f"u{calendar}", data)
            with tempfile.TemporaryDirectory() as name:
                composed(Path(name) / "grown", store, feed)
                store.remove(leaves + 1, f"u{leaves + 1}")
                grown = composed(Path(name) / "grown", store, feed)
                assert grown == composed(Path(name) / "fresh", store, feed)
