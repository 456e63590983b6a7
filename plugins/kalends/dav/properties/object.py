"""The properties of objects: a response element for each, made from one template."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import quote

from radicale.xmlutils import OBJECT_MIMETYPES, make_clark

from kalends.common.http import http_date
from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.properties.collection import (
    CollectionView,
    privilege_set,
    report_set,
)
from kalends.dav.reports.kinds import reports_of
from kalends.dav.resource import OBJECT_KINDS
from kalends.dav.xml.requests import ADDRESS_DATA, CALENDAR_DATA
from kalends.dav.xml.write import element, escaped, escaped_octets, response
from kalends.store.objects.read import ObjectRow

_DATA = {"VCALENDAR": CALENDAR_DATA, "VADDRESSBOOK": ADDRESS_DATA}
_ETAG = make_clark("D:getetag")
_OWN: Mapping[str, Callable[[ObjectRow], str]] = {
    _ETAG: lambda row: row.etag,
    make_clark("D:getlastmodified"): lambda row: http_date(row.changed / 1_000_000),
    make_clark("D:getcontentlength"): lambda row: str(row.size),
    make_clark("D:getcontenttype"): lambda row: (
        f"{OBJECT_MIMETYPES[row.kind]};charset=utf-8;component={row.component}"
        if row.kind in OBJECT_MIMETYPES
        else escaped(row.component)
    ),
    CALENDAR_DATA: lambda row: escaped_octets(row.data),
    ADDRESS_DATA: lambda row: escaped_octets(row.data),
}
_RESOURCE_TYPE = make_clark("D:resourcetype")

ALL_PROPERTIES = (*(tag for tag in _OWN if tag not in _DATA.values()), _RESOURCE_TYPE)
"""The properties that ``allprop`` names for an object (RFC 4918 section 14.2), without its data."""

# A placeholder for the values of each row; XML text cannot contain it.
_MARK = "\0"
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")


class ObjectsView:
    """The objects of a collection as a user sees them.

    Args:
        view: their collection.
        tags: the requested properties.
        in_report: True if their data is one of the properties: it is in reports, and is not in
            PROPFIND (RFC 4791 section 9.6).
        render: returns an object's data as the client wants it, None for an object to leave out;
            without it the data is what was stored.
        names_only: True if the names of the properties are wanted without their values.
    """

    def __init__(
        self,
        view: CollectionView,
        tags: Collection[str],
        *,
        in_report: bool,
        render: Callable[[ObjectRow], str | None] | None = None,
        names_only: bool = False,
    ) -> None:
        self._base = view.asked.prefix + view.path
        data = _DATA.get(view.row.tag)
        own: dict[str, Callable[[ObjectRow], str | None]] = {
            tag: value
            for tag, value in _OWN.items()
            if tag not in _DATA.values() or (in_report and tag == data)
        }
        common = _common(view)
        self.needs_data = not names_only and data in own and data in tags
        """True if rows must be read with their octets."""
        if names_only:
            own, common = {}, dict.fromkeys([*own, *common], "")
        elif data in own and render:
            own[data] = render
        self._omits = render is not None
        self._values: list[Callable[[ObjectRow], str | None]] = []
        found, missing = [], []
        for tag in tags:
            if tag in own:
                self._values.append(own[tag])
                found.append(element(tag, _MARK))
            elif tag in common:
                found.append(element(tag, common[tag]))
            elif not view.asked.is_minimal:
                missing.append(element(tag))
        self.needs_etag_alone = self._values == [_OWN[_ETAG]]
        """True if `etag_responses` returns all requested properties."""
        template = response(f"<href>{_MARK}</href>", "".join(found), "".join(missing))
        self._template = template.replace("%", "%%").replace(_MARK, "%s")
        self._budget = AnswerBudget()

    def path(self, name: str) -> str:
        """Return the path of the object called ``name``."""
        return self._base + name

    def response(self, row: ObjectRow) -> str:
        """Return the response element of one object; empty if it is to be left out.

        Raises:
            BodyRefusedError: the answer is too large (507).
        """
        self._budget.spend(len(self._template))
        own = [value(row) for value in self._values]
        if self._omits and None in own:
            return ""
        return self._template % (quote(self._base + row.href), *own)

    def etag_responses(self, names: Sequence[tuple[str, str]]) -> str:
        """Return the response elements of many objects, by name and etag.

        Raises:
            BodyRefusedError: the answer is too large (507).
        """
        self._budget.spend(len(names) * len(self._template))
        template, base = self._template, quote(self._base)
        # Most names need no quoting, and checking that is faster than quoting.
        return "".join(
            [
                template % (base + (name if _PLAIN.fullmatch(name) else quote(name)), etag)
                for name, etag in names
            ]
        )


def _common(view: CollectionView) -> Mapping[str, str]:
    """Return the properties that all objects of a collection share."""
    same = ("D:owner", "D:current-user-principal", "D:principal-collection-set")
    limit = "C:max-resource-size"
    found, _ = view.values([make_clark(name) for name in (*same, limit)])
    return {
        **found,
        _RESOURCE_TYPE: "",
        make_clark("D:current-user-privilege-set"): privilege_set(
            writable=view.writable, calendar=False
        ),
        make_clark("D:supported-report-set"): report_set(reports_of(OBJECT_KINDS[view.row.tag])),
    }
