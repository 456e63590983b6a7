"""Reports about principals, the accounts (RFC 3744 sections 9.2 to 9.5).

Whoever may log in can find accounts by their names: programs look there for the people whom to
invite. Another account shows its name and its addresses, and nothing else.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from radicale.xmlutils import make_clark

from kalends.dav.answer_budget import AnswerBudget
from kalends.dav.message import Response
from kalends.dav.properties.collection import elements_of, names_of, response_of
from kalends.dav.properties.object import ALL_PROPERTIES
from kalends.dav.properties.view import CollectionView
from kalends.dav.reader import write_all_objects
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import WantedProperties, read_wanted
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.limit_names import Limit

_PROP, _MATCH, _TEST = make_clark("D:prop"), make_clark("D:match"), "test"
_SEARCH, _ALL = make_clark("D:property-search"), make_clark("D:apply-to-principal-collection-set")
_SELF, _PROPERTY = make_clark("D:self"), make_clark("D:principal-property")
_DISPLAY_NAME = make_clark("D:displayname")
_ADDRESSES = make_clark("C:calendar-user-address-set")
_OWNER = make_clark("D:owner")

_SEARCHABLE = {
    _DISPLAY_NAME: "The name of the account",
    _ADDRESSES: "An address of the account, such as its path",
}
# What anybody may see of an account.
_PUBLIC = frozenset(
    make_clark(name)
    for name in (
        *("D:displayname", "D:resourcetype", "D:principal-URL", "D:alternate-URI-set"),
        *("C:calendar-home-set", "C:calendar-user-address-set", "CR:addressbook-home-set"),
        *("D:current-user-principal", "D:principal-collection-set"),
    )
)
_MOST_FOUND = 1000
_MARKUP = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class PrincipalSearch:
    """A principal-property-search.

    Attributes:
        wanted: the properties to return.
        terms: names of properties, and the text that they are to contain, caseless.
        is_any: True if one term suffices.
        everywhere: True if all accounts are searched, and not those below the request's path.
    """

    wanted: WantedProperties
    terms: tuple[tuple[str, str], ...]
    is_any: bool
    everywhere: bool


@dataclass(frozen=True, slots=True)
class PrincipalMatch:
    """A principal-match.

    Attributes:
        wanted: the properties to return.
        property: the property that is to name the user; None for the user's own principals.
    """

    wanted: WantedProperties
    property: str | None


def read_principal_search(root: ET.Element) -> PrincipalSearch:
    """Read a principal-property-search; without a property-search it finds every account.

    The library `caldav` asks so, although there is to be one.

    Args:
        root: the ``principal-property-search`` element.

    Raises:
        BodyRefusedError: something in it is invalid (400).
    """
    terms: list[tuple[str, str]] = []
    for search in root.findall(_SEARCH):
        prop, match = search.find(_PROP), search.findtext(_MATCH)
        if prop is None or not len(prop) or match is None:
            raise _bad("a property-search has no prop or no match")
        terms += [(part.tag, match.strip().casefold()) for part in prop]
    wanted = read_wanted(root)
    if not wanted.tags:  # the library `caldav` writes the properties beside an empty prop
        known = (_PROP, _SEARCH, _ALL)
        wanted = WantedProperties(tuple(part.tag for part in root if part.tag not in known))
    everywhere = root.find(_ALL) is not None
    return PrincipalSearch(wanted, tuple(terms), root.get(_TEST) == "anyof", everywhere)


def write_principal_search(
    target: ReportTarget, asked: PrincipalSearch, buffer: ResponseBuffer
) -> None:
    """Write the accounts that are found (RFC 3744 section 9.4).

    Raises:
        ReportRefusedError: they are too many.
        BodyRefusedError: the Depth is not 0 (400).
    """
    _check_depth(target)
    if not (asked.everywhere or not target.view.row.path):
        return
    found = 0
    for view in _accounts(target):
        if not _is_found(view, asked):
            continue
        found += 1
        if found > _MOST_FOUND:
            why = f"more than {_MOST_FOUND} accounts; ask for more of the name"
            element = "D:number-of-matches-within-limits"
            raise ReportRefusedError(element, why, limit=Limit.ANSWER)
        buffer.write(_response(target, view, asked.wanted))


def read_search_properties(root: ET.Element) -> None:
    """Read a principal-search-property-set, which is empty.

    Raises:
        BodyRefusedError: it is not (400).
    """
    if len(root):
        raise _bad("a principal-search-property-set is empty")


def answer_search_properties(target: ReportTarget, _asked: None) -> Response:
    """Return the properties that a search knows (RFC 3744 section 9.5).

    Raises:
        BodyRefusedError: the Depth is not 0 (400).
    """
    _check_depth(target)
    root = ET.Element(make_clark("D:principal-search-property-set"))
    for tag, text in _SEARCHABLE.items():
        one = ET.SubElement(root, make_clark("D:principal-search-property"))
        ET.SubElement(ET.SubElement(one, _PROP), tag)
        described = ET.SubElement(one, make_clark("D:description"))
        described.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
        described.text = text
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    headers = {"Content-Type": "text/xml; charset=utf-8", "Content-Length": str(len(body))}
    return Response(HTTPStatus.OK, headers, [body])


def read_principal_match(root: ET.Element) -> PrincipalMatch:
    """Read a principal-match.

    Args:
        root: the ``principal-match`` element.

    Raises:
        BodyRefusedError: it has not exactly one of self and principal-property (400).
    """
    named, own = root.find(_PROPERTY), root.find(_SELF)
    if (named is None) == (own is None) or (named is not None and len(named) != 1):
        raise _bad("a principal-match has self, or principal-property with one property")
    return PrincipalMatch(read_wanted(root), None if named is None else named[0].tag)


def write_principal_match(
    target: ReportTarget, asked: PrincipalMatch, buffer: ResponseBuffer
) -> None:
    """Write the resources below the path that name the user (RFC 3744 section 9.3).

    Raises:
        BodyRefusedError: the Depth is not 0 (400).
    """
    _check_depth(target)
    user = target.request.user
    if asked.property is None:
        for view in _accounts(target, only=user):
            if target.view.row.path in ("", user):
                buffer.write(_response(target, view, asked.wanted))
        return
    if asked.property == _OWNER and target.name is None:
        _write_owned(target, asked.wanted, buffer, AnswerBudget())


def write_acl_principals(
    target: ReportTarget, wanted: WantedProperties, buffer: ResponseBuffer
) -> None:
    """Write the account that the access control of a resource names: its owner (section 9.2).

    Raises:
        BodyRefusedError: the Depth is not 0 (400).
    """
    _check_depth(target)
    owner = target.view.owner
    for view in _accounts(target, only=owner) if owner else ():
        buffer.write(_response(target, view, wanted))


def _write_owned(
    target: ReportTarget, wanted: WantedProperties, buffer: ResponseBuffer, budget: AnswerBudget
) -> None:
    """Write what belongs to the user below a collection."""
    view = target.view
    if view.row.tag and view.owner == target.request.user:
        objects = target.objects(wanted, target.zone(), is_query=False)
        write_all_objects(target.connection, view, objects, buffer)
    for member in target.members() if not view.row.tag else ():
        if member.view.owner == target.request.user:
            text = target.reader.responses.response(member.view, wanted.tags)
            budget.spend(len(text))
            buffer.write(text)
        _write_owned(member, wanted, buffer, budget)


def _accounts(target: ReportTarget, only: str | None = None) -> Iterator[CollectionView]:
    """Yield the homes of accounts, by name."""
    reader, connection = target.reader, target.connection
    names = reader.accounts() if only is None else (only,)
    for row in reader.homes(connection, names):
        target.budget.draw(1)
        yield reader.public_view(connection, target.request, row)


def _is_found(view: CollectionView, asked: PrincipalSearch) -> bool:
    told, _ = elements_of(view, [tag for tag, _ in asked.terms if tag in _SEARCHABLE])
    values = {tag: _text(one) for tag, one in told.items()}
    found = (text in values.get(tag, "").casefold() and tag in values for tag, text in asked.terms)
    return any(found) if asked.is_any and asked.terms else all(found)


def _text(told: str) -> str:
    """Return the text of a property without its markup."""
    return _MARKUP.sub("", told)


def _response(target: ReportTarget, view: CollectionView, wanted: WantedProperties) -> str:
    """Return the response of an account: everything of the user's own, the public part else."""
    tags = tuple(tag for tag in wanted.tags if wanted.tags is not ALL_PROPERTIES)
    if view.row.path == target.request.user:
        return response_of(view, tags or names_of(view, in_allprop=True))
    found, _ = elements_of(view, [tag for tag in tags if tag in _PUBLIC])
    missing = [tag for tag in tags if tag not in found and not view.asked.is_minimal]
    return write.response(
        view.href(view.path),
        "".join(found.values()),
        "".join(write.element(tag) for tag in missing),
    )


def _check_depth(target: ReportTarget) -> None:
    if (target.request.header("HTTP_DEPTH") or "0").strip() != "0":
        raise _bad("the Depth of this report is 0 (RFC 3744 section 9)")


def _bad(why: str) -> BodyRefusedError:
    return BodyRefusedError(HTTPStatus.BAD_REQUEST, why)
