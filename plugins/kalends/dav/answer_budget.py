"""The bounds on what one answer repeats for each resource."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from http import HTTPStatus

from radicale import types
from radicale.xmlutils import make_clark
from sqlalchemy import Connection

from kalends.dav.xml import limits
from kalends.errors import BodyRefusedError
from kalends.limit_names import Limit
from kalends.store import collections
from kalends.store.objects import read

_PROP = make_clark("D:prop")
_ALL_PROPERTIES = 20


class AnswerBudget:
    """The characters that an answer may still repeat: names, states and addresses, not the data."""

    def __init__(self) -> None:
        self._left = limits.MAX_REPEATED

    def spend(self, characters: int) -> None:
        """Take characters off.

        Raises:
            BodyRefusedError: there are not as many left (507).
        """
        self._left -= characters
        if self._left < 0:
            raise _too_large()


def check_members(
    connection: Connection, environ: types.WSGIEnviron, root: ET.Element | None, path: str
) -> None:
    """Refuse a PROPFIND whose answer Radicale would build as a tree that is too large.

    Args:
        connection: the transaction to read in.
        environ: the WSGI environment.
        root: the XML of the request, or None.
        path: of the request.

    Raises:
        BodyRefusedError: it is (507).
    """
    if environ.get("HTTP_DEPTH", "0") == "0":
        return
    row = collections.find_collection(connection, path.strip("/"))
    names = 0 if root is None else sum(len(prop) for prop in root.iter(_PROP))
    values = (names or _ALL_PROPERTIES) * (read.count_members(connection, row.id) if row else 0)
    if values > limits.MAX_VALUES:
        raise _too_large()


def _too_large() -> BodyRefusedError:
    why = "the answer is too large; ask for fewer properties of so many resources"
    return BodyRefusedError(
        HTTPStatus.INSUFFICIENT_STORAGE,
        why,
        "D:number-of-matches-within-limits",
        limit=Limit.ANSWER,
    )
