"""Long lists of names, in pieces that every database takes in one query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

BATCH_SIZE = 400
"""Names in one query."""

_Name = TypeVar("_Name")


def batched(names: Iterable[_Name]) -> Iterator[list[_Name]]:
    """The names in order, a few hundred at a time."""
    rest = iter(names)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch
