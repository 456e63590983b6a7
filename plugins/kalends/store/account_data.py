"""What the store holds of an account, and how it goes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from kalends.common.names import RESERVED, refusal_of_name
from kalends.store import collections, external_accounts
from kalends.store.engine import Database
from kalends.store.objects import read
from kalends.store.schema import feed_secret


@dataclass(frozen=True)
class AccountData:
    """What the store holds of an account.

    Attributes:
        collections: its home and what is in it, by path, with the number of objects in each.
        secrets: the feeds that it has a secret address of.
    """

    collections: Mapping[str, int]
    secrets: Collection[str]

    def __bool__(self) -> bool:
        return bool(self.collections or self.secrets)


NO_DATA = AccountData({}, ())


def list_homes(connection: Connection) -> frozenset[str]:
    """The accounts that have a home, whether any file names them or not."""
    return frozenset(row.path for row in collections.list_children(connection, "")) - RESERVED


def read_account_data(connection: Connection, name: str) -> AccountData:
    """What the store holds of an account, whether any file names it or not."""
    found = dict(_below(connection, name)) if refusal_of_name(name, ()) is None else {}
    query = select(feed_secret.c.feed).where(feed_secret.c.person == name)
    return AccountData(found, sorted(connection.execute(query).scalars()))


def remove_account_data(database: Database, name: str) -> AccountData:
    """Delete the home of an account with all that is in it, and its secret addresses of feeds.

    Returns:
        what was there.
    """
    with database.write(name) as connection:
        found = read_account_data(connection, name)
        if found.collections:
            collections.remove_collection(connection, name)
        connection.execute(delete(feed_secret).where(feed_secret.c.person == name))
        external_accounts.delete_external_account(connection, name)
    return found


def forget_external_account(database: Database, name: str) -> None:
    """Let ``name`` be no account for having been logged in by the web server once."""
    with database.write(name) as connection:
        external_accounts.delete_external_account(connection, name)


def _below(connection: Connection, path: str) -> Iterator[tuple[str, int]]:
    row = collections.find_collection(connection, path)
    if row is None:
        return
    yield path, read.count_members(connection, row.id)
    for child in collections.list_children(connection, path):
        yield from _below(connection, child.path)
