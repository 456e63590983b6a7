"""A client's preferences for the form of an answer (RFC 7240, RFC 8144)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_MINIMAL, _NO_ROOT = "return=minimal", "depth-noroot"


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences of one request that can be met.

    Attributes:
        is_minimal: True if properties that a resource does not have are not to be told.
        is_rootless: True if the resource itself is to be left out among its members.
    """

    is_minimal: bool = False
    is_rootless: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> Self:
        """Read the Prefer header of a request, and the older Brief, which Apple's programs send."""
        header, brief = environ.get("HTTP_PREFER"), environ.get("HTTP_BRIEF")
        if header is None and brief is None:
            return cls()
        found: dict[str, str] = {}
        for part in (header or "").split(","):
            name, _, value = part.partition(";")[0].partition("=")
            found.setdefault(name.strip().lower(), value.strip(' \t"').lower())  # the first counts
        is_brief = (brief or "").strip().lower() == "t" and "return" not in found
        return cls(is_brief or found.get("return") == "minimal", "depth-noroot" in found)

    def headers(self, *, is_listing: bool = False) -> dict[str, str]:
        """Return the header fields that tell which ones have been met.

        Vary is in every answer that could have been another one (RFC 7240 section 2).

        Args:
            is_listing: True if the answer may be about a resource and its members.
        """
        met = [_MINIMAL] if self.is_minimal else []
        met += [_NO_ROOT] if is_listing and self.is_rootless else []
        applied = {"Preference-Applied": ", ".join(met)} if met else {}
        return {"Vary": "Prefer, Brief", **applied}
