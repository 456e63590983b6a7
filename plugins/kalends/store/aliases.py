"""Former addresses of collections, at which these go on to answer.

An alias is in the same home as its collection, so that it gives nobody other rights.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from kalends.store.schema import alias, collection


def add_alias(connection: Connection, path: str, collection_id: int) -> None:
    """Let a collection answer at a path too, until another one is made there.

    Args:
        connection: a write transaction.
        path: without a slash at either end, in the home of the collection.
        collection_id: the number of the collection.
    """
    connection.execute(delete(alias).where(alias.c.path == path))
    connection.execute(insert(alias).values(path=path, collection_id=collection_id))


def aliases_of_all(connection: Connection) -> Mapping[int, tuple[str, ...]]:
    """Return the aliases of each collection that has one, by its number."""
    found: dict[int, tuple[str, ...]] = {}
    query = (
        select(alias.c.collection_id, alias.c.path, collection.c.parent)
        .join(collection, collection.c.id == alias.c.collection_id)
        .order_by(alias.c.path)
    )
    for number, path, parent in connection.execute(query):
        if path.rpartition("/")[0] == parent:
            found[number] = (*found.get(number, ()), path)
    return found
