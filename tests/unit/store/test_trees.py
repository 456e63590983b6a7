"""Copies and moves of collections with all that is in them, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, select

from kalends.errors import StoreRefusedError
from kalends.ical.validate import read_calendar_object
from kalends.store import collections, integrity, migrate, trees
from kalends.store.engine import open_database
from kalends.store.objects import read, write
from kalends.store.schema import calendar_object, occurrence
from support.installation import event

PROPS = {"tag": "VCALENDAR", "D:displayname": "Wörk"}
PLACES = ("a", "a/0", "a/cal", "a/cal/in", "a/cal-2", "a/cal0", "a/cal/in/deep", "other/cal")


@pytest.fixture
def connection(store_url: str) -> Iterator[Connection]:
    """Open a write transaction on a store with nested collections, each with two objects."""
    database = open_database(store_url)
    migrate.migrate(database)
    with database.write() as connection:
        for place in sorted(PLACES):
            made = collections.create_collection(connection, place, PROPS)
            for number in range(2):
                uid = f"{place} {number}"
                content = read_calendar_object(
                    event(uid, "20260105T090000Z", f"RRULE:FREQ=DAILY;COUNT={number + 1}")
                )
                write.put_object(connection, made.id, f"{number}.ics", content)
        yield connection
    database.close()


def contents(connection: Connection, path: str) -> dict[str, object]:
    """Return what is stored of a collection, without what is its own."""
    row = collections.find_collection(connection, path)
    assert row is not None
    objects = connection.execute(
        select(calendar_object)
        .where(calendar_object.c.collection_id == row.id)
        .order_by(calendar_object.c.href)
    ).all()
    found: dict[str, object] = {"props": dict(row.props), "tag": row.tag}
    for one in objects:
        spans = connection.execute(
            select(occurrence.c.start, occurrence.c.end, occurrence.c.span, occurrence.c.step)
            .where(occurrence.c.object_id == one.id, occurrence.c.collection_id == row.id)
            .order_by(occurrence.c.start)
        ).all()
        values = dict(one._mapping)
        for own in ("id", "collection_id", "changed"):
            del values[own]
        found[one.href] = (values, [tuple(span) for span in spans])
    return found


def paths(connection: Connection) -> set[str]:
    return {row.path for row in collections.list_collections(connection)} - {"", "other"}


def source(connection: Connection) -> collections.CollectionRow:
    row = collections.find_collection(connection, "a/cal")
    assert row is not None
    return row


def test_a_copy_has_everything_and_is_new(connection: Connection) -> None:
    here = source(connection)
    made = trees.copy_tree(connection, here, "other/new", members=True)
    assert made == ["other/new", "other/new/in", "other/new/in/deep"]
    assert paths(connection) == {*PLACES, *made}
    for path in made:
        old = path.replace("other/new", "a/cal")
        assert contents(connection, path) == contents(connection, old)
        rows = [collections.find_collection(connection, one) for one in (path, old)]
        assert len({row.incarnation for row in rows if row}) == 2
    assert collections.find_collection(connection, "a/cal") == here
    assert not list(integrity.check_store(connection))


def test_a_copy_without_members_is_empty(connection: Connection) -> None:
    made = trees.copy_tree(connection, source(connection), "other/new", members=False)
    assert made == ["other/new"]
    row = collections.find_collection(connection, "other/new")
    assert row is not None
    assert row.props == PROPS
    assert read.count_members(connection, row.id) == 0


def test_a_move_changes_the_paths_of_a_tree_alone(connection: Connection) -> None:
    moved = ("a/cal", "a/cal/in", "a/cal/in/deep")
    before = {path: contents(connection, path) for path in PLACES}
    modseqs = {path: collections.find_collection(connection, path) for path in ("a", "other")}
    assert trees.move_tree(connection, source(connection), "other/new") == [*moved]
    after = {path.replace("a/cal", "other/new") if path in moved else path for path in PLACES}
    assert paths(connection) == after
    for path, content in before.items():
        now = path.replace("a/cal", "other/new") if path in moved else path
        assert contents(connection, now) == content
    for path, row in modseqs.items():
        now_row = collections.find_collection(connection, path)
        assert row is not None
        assert now_row is not None
        assert now_row.modseq == row.modseq + 1
    assert [row.path for row in collections.list_children(connection, "other/new")] == [
        "other/new/in"
    ]
    assert not list(integrity.check_store(connection))


@pytest.mark.parametrize(
    ("limit", "most"),
    [("MAX_COPIED_OBJECTS", 5), ("MAX_COPIED_COLLECTIONS", 2), ("MAX_COPIED_OCTETS", 1000)],
)
def test_a_copy_is_bounded(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(trees, limit, most)
    with pytest.raises(StoreRefusedError):
        trees.copy_tree(connection, source(connection), "other/new", members=True)
    assert trees.copy_tree(connection, source(connection), "other/new", members=False)
