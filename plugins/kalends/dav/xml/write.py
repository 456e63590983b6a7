"""WebDAV answers as text: every piece is escaped where it is made, and pieces are only joined."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from radicale.xmlutils import NAMESPACES, make_clark

_PREFIXES = {uri: "" if short == "D" else f"{short}:" for short, uri in NAMESPACES.items()}
_DECLARED = "".join(
    f' xmlns{"" if short == "D" else ":" + short}="{uri}"' for short, uri in NAMESPACES.items()
)

MULTISTATUS = f'<?xml version="1.0" encoding="utf-8"?>\n<multistatus{_DECLARED}>'
"""How an answer of several statuses begins (RFC 4918 section 13)."""

MULTISTATUS_END = "</multistatus>"
"""How it ends."""


class _Name(NamedTuple):
    begin: str
    end: str
    empty: str


def escaped(text: str) -> str:
    """Text as it may stand between two tags."""
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def element(tag: str, content: str = "") -> str:
    """An element.

    Args:
        tag: its name as ``{namespace}name``.
        content: what is in it, escaped already.
    """
    name = _name(tag)
    return f"{name.begin}{content}{name.end}" if content else name.empty


def href(path: str) -> str:
    """An address in an answer, percent-encoded; nothing of it is left to escape."""
    return f"<href>{quote(path)}</href>"


def elements(names: Iterable[str]) -> str:
    """Empty elements, by Radicale's short names such as ``D:collection``."""
    return "".join(element(make_clark(name)) for name in names)


def propstat(properties: str, status: HTTPStatus) -> str:
    """Properties that share a status; nothing if there are none."""
    if not properties:
        return ""
    return f"<propstat><prop>{properties}</prop>{_status(status)}</propstat>"


def response(address: str, found: str, missing: str) -> str:
    """What is said of one address: its properties, and those that it does not have.

    Where none at all were asked for, it is still there (RFC 6578 section 3.5.1).

    Args:
        address: the ``href`` element.
    """
    found_part = propstat(found, HTTPStatus.OK)
    if not found and not missing:
        found_part = f"<propstat><prop/>{_status(HTTPStatus.OK)}</propstat>"
    missing_part = propstat(missing, HTTPStatus.NOT_FOUND)
    return f"<response>{address}{found_part}{missing_part}</response>"


def gone(path: str) -> str:
    """What is said of an address at which nothing stands."""
    return f"<response>{href(path)}{_status(HTTPStatus.NOT_FOUND)}</response>"


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
