"""The dead properties of objects, which few have: a JSON object of texts by name, as collections'.

Every function works on a connection that ``engine.Database`` opened, inside its transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import Connection, bindparam, select, update

from kalends.errors import StoreRefusedError
from kalends.limit_names import Limit
from kalends.store.collections import load_props
from kalends.store.compiled import CompiledStatement
from kalends.store.schema import calendar_object

MAX_PROPERTIES = 100
"""Properties of an object; programs set none, or a few."""

MAX_PROPERTIES_LENGTH = 20_000
"""Characters of all of them: each answer that asks for one of them reads them all."""

_props = calendar_object.c.props
_HAVE = CompiledStatement(
    select(calendar_object.c.id).where(
        calendar_object.c.collection_id == bindparam("where"), _props.is_not(None)
    )
)
_READ = CompiledStatement(select(_props).where(calendar_object.c.id == bindparam("which")))
_SET = CompiledStatement(
    update(calendar_object).where(calendar_object.c.id == bindparam("which")), ["props"]
)


class ObjectProperties:
    """The dead properties of the objects of one collection.

    Args:
        connection: the transaction to read in.
        collection_id: the number of the collection.
    """

    def __init__(self, connection: Connection, collection_id: int) -> None:
        self._connection = connection
        rows = _HAVE.run(connection, {"where": collection_id}).fetchall()
        self._having = frozenset(number for (number,) in rows)

    def __bool__(self) -> bool:
        """Return True if some object has any."""
        return bool(self._having)

    def of(self, object_id: int) -> Mapping[str, str]:
        """Return those of an object."""
        return read_props(self._connection, object_id) if object_id in self._having else {}


def read_props(connection: Connection, object_id: int) -> Mapping[str, str]:
    """Return the properties of an object."""
    row = _READ.run(connection, {"which": object_id}).fetchone()
    return load_props(row[0]) if row and row[0] is not None else {}


def set_props(connection: Connection, object_id: int, props: Mapping[str, str]) -> None:
    """Replace the properties of an object; its octets and its entity tag stay as they are.

    Raises:
        StoreRefusedError: there are too many.
    """
    text = json.dumps(dict(props), sort_keys=True, ensure_ascii=False)
    if len(props) > MAX_PROPERTIES or len(text) > MAX_PROPERTIES_LENGTH:
        raise StoreRefusedError(
            f"an object has {MAX_PROPERTIES} properties at most, "
            f"of {MAX_PROPERTIES_LENGTH} characters in all",
            limit=Limit.STORED_PROPERTIES,
        )
    _SET.run(connection, {"which": object_id, "props": text if props else None})
