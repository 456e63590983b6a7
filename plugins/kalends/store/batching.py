"""Batches of names, small enough for one query on every database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

BATCH_SIZE = 400
"""The most names in one query."""

_Name = TypeVar("_Name")


def batched(names: Iterable[_Name]) -> Iterator[list[_Name]]:
    """Yield the names in order, a few hundred at a time."""
    rest = iter(names)
    while batch := list(islice(rest, BATCH_SIZE)):
        yield batch
