"""Header fields of HTTP that every part reads and writes alike (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Self

_NEVER = re.compile(r"\s*q\s*=\s*0(?:\.0*)?\s*", re.IGNORECASE)
# An opaque tag may hold commas. A quote that nothing closes stands alone, so that reading stays
# linear whatever is sent.
_ELEMENT = re.compile(r'(?:"[^"]*"|[^",]|")+')
_ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


@dataclass(frozen=True, slots=True)
class EntityTags:
    """What If-Match or If-None-Match names (RFC 9110 sections 8.8.3, 13.1.1 and 13.1.2).

    Attributes:
        is_any: whether it is ``*``, which stands for whatever is there.
        tags: the entity tags, as they were sent. An element that is not one names nothing.
    """

    is_any: bool
    tags: tuple[str, ...]

    @classmethod
    def read(cls, header: str) -> Self:
        """Read the value of a header field; what cannot be read names nothing."""
        if header.strip(" \t") == "*":
            return cls(is_any=True, tags=())
        elements = (element.strip(" \t") for element in _ELEMENT.findall(header))
        return cls(is_any=False, tags=tuple(e for e in elements if _ENTITY_TAG.fullmatch(e)))

    @classmethod
    def known_to(cls, environ: Mapping[str, Any]) -> Self:
        """Read what a client says that it has, in If-None-Match."""
        return cls.read(environ.get("HTTP_IF_NONE_MATCH", ""))

    @property
    def opaque(self) -> frozenset[str]:
        """The tags without their quotes, weak ones like strong ones."""
        return frozenset(tag.removeprefix("W/")[1:-1] for tag in self.tags)

    def match_strongly(self, etag: str) -> bool:
        """Return True if they name this representation by the strong comparison, for If-Match."""
        return self.is_any or (etag in self.tags and not etag.startswith("W/"))

    def match_weakly(self, etag: str) -> bool:
        """Return True if they name this representation by the weak one, for If-None-Match."""
        return self.is_any or etag.removeprefix("W/")[1:-1] in self.opaque


def http_date(seconds: float) -> str:
    """Return a moment as header fields have it (RFC 9110 section 5.6.7).

    Args:
        seconds: since 1970.
    """
    return formatdate(seconds, usegmt=True)


def takes_gzip(header: str) -> bool:
    """Return True if an Accept-Encoding header takes gzip (RFC 9110 section 12.5.3)."""
    for part in header.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            return not _NEVER.fullmatch(weight)
    return False
