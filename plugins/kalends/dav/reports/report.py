"""REPORT: the choice of the report (RFC 3253 section 3.6)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from radicale.xmlutils import make_clark

from kalends.common.bounded_cache import BoundedCache
from kalends.dav.context import Reading
from kalends.dav.message import Response
from kalends.dav.preferences import Preferences
from kalends.dav.reader import multistatus, response_buffer
from kalends.dav.reports.addressbook_query import read_addressbook_query, write_addressbook_query
from kalends.dav.reports.calendar_query import read_calendar_query, write_calendar_query
from kalends.dav.reports.expand_property import read_expand_property, write_expand_property
from kalends.dav.reports.free_busy_query import answer_free_busy_query, read_free_busy_query
from kalends.dav.reports.kinds import REPORTS
from kalends.dav.reports.multiget import read_multiget, write_multiget
from kalends.dav.reports.principals import (
    answer_search_properties,
    read_principal_match,
    read_principal_search,
    read_search_properties,
    write_acl_principals,
    write_principal_match,
    write_principal_search,
)
from kalends.dav.reports.sync_collection import read_sync_collection, write_sync_collection
from kalends.dav.reports.target import ReportTarget
from kalends.dav.reports.wanted import read_wanted
from kalends.dav.resource import Kind
from kalends.dav.response_buffer import ResponseBuffer
from kalends.dav.xml import write
from kalends.dav.xml.limits import MAX_HREFS
from kalends.dav.xml.parts import parse_request
from kalends.dav.xml.requests import SHORT
from kalends.errors import BodyRefusedError, ReportRefusedError

_Reader = Callable[[ET.Element], Any]
_Answer = Callable[[ReportTarget, Any], Response]
_Writer = Callable[[ReportTarget, Any, ResponseBuffer], None]


class ReportKind(NamedTuple):
    """A report that is answered.

    Attributes:
        kinds: the kinds of resources that have it.
        read: returns its body as data.
        answer: answers it.
    """

    kinds: frozenset[Kind]
    read: _Reader
    answer: _Answer


class Report(NamedTuple):
    """A report as it was asked for: its kind, and its body as data."""

    kind: ReportKind
    asked: Any


# Octets, a hundred bodies at least: the names in one may be ten times as long as the body.
_kept: BoundedCache[bytes, Report] = BoundedCache(4 << 20)


def report(call: Reading) -> Response:
    """Answer a report.

    Raises:
        ReportRefusedError: it fails a precondition.
        BodyRefusedError: its body is invalid.
        BudgetSpentError: it takes more work than a request may.
    """
    body = call.body
    found = _kept.get(body) if len(body) <= SHORT else None
    if found is None:
        found = read_report(body, call.context.limits.reports.hrefs)
        if len(body) <= SHORT:
            _kept.put(body, found, 10 * len(body))
    if call.resource.kind not in found.kind.kinds:
        raise _unsupported("this resource does not have that report")
    return found.kind.answer(target_of(call), found.asked)


def target_of(call: Reading) -> ReportTarget:
    """Return the resource of a request as the target of a report."""
    resource = call.resource
    view = call.context.reader.view_of(call.request, resource, call.connection)
    name = resource.name if resource.row is None else None
    limits, reader = call.context.limits.reports, call.context.reader
    budget = limits.steps.of_request()
    return ReportTarget(call.request, call.connection, view, name, limits, reader, budget)


def read_report(body: bytes, most_hrefs: int = MAX_HREFS) -> Report:
    """Parse the body of a REPORT.

    Args:
        body: the body.
        most_hrefs: how many hrefs it may have.

    Raises:
        ReportRefusedError: the report is not known, or something in it is unsupported.
        BodyRefusedError: it is malformed or beyond a limit.
    """
    if not body:
        raise BodyRefusedError(HTTPStatus.BAD_REQUEST, "a REPORT needs a body")
    root = parse_request(body, most_hrefs)
    kind = _KINDS.get(root.tag)
    if kind is None:
        raise _unsupported(f"unknown report {root.tag[:80]!r}")
    return Report(kind, kind.read(root))


def asks_busy_times(body: bytes) -> bool:
    """Return True if the body of a REPORT is a valid free-busy-query."""
    try:
        return read_report(body).kind is _KINDS[make_clark("C:free-busy-query")]
    except (BodyRefusedError, ReportRefusedError):
        return False


def _unsupported(why: str) -> ReportRefusedError:
    return ReportRefusedError("D:supported-report", why)


def _in_multistatus(write_report: _Writer) -> _Answer:
    """Return a function that answers with what a report writes, as a multistatus."""

    def answer(target: ReportTarget, asked: Any) -> Response:
        with response_buffer(target.request) as buffer:
            buffer.write(write.MULTISTATUS)
            write_report(target, asked, buffer)
            buffer.write(write.MULTISTATUS_END)
            return multistatus(buffer, Preferences.of(target.request.environ).headers())

    return answer


def _in_leaves(tag: str, write_report: _Writer) -> _Writer:
    """Return a function that writes a report for each calendar or address book it is about."""

    def write_each(target: ReportTarget, asked: Any, buffer: ResponseBuffer) -> None:
        for leaf in target.leaves(tag):
            write_report(leaf, asked, buffer)

    return write_each


_PARTS: Mapping[str, tuple[_Reader, _Answer]] = {
    "D:expand-property": (read_expand_property, _in_multistatus(write_expand_property)),
    "D:principal-match": (read_principal_match, _in_multistatus(write_principal_match)),
    "D:principal-property-search": (
        read_principal_search,
        _in_multistatus(write_principal_search),
    ),
    "D:principal-search-property-set": (read_search_properties, answer_search_properties),
    "D:acl-principal-prop-set": (read_wanted, _in_multistatus(write_acl_principals)),
    "D:sync-collection": (read_sync_collection, _in_multistatus(write_sync_collection)),
    "C:calendar-query": (
        read_calendar_query,
        _in_multistatus(_in_leaves("VCALENDAR", write_calendar_query)),
    ),
    "C:calendar-multiget": (read_multiget, _in_multistatus(write_multiget)),
    "C:free-busy-query": (read_free_busy_query, answer_free_busy_query),
    "CR:addressbook-query": (
        read_addressbook_query,
        _in_multistatus(_in_leaves("VADDRESSBOOK", write_addressbook_query)),
    ),
    "CR:addressbook-multiget": (read_multiget, _in_multistatus(write_multiget)),
}
_KINDS: Mapping[str, ReportKind] = {
    make_clark(name): ReportKind(kinds, *_PARTS[name]) for name, kinds in REPORTS.items()
}
