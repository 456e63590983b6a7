"""Cached calendars of feeds: read again only after a change, and never out of date."""

from __future__ import annotations

import random

from kalends.store import collections
from kalends.store.engine import Database, open_database
from kalends.store.feed_queries import FeedSource
from kalends.store.migrate import migrate


def change(database: Database, dice: random.Random) -> None:
    """Change the collections once, or twice in one transaction with the same number afterwards."""
    with database.write() as connection:
        there = [row.path for row in collections.list_collections(connection) if row.tag]
        action = dice.choice(("create", "remove", "touch", "paint", "replace"))
        if action == "create" or not there:
            path = f"{dice.choice('abc')}/{dice.randrange(10**9)}"
            collections.create_collection(connection, path, {"tag": "VCALENDAR"})
            return
        row = collections.find_collection(connection, dice.choice(there))
        assert row is not None
        if action == "touch":
            collections.record_change(connection, row.id)
        elif action == "paint":
            props = {"tag": "VCALENDAR", "ICAL:calendar-color": f"#{dice.randrange(10**6):06}"}
            collections.set_props(connection, row.id, props)
        else:
            collections.remove_collection(connection, row.path)
            if action == "replace":
                collections.create_collection(connection, row.path, {"tag": "VCALENDAR"})


def test_the_cached_calendars_are_current_after_any_changes(store_url: str) -> None:
    database = open_database(store_url)
    migrate(database)
    dice = random.Random(7)
    source = FeedSource(database)
    for _ in range(150):
        change(database, dice)
        with source.snapshot() as snapshot, FeedSource(database).snapshot() as fresh:
            seen = snapshot.calendars()
            assert seen == fresh.calendars()
        with source.snapshot() as snapshot:
            assert snapshot.calendars() is seen  # nothing has changed
    database.close()
