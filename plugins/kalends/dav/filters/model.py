"""Filters of calendar-query and addressbook-query as data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple


class UtcRange(NamedTuple):
    """A time range of a filter (RFC 4791 section 9.9).

    Attributes:
        start: seconds since 1970, UTC; None without a bound.
        end: the same, exclusive.
    """

    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A test of a text (RFC 4791 section 9.7.5, RFC 6352 section 10.5.4).

    Attributes:
        text: the text to find, as ``collation.fold`` returns it.
        collation: its name, such as ``i;ascii-casemap``.
        kind: ``equals``, ``contains``, ``starts-with`` or ``ends-with``.
        negated: whether the text must not be found.
    """

    text: str
    collation: str
    kind: str = "contains"
    negated: bool = False


@dataclass(frozen=True, slots=True)
class ParamFilter:
    """A test of a parameter (RFC 4791 section 9.7.3, RFC 6352 section 10.5.2).

    Attributes:
        name: in upper case.
        is_defined: False if the property must not have it.
        text: the test of its values; None if it needs only to exist.
    """

    name: str
    is_defined: bool = True
    text: TextMatch | None = None


@dataclass(frozen=True, slots=True)
class PropFilter:
    """A test of a property (RFC 4791 section 9.7.2, RFC 6352 section 10.5.1).

    One property must satisfy the tests, not several together.

    Attributes:
        name: in upper case; of a card perhaps with a group.
        is_defined: False if there must be no such property.
        within: the time range that its value must be in, or None.
        texts: tests of its value.
        params: tests of its parameters.
        is_allof: whether all tests must be satisfied; otherwise one suffices.
    """

    name: str
    is_defined: bool = True
    within: UtcRange | None = None
    texts: tuple[TextMatch, ...] = ()
    params: tuple[ParamFilter, ...] = ()
    is_allof: bool = True


@dataclass(frozen=True, slots=True)
class CompFilter:
    """A test of a component (RFC 4791 section 9.7.1).

    One component must satisfy all tests, not several together.

    Attributes:
        name: in upper case.
        is_defined: False if there must be no such component.
        within: the time range in which it must happen, or None.
        props: tests of its properties.
        comps: tests of the components in it.
    """

    name: str
    is_defined: bool = True
    within: UtcRange | None = None
    props: tuple[PropFilter, ...] = ()
    comps: tuple[CompFilter, ...] = ()

    @property
    def is_bare(self) -> bool:
        """True if it tests nothing but the existence of the component."""
        return self.is_defined and not (self.within or self.props or self.comps)

    def walk(self) -> Iterator[CompFilter]:
        """Yield this filter and those within it."""
        yield self
        for comp in self.comps:
            yield from comp.walk()


@dataclass(frozen=True, slots=True)
class CardFilter:
    """A test of a card (RFC 6352 section 10.5).

    Attributes:
        props: tests of its properties; without any, every card matches.
        is_allof: whether all tests must be satisfied; otherwise one suffices.
    """

    props: tuple[PropFilter, ...] = ()
    is_allof: bool = False
