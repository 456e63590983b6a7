"""expand-property: properties with the properties of what they refer to (RFC 3253 section 3.8)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from html import unescape
from http import HTTPStatus
from urllib.parse import unquote

from radicale.xmlutils import NAMESPACES, make_clark

from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.properties.collection import elements_of
from kalends.dav.properties.object import ObjectsView
from kalends.dav.properties.view import CollectionView
from kalends.dav.reports.target import ReportTarget
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError
from kalends.store import collections
from kalends.store.objects import read

_PROPERTY = make_clark("D:property")
_HREFS = re.compile(r"<href>([^<]*)</href>")
_STEPS = 50  # of the budget for each resource, about as many as a short object takes to read


@dataclass(frozen=True, slots=True)
class ExpandedProperty:
    """A property, and the properties of what it refers to.

    Attributes:
        tag: its name as ``{namespace}name``.
        inner: what is wanted of each resource that it refers to; empty if it is not expanded.
    """

    tag: str
    inner: tuple[ExpandedProperty, ...]


def read_expand_property(root: ET.Element) -> tuple[ExpandedProperty, ...]:
    """Read an expand-property; its depth is bounded by that of the XML.

    Args:
        root: the ``expand-property`` element.

    Raises:
        BodyRefusedError: a property has no name (400).
    """
    found = []
    for part in root.findall(_PROPERTY):
        name = part.get("name")
        if not name:
            raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "a property has no name")
        namespace = part.get("namespace", NAMESPACES["D"])
        found.append(ExpandedProperty(f"{{{namespace}}}{name}", read_expand_property(part)))
    return tuple(found)


def write_expand_property(
    target: ReportTarget, asked: tuple[ExpandedProperty, ...], buffer: ResponseBuffer
) -> None:
    """Write the properties of the resource, with those of what they refer to.

    Raises:
        BudgetSpentError: they refer to more than a request may ask for.
    """
    buffer.write(_Expander(target).of_target(asked))


class _Expander:
    """The responses of one report, within one budget."""

    def __init__(self, target: ReportTarget) -> None:
        self._target = target
        self._budget = AnswerBudget()

    def of_target(self, asked: tuple[ExpandedProperty, ...]) -> str:
        target = self._target
        if target.name is None:
            return self._of_collection(target.view, asked)
        return self._of_object(target.view, target.name, asked)

    def _of_collection(self, view: CollectionView, asked: tuple[ExpandedProperty, ...]) -> str:
        found, missing = elements_of(view, [one.tag for one in asked])
        return self._response(view.href(view.path), asked, found, missing)

    def _of_object(
        self, view: CollectionView, name: str, asked: tuple[ExpandedProperty, ...]
    ) -> str:
        target = self._target
        objects = ObjectsView(view, tuple(one.tag for one in asked), in_report=False)
        for row in read.objects_named(target.connection, view.row.id, [name], data=False):
            return objects.response(row)
        return write.not_found(view.asked.prefix + view.path + name)

    def _response(
        self,
        address: str,
        asked: tuple[ExpandedProperty, ...],
        found: dict[str, str],
        missing: list[str],
    ) -> str:
        self._target.budget.draw(_STEPS)
        values = {one.tag: self._expanded(one, found[one.tag]) for one in asked if one.tag in found}
        text = write.response(
            address,
            "".join(values.values()),
            "" if self._target.view.asked.is_minimal else "".join(map(write.element, missing)),
        )
        self._budget.spend(len(text))
        return text

    def _expanded(self, one: ExpandedProperty, value: str) -> str:
        """Return a property with each href replaced by the response of its resource."""
        if not one.inner:
            return value
        return _HREFS.sub(lambda href: self._of_href(unescape(href[1]), one.inner), value)

    def _of_href(self, address: str, asked: tuple[ExpandedProperty, ...]) -> str:
        target = self._target
        path = unquote(address).removeprefix(target.request.prefix)
        row = collections.find_collection(target.connection, path.strip("/"))
        if row is None and path == "/":
            row = collections.UNWRITTEN_ROOT
        view = row and target.reader.view(target.connection, target.request, row)
        if not view:
            return write.not_found(unquote(address))
        return self._of_collection(view, asked)
