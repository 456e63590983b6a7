"""Refusals for WebDAV clients: a status and a precondition element (RFC 4791 section 1.3)."""

from __future__ import annotations

import logging
import xml.etree.ElementTree as ET
from http import HTTPStatus

from radicale import types, xmlutils

from kalends.common.failures import failure_in
from kalends.common.xml_text import writable
from kalends.dav.message import Response
from kalends.dav.resource import Resource
from kalends.errors import (
    BodyRefusedError,
    BudgetSpentError,
    HeaderRefusedError,
    HomeFullError,
    ObjectRefusedError,
    ReportRefusedError,
    StoreRefusedError,
)

_log = logging.getLogger("kalends.caldav")

_WHY = "{urn:x-kalends}why"


def precondition(
    status: HTTPStatus,
    element: str | None,
    why: str,
    href: str | None = None,
    culprit: tuple[str, str] | None = None,
) -> types.WSGIResponse:
    """Return a refusal that names its precondition, and for a person the reason.

    The children of DAV:error are condition codes (RFC 4918 section 14.5): the reason is within one.

    Args:
        status: of the response.
        element: Radicale's short name of the element, such as ``C:no-uid-conflict``.
        why: one line for readers of the client's log.
        href: the conflicting resource (RFC 4791 section 5.3.2.1), already quoted.
        culprit: the refused element of a filter and its name (RFC 4791 section 7.8).
    """
    error = ET.Element(xmlutils.make_clark("D:error"))
    named = ET.SubElement(error, xmlutils.make_clark(element)) if element else error
    if href is not None:
        ET.SubElement(named, xmlutils.make_clark("D:href")).text = href
    if culprit is not None:
        ET.SubElement(named, xmlutils.make_clark(culprit[0]), name=writable(culprit[1]))
    ET.SubElement(named, _WHY).text = writable(why)
    body = ET.tostring(error, encoding="utf-8", xml_declaration=True)
    return status, {"Content-Type": "text/xml; charset=utf-8"}, body, None


def forbidden(prefix: str, resource: Resource) -> types.WSGIResponse:
    """Return a refusal that names the missing privilege (RFC 3744 section 7.1.1)."""
    privilege = "D:write" if resource.may_read else "D:read"
    slash = "/" if resource.row is not None and resource.path else ""
    error = ET.Element(xmlutils.make_clark("D:error"))
    needed = ET.SubElement(error, xmlutils.make_clark("D:need-privileges"))
    place = ET.SubElement(needed, xmlutils.make_clark("D:resource"))
    address = xmlutils.make_href(prefix, f"/{resource.path}{slash}")
    ET.SubElement(place, xmlutils.make_clark("D:href")).text = address
    kind = ET.SubElement(place, xmlutils.make_clark("D:privilege"))
    ET.SubElement(kind, xmlutils.make_clark(privilege))
    body = ET.tostring(error, encoding="utf-8", xml_declaration=True)
    return HTTPStatus.FORBIDDEN, {"Content-Type": "text/xml; charset=utf-8"}, body, None


def failed(environ: types.WSGIEnviron, error: Exception) -> types.WSGIResponse:
    """Return the response to a failed request; log it if the administrator can mend it."""
    assert isinstance(environ, dict)
    failure = failure_in(environ, error)
    if failure.is_ours:
        _log.error("%s", error)
    if isinstance(error, BodyRefusedError | ObjectRefusedError):
        return precondition(failure.status, error.precondition, failure.text)
    if isinstance(error, HeaderRefusedError):
        return precondition(failure.status, None, failure.text)
    if isinstance(error, StoreRefusedError):
        # RFC 4331 section 6: a quota, if it is one of collections and not of octets.
        element = "D:quota-not-exceeded" if isinstance(error, HomeFullError) else None
        return precondition(failure.status, element, str(error))
    if isinstance(error, ReportRefusedError):
        return precondition(failure.status, error.precondition, error.why, culprit=error.culprit)
    if isinstance(error, BudgetSpentError):  # of a REPORT: a PUT names its object (RFC 4791, 7.8)
        return precondition(failure.status, "D:number-of-matches-within-limits", failure.text)
    status, headers, body, xml = plain(failure.status)
    return status, {**dict(headers), **dict(failure.headers)}, body, xml


def as_answer(response: types.WSGIResponse) -> Response:
    """Convert a response from Radicale's form."""
    status, headers, body, _ = response
    sent = dict(headers)
    if isinstance(body, str):
        sent["Content-Type"] += "; charset=utf-8"
        body = body.encode("utf-8")
    if body is None:
        return Response(HTTPStatus(status), sent)
    return Response(HTTPStatus(status), {**sent, "Content-Length": str(len(body))}, [body])


def plain(status: HTTPStatus) -> types.WSGIResponse:
    """Return a status with its own phrase as the text."""
    return status, {"Content-Type": "text/plain"}, f"{status.phrase}.\n", None
