"""The properties of objects: a response element for each, made from one template."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from urllib.parse import quote

from radicale.xmlutils import make_clark

from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.properties import stored
from kalends.dav.properties.collection import tell
from kalends.dav.properties.registry import LIVE, PROPERTIES
from kalends.dav.properties.view import CollectionView
from kalends.dav.resource import OBJECT_KINDS, Kind
from kalends.dav.xml.requests import ADDRESS_DATA, CALENDAR_DATA
from kalends.dav.xml.write import element, escaped_octets, response
from kalends.store.objects.properties import ObjectProperties
from kalends.store.objects.read import ObjectRow

_DATA = {Kind.CALENDAR_OBJECT: CALENDAR_DATA, Kind.CARD: ADDRESS_DATA}
_etag = PROPERTIES[make_clark("D:getetag")].of_object

ALL_PROPERTIES = tuple(tag for tag, row in LIVE[Kind.CALENDAR_OBJECT].items() if row.in_allprop)
"""The properties that ``allprop`` names for an object (RFC 4918 section 14.2), without its data."""

EVERY_PROPERTY = tuple(LIVE[Kind.CALENDAR_OBJECT])
"""The live properties that ``propname`` names for an object."""

# A placeholder for the values of each row; XML text cannot contain it.
_MARK = "\0"
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")

_Value = Callable[[ObjectRow], str | None]


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
        all_dead: True if all dead properties are wanted besides.
        budget: what the answer may still repeat; without one, as much as any answer.
    """

    def __init__(
        self,
        view: CollectionView,
        tags: Collection[str],
        *,
        in_report: bool,
        render: _Value | None = None,
        names_only: bool = False,
        all_dead: bool = False,
        budget: AnswerBudget | None = None,
    ) -> None:
        self._view = view
        self._base = view.asked.prefix + view.path
        kind = OBJECT_KINDS.get(view.row.tag, Kind.UNMAPPED)
        data = _DATA.get(kind) if in_report else None
        self.needs_data = not names_only and data is not None and data in tags
        """True if rows must be read with their octets."""
        self._omits = render is not None
        self._names_only, self._all_dead = names_only, all_dead
        self._values: list[_Value] = []
        self._found: list[str] = []
        self._missing: list[str] = []
        for tag in tags:
            self._add(tag, kind, data, render or _octets)
        self._dead = self._find_dead()
        self.needs_etag_alone = self._values == [_etag] and not self._dead
        """True if `etag_responses` returns all requested properties."""
        self._template = self._made_of(self._found, self._missing)
        self._budget = budget or AnswerBudget()

    def path(self, name: str) -> str:
        """Return the path of the object called ``name``."""
        return self._base + name

    def response(self, row: ObjectRow) -> str:
        """Return the response element of one object; empty if it is to be left out.

        Raises:
            BodyRefusedError: the answer is too large (507).
        """
        template = self._template
        props = self._dead.of(row.id) if self._dead else None
        if props:
            template = self._template_with(props)
        self._budget.spend(len(template))
        own = [value(row) for value in self._values]
        if self._omits and None in own:
            return ""
        return template % (quote(self._base + row.href), *own)

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

    def _add(self, tag: str, kind: Kind, data: str | None, octets: _Value) -> None:
        """Add a requested property to the template."""
        row = LIVE[kind].get(tag)
        of_object: _Value | None = row.of_object if row else None
        value = octets if tag == data else of_object
        if value is None:
            told = tell(self._view, kind, tag) if row else None
            if told is None:
                self._missing.append(tag)
            else:
                self._found.append(element(tag) if self._names_only else told)
        elif self._names_only:
            self._found.append(element(tag))
        else:
            self._values.append(value)
            self._found.append(element(tag, _MARK))

    def _find_dead(self) -> ObjectProperties | None:
        """Open the dead properties if some are requested; None if no object has any."""
        rows = map(PROPERTIES.get, self._missing)
        if self._all_dead or any(row is None or row.setter for row in rows):
            return self._view.dead() or None
        return None

    def _template_with(self, props: Mapping[str, str]) -> str:
        """Return the template of an object that has dead properties."""
        dead = {tag: told for tag in stored.tags(props) if (told := stored.tell(props, tag))}
        shown = dead if self._all_dead else {tag: dead[tag] for tag in self._missing if tag in dead}
        added = [*map(element, shown)] if self._names_only else [*shown.values()]
        missing = [tag for tag in self._missing if tag not in shown]
        return self._made_of([*self._found, *added], missing)

    def _made_of(self, found: list[str], missing: list[str]) -> str:
        told = [] if self._view.asked.is_minimal else map(element, missing)
        made = response(f"<href>{_MARK}</href>", "".join(found), "".join(told))
        return made.replace("%", "%%").replace(_MARK, "%s")


def _octets(row: ObjectRow) -> str:
    return escaped_octets(row.data)
