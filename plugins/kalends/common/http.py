"""HTTP header fields that several parts of the package read and write (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import formatdate, parsedate_to_datetime
from typing import Any, Self

GZIP = "gzip"
"""The content coding; the entity tags of compressed octets end with it."""

_ZERO_WEIGHT = re.compile(r"\s*q\s*=\s*0(?:\.0*)?\s*", re.IGNORECASE)
# An opaque tag may contain commas. A quotation mark without a closing one is an element of its
# own, so that parsing takes linear time for any input.
_ELEMENT = re.compile(r'(?:"[^"]*"|[^",]|")+')
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True, slots=True)
class EntityTags:
    """The value of If-Match or If-None-Match (RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2).

    Attributes:
        is_any: whether it is ``*``, which matches any representation.
        tags: the entity tags as sent; invalid elements are left out.
    """

    is_any: bool
    tags: tuple[str, ...]

    @classmethod
    def read(cls, header: str) -> Self:
        """Parse the value of a header field; invalid elements are ignored."""
        if header.strip(" \t") == "*":
            return cls(is_any=True, tags=())
        elements = (element.strip(" \t") for element in _ELEMENT.findall(header))
        return cls(is_any=False, tags=tuple(e for e in elements if _ENTITY_TAG.fullmatch(e)))

    @classmethod
    def known_to(cls, environ: Mapping[str, Any]) -> Self:
        """Parse the If-None-Match of a request: the entity tags that the client has."""
        return cls.read(environ.get("HTTP_IF_NONE_MATCH", ""))

    @property
    def opaque(self) -> frozenset[str]:
        """The tags without quotation marks, weak and strong ones."""
        return frozenset(tag.removeprefix("W/")[1:-1] for tag in self.tags)

    def match_strongly(self, etag: str) -> bool:
        """Return True if a tag matches by the strong comparison, as for If-Match.

        The tag of the compressed octets stands for the same state.
        """
        if self.is_any:
            return True
        return not etag.startswith("W/") and (etag in self.tags or _compressed(etag) in self.tags)

    def match_weakly(self, etag: str) -> bool:
        """Return True if a tag matches by the weak comparison, as for If-None-Match."""
        tag = etag.removeprefix("W/")[1:-1]
        return self.is_any or not self.opaque.isdisjoint((tag, f"{tag}-{GZIP}"))


def _compressed(etag: str) -> str:
    return f'{etag[:-1]}-{GZIP}"'


def http_date(seconds: float) -> str:
    """Return a time in the format of header fields (RFC 9110 section 5.6.7).

    Args:
        seconds: the time, seconds since 1970.
    """
    return formatdate(seconds, usegmt=True)


def parse_http_date(text: str) -> int | None:
    """Return a time of a header field in seconds since 1970; None if it is not an HTTP-date.

    Args:
        text: in one of the three formats of RFC 9110 section 5.6.7.
    """
    try:
        found = parsedate_to_datetime(text)
        return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def takes_gzip(header: str) -> bool:
    """Return True if an Accept-Encoding header accepts gzip (RFC 9110 section 12.5.3)."""
    for part in header.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return not _ZERO_WEIGHT.fullmatch(weight)
    return False
