"""The data of an account in the store, and its deletion."""

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
    """The data of an account in the store.

    Attributes:
        collections: the number of objects in its home and in each collection below, by path.
        secrets: the names of the feeds for which it has a secret address.
    """

    collections: Mapping[str, int]
    secrets: Collection[str]

    def __bool__(self) -> bool:
        return bool(self.collections or self.secrets)


NO_DATA = AccountData({}, ())


def list_homes(connection: Connection) -> frozenset[str]:
    """Return the accounts that have a home, even if no user file names them."""
    return frozenset(row.path for row in collections.list_children(connection, "")) - RESERVED


def read_account_data(connection: Connection, name: str) -> AccountData:
    """Return the data of an account, even if no user file names it."""
    found = dict(_below(connection, name)) if refusal_of_name(name, ()) is None else {}
    query = select(feed_secret.c.feed).where(feed_secret.c.person == name)
    return AccountData(found, sorted(connection.execute(query).scalars()))


def remove_account_data(database: Database, name: str) -> AccountData:
    """Delete the home of an account with everything in it, and its secret feed addresses.

    Returns:
        the data that was deleted.
    """
    with database.write(name) as connection:
        found = read_account_data(connection, name)
        if found.collections:
            collections.remove_collection(connection, name)
        connection.execute(delete(feed_secret).where(feed_secret.c.person == name))
        external_accounts.delete_external_account(connection, name)
    return found


def forget_external_account(database: Database, name: str) -> None:
    """Stop counting ``name`` as an account because the web server once logged it in."""
    with database.write(name) as connection:
        external_accounts.delete_external_account(connection, name)


def _below(connection: Connection, path: str) -> Iterator[tuple[str, int]]:
    row = collections.find_collection(connection, path)
    if row is None:
        return
    yield path, read.count_members(connection, row.id)
    for child in collections.list_children(connection, path):
        yield from _below(connection, child.path)
