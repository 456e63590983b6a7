"""A request as the frequent ways see it, and an answer as they give it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from radicale import types

# Radicale's sanitize_path leaves such a path as it is; every other one is its business.
_SANE = re.compile(r"/(?:(?!\.{1,2}/)[^/]+/)*(?:(?!\.{1,2}\Z)[^/]+)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Request:
    """One request of somebody who is logged in.

    Attributes:
        path: decoded and below the prefix, with its slash at the end if it has one.
        prefix: what stands before every path outside.
    """

    environ: types.WSGIEnviron
    method: str
    path: str
    user: str
    prefix: str

    @property
    def sane(self) -> str:
        """The path without a slash at either end."""
        return self.path.strip("/")

    @property
    def is_sane(self) -> bool:
        """Whether the path is one that the store may be asked for as it is."""
        return _SANE.fullmatch(self.path) is not None and not self.path.startswith("/.")

    def header(self, name: str) -> str | None:
        """A header by its name in the environ, such as ``HTTP_DEPTH``."""
        value: str | None = self.environ.get(name)
        return value


@dataclass(frozen=True, slots=True)
class Response:
    """A status, headers, and a body in blocks that the server closes if it can be."""

    status: HTTPStatus
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()
