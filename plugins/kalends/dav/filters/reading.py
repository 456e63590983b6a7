"""The parts that filters of calendars and of address books share, read from their XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from radicale.xmlutils import make_clark

from kalends.dav.filters.collation import (
    ASCII_CASEMAP,
    COLLATIONS,
    KINDS,
    UNICODE_CASEMAP,
    fold,
)
from kalends.dav.filters.model import ParamFilter, TextMatch, UtcRange
from kalends.errors import ReportRefusedError

_UTC = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)


class FilterDialect(NamedTuple):
    """The differences between the filters of the two protocols.

    Attributes:
        space: Radicale's short name of the namespace.
        collation: the default collation.
        kinds: the values of ``match-type``.
        precondition: Radicale's short name of what an invalid filter fails.
    """

    space: str
    collation: str
    kinds: Sequence[str]
    precondition: str

    def tag(self, name: str) -> str:
        """Return an element's name in the namespace."""
        return make_clark(f"{self.space}:{name}")

    def invalid(self, why: str) -> ReportRefusedError:
        """Return the refusal of an invalid filter (RFC 4791 section 7.8, RFC 6352 section 8.6)."""
        return ReportRefusedError(self.precondition, why)


CALENDAR = FilterDialect("C", ASCII_CASEMAP, ("contains",), "C:valid-filter")
# RFC 6352 has no element for a filter that is not valid.
CARD = FilterDialect("CR", UNICODE_CASEMAP, KINDS, "CR:supported-filter")


def name_of(element: ET.Element, dialect: FilterDialect) -> str:
    """Return the name that a filter is about, in upper case."""
    name = element.get("name", "").strip().upper()
    if not name:
        raise dialect.invalid("a filter has no name")
    return name


def is_not_defined(element: ET.Element, dialect: FilterDialect) -> bool:
    """Return True if a filter asks for absence, which excludes all other tests."""
    tag = dialect.tag("is-not-defined")
    if not any(child.tag == tag for child in element):
        return False
    if len(element) > 1:
        raise dialect.invalid("is-not-defined stands beside another test")
    return True


def read_text_match(element: ET.Element, dialect: FilterDialect) -> TextMatch:
    """Read a text-match."""
    collation = element.get("collation", dialect.collation)
    if collation == "default":  # RFC 4790 section 3.1
        collation = dialect.collation
    if collation not in COLLATIONS:
        raise ReportRefusedError(
            f"{dialect.space}:supported-collation", f"unknown collation {collation[:40]!r}"
        )
    kind = element.get("match-type", "contains") if len(dialect.kinds) > 1 else "contains"
    negated = element.get("negate-condition", "no")
    if kind not in dialect.kinds or negated not in ("yes", "no") or len(element):
        raise dialect.invalid("a text-match is invalid")
    return TextMatch(fold(element.text or "", collation), collation, kind, negated == "yes")


def read_param_filter(element: ET.Element, dialect: FilterDialect) -> ParamFilter:
    """Read a param-filter."""
    name = name_of(element, dialect)
    if is_not_defined(element, dialect):
        return ParamFilter(name, is_defined=False)
    refuse_others(element, [dialect.tag("text-match")], dialect)
    if len(element) > 1:
        raise dialect.invalid("a param-filter has several tests")
    return ParamFilter(name, text=read_text_match(element[0], dialect) if len(element) else None)


def refuse_others(element: ET.Element, known: Collection[str], dialect: FilterDialect) -> None:
    """Refuse elements of a filter that are not there by its grammar."""
    for child in element:
        if child.tag not in known:
            raise dialect.invalid(f"unexpected element {child.tag[:80]!r} in a filter")


def read_utc_range(element: ET.Element, *, needs_both: bool = False) -> UtcRange | None:
    """Read the attributes ``start`` and ``end`` of an element (RFC 4791 section 9.9).

    Args:
        element: the element.
        needs_both: False if one of them suffices.

    Returns:
        the range; None if it is invalid: without a bound, with a local time, or empty.
    """
    bounds = []
    for name in ("start", "end"):
        text = element.get(name)
        match = _UTC.fullmatch(text) if text is not None else None
        if text is not None and match is None:
            return None
        try:
            bounds.append(_instant(match) if match else None)
        except ValueError:
            return None
    start, end = bounds
    if (start is None and end is None) or (needs_both and (start is None or end is None)):
        return None
    if start is not None and end is not None and start >= end:
        return None
    return UtcRange(start, end)


def _instant(match: re.Match[str]) -> int:
    return int(datetime(*map(int, match.groups()), tzinfo=UTC).timestamp())  # type: ignore[misc,arg-type] # six numbers
