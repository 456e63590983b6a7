"""The filter of an addressbook-query, read from its XML and checked (RFC 6352 section 10.5)."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from kalends.dav.filters.model import CardFilter, PropFilter
from kalends.dav.filters.reading import (
    CARD,
    is_not_defined,
    name_of,
    read_param_filter,
    read_text_match,
    refuse_others,
)

_PROP, _TEXT, _PARAM = (CARD.tag(name) for name in ("prop-filter", "text-match", "param-filter"))


def read_card_filter(element: ET.Element) -> CardFilter:
    """Read the filter of an addressbook-query.

    Args:
        element: the ``filter`` element.

    Raises:
        ReportRefusedError: it is invalid, or asks for something unsupported.
    """
    refuse_others(element, [_PROP], CARD)
    # Equal tests cost the answer nothing new.
    props = tuple(dict.fromkeys(map(_prop_filter, element)))
    return CardFilter(props, is_allof=_is_allof(element))


def _is_allof(element: ET.Element) -> bool:
    test = element.get("test", "anyof")
    if test not in ("anyof", "allof"):
        raise CARD.invalid(f"test is neither anyof nor allof: {test[:40]!r}")
    return test == "allof"


def _prop_filter(element: ET.Element) -> PropFilter:
    name = name_of(element, CARD)
    if is_not_defined(element, CARD):
        return PropFilter(name, is_defined=False)
    refuse_others(element, [_TEXT, _PARAM], CARD)
    return PropFilter(
        name,
        texts=tuple(dict.fromkeys(read_text_match(t, CARD) for t in element.findall(_TEXT))),
        params=tuple(dict.fromkeys(read_param_filter(p, CARD) for p in element.findall(_PARAM))),
        is_allof=_is_allof(element),
    )
