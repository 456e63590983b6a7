"""Evaluation of the filter of an addressbook-query on cards (RFC 6352 section 10.5)."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterable, Sequence

from kalends.common.budget import Budget
from kalends.dav.filters.collation import is_match, match_steps
from kalends.dav.filters.model import CardFilter, ParamFilter, PropFilter, TextMatch
from kalends.ical import contentlines
from kalends.ical.contentlines import Property
from kalends.ical.stored_lines import LINE_STEPS, lines_named, scanning_steps

_LIST_VALUES = re.compile(r"(?:[^\\,]++|\\.)++", re.DOTALL)

# Properties with several values in one line (RFC 6350 section 3.3, ``text-list``).
_LISTS = frozenset({"NICKNAME", "CATEGORIES"})

# The octets of a card that are looked through for a step.
_SCANNED = 500


class CardMatcher:
    """The evaluation of one filter on many cards.

    Args:
        wanted: the filter.
        budget: the limit of the work on all cards together.
    """

    def __init__(self, wanted: CardFilter, budget: Budget) -> None:
        self._wanted = wanted
        self._budget = budget
        self._names = frozenset(prop.name for prop in wanted.props)

    def matches(self, data: bytes) -> bool:
        """Return True if a card matches.

        Args:
            data: the octets of the card.

        Raises:
            BudgetSpentError: the work on all cards is too much.
        """
        wanted = self._wanted
        if not wanted.props:
            return True
        self._budget.draw(10 + len(data) // _SCANNED + scanning_steps(data))
        found = self._find(data)
        return (all if wanted.is_allof else any)(self._has(prop, found) for prop in wanted.props)

    def _find(self, data: bytes) -> dict[str, list[Property]]:
        """Return the properties that the filter is about, by the names that it gives them."""
        found: dict[str, list[Property]] = {}
        for line in lines_named(data, self._names):
            self._budget.draw(LINE_STEPS)
            prop = line.property()
            for name in line.names:
                found.setdefault(name, []).append(prop)
        return found

    def _has(self, wanted: PropFilter, found: dict[str, list[Property]]) -> bool:
        named = found.get(wanted.name, [])
        self._budget.draw(1 + len(named))
        if not wanted.is_defined:
            return not named
        return any(self._passes(wanted, prop) for prop in named)

    def _passes(self, wanted: PropFilter, prop: Property) -> bool:
        """Return True if one property passes the tests."""
        if not wanted.texts and not wanted.params:
            return True
        texts = (self._has_text(text, prop) for text in wanted.texts)
        params = (self._has_parameter(param, prop) for param in wanted.params)
        if wanted.is_allof:
            return all(texts) and all(params)
        return any(texts) or any(params)

    def _has_text(self, wanted: TextMatch, prop: Property) -> bool:
        self._budget.draw(match_steps(prop.value))
        if _is_list(prop):
            self._budget.draw(2 * prop.value.count(","))
        return is_match(wanted, _texts(prop))

    def _has_parameter(self, wanted: ParamFilter, prop: Property) -> bool:
        self._budget.draw(match_steps(prop.raw_params) + 2 * prop.raw_params.count(","))
        values = _parameter(prop, wanted.name)
        if values is None or not wanted.is_defined:
            return (values is None) is not wanted.is_defined
        return wanted.text is None or is_match(wanted.text, values)


def _texts(prop: Property) -> Iterable[str]:
    """Yield the value of a property as text; of a list also each of its values."""
    value = prop.value
    if "QUOTED-PRINTABLE" in prop.raw_params.upper():  # vCard 2.1
        value = quopri.decodestring(value.encode()).decode("utf-8", "replace")
    yield contentlines.unescape(value)
    if _is_list(prop) and "," in value:
        for single in _LIST_VALUES.finditer(value):  # one at a time: there may be millions
            yield contentlines.unescape(single[0])


def _is_list(prop: Property) -> bool:
    return prop.name.rpartition(".")[2] in _LISTS


def _parameter(prop: Property, name: str) -> Sequence[str] | None:
    """Return the values of a parameter; None if the property does not have it.

    vCard 2.1 writes a type by its value alone, as in ``TEL;HOME:``.
    """
    params = prop.params
    bare = [key for key, values in params.items() if not values] if name == "TYPE" else []
    return params[name] + bare if name in params else bare or None
