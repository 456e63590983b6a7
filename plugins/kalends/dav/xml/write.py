"""WebDAV responses as text: each piece is escaped where it is made, and pieces are only joined."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from radicale.xmlutils import NAMESPACES, make_clark

from kalends.common.bounded_cache import LONGEST_KEY
from kalends.common.xml_text import writable, writable_octets

_PREFIXES = {uri: "" if short == "D" else f"{short}:" for short, uri in NAMESPACES.items()}
_DECLARED = "".join(
    f' xmlns{"" if short == "D" else ":" + short}="{uri}"' for short, uri in NAMESPACES.items()
)

MULTISTATUS = f'<?xml version="1.0" encoding="utf-8"?>\n<multistatus{_DECLARED}>'
"""The beginning of a multistatus (RFC 4918 section 13)."""

MULTISTATUS_END = "</multistatus>"
"""The end of a multistatus."""


_WHY = "{urn:x-kalends}why"


class _Name(NamedTuple):
    begin: str
    end: str
    empty: str


def escaped(text: str) -> str:
    """Escape text for the content of an element, without characters that XML cannot write."""
    return _escaped(writable(text))


def escaped_octets(data: bytes) -> str:
    """Escape the octets of an object for the content of an element, like `escaped`."""
    return _escaped(writable_octets(data).decode("utf-8", "replace"))


def _escaped(text: str) -> str:
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def element(tag: str, content: str = "", attributes: str = "") -> str:
    """Return an element.

    Args:
        tag: its name as ``{namespace}name``.
        content: its content, already escaped.
        attributes: its attributes as they are written, with a space before each.
    """
    name = (_name if len(tag) <= LONGEST_KEY else _name.__wrapped__)(tag)
    if attributes:
        return f"{name.begin[:-1]}{attributes}>{content}{name.end}"
    return f"{name.begin}{content}{name.end}" if content else name.empty


def href(path: str) -> str:
    """Return an href element; percent-encoding leaves nothing to escape."""
    return f"<href>{quote(path)}</href>"


def elements(names: Iterable[str]) -> str:
    """Return empty elements, by Radicale's short names such as ``D:collection``."""
    return "".join(element(make_clark(name)) for name in names)


def propstat(
    properties: str, status: HTTPStatus, precondition: str | None = None, why: str = ""
) -> str:
    """Return a propstat for properties that share a status; nothing if there are none.

    Args:
        properties: their elements.
        status: the status.
        precondition: Radicale's short name of the precondition that they fail, or None.
        why: the reason for a refusal, for a person.
    """
    if not properties:
        return ""
    error = ""
    if precondition:
        reason = element(_WHY, escaped(why))
        error = element(make_clark("D:error"), element(make_clark(precondition), reason))
    elif why:
        error = element(make_clark("D:responsedescription"), escaped(why))
    return f"<propstat><prop>{properties}</prop>{_status(status)}{error}</propstat>"


def document(root: str, content: str) -> str:
    """Return a document; ``root`` is Radicale's short name of its element."""
    declared = element(make_clark(root), content, _DECLARED)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{declared}'


def response(address: str, found: str, missing: str) -> str:
    """Return the response element of one resource.

    It is not empty even if no properties were requested (RFC 6578 section 3.5.1).

    Args:
        address: the ``href`` element.
        found: the properties of the resource.
        missing: the requested properties that it does not have.
    """
    found_part = propstat(found, HTTPStatus.OK)
    if not found and not missing:
        found_part = f"<propstat><prop/>{_status(HTTPStatus.OK)}</propstat>"
    missing_part = propstat(missing, HTTPStatus.NOT_FOUND)
    return f"<response>{address}{found_part}{missing_part}</response>"


def not_found(path: str) -> str:
    """Return the response element of a path without a resource."""
    return f"<response>{href(path)}{_status(HTTPStatus.NOT_FOUND)}</response>"


def refused(path: str, precondition: str) -> str:
    """Return the response element of a path that is refused, by Radicale's name of the reason."""
    error = element(make_clark("D:error"), elements([precondition]))
    return f"<response>{href(path)}{_status(HTTPStatus.FORBIDDEN)}{error}</response>"


def truncated(path: str) -> str:
    """Return the response element of a path whose answer is cut off (RFC 6352 section 8.6.2)."""
    error = element(make_clark("D:error"), elements(["D:number-of-matches-within-limits"]))
    return f"<response>{href(path)}{_status(HTTPStatus.INSUFFICIENT_STORAGE)}{error}</response>"


def _status(status: HTTPStatus) -> str:
    return f"<status>HTTP/1.1 {status.value} {status.phrase}</status>"


@lru_cache(maxsize=1024)
def _name(tag: str) -> _Name:
    namespace, brace, local = tag.removeprefix("{").rpartition("}")
    prefix = _PREFIXES.get(namespace) if brace else None
    if prefix is not None:
        name, declared = f"{prefix}{local}", ""
    elif namespace:
        name, declared = f"X:{local}", f" xmlns:X={quoteattr(namespace)}"
    else:
        name, declared = local, ' xmlns=""'
    return _Name(f"<{name}{declared}>", f"</{name}>", f"<{name}{declared}/>")
