"""The request and the response of the fast path."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus

from radicale import types

# Radicale's sanitize_path leaves such a path unchanged; any other one is left to Radicale.
_SANE = re.compile(r"/(?:(?!\.{1,2}/)[^/]+/)*(?:(?!\.{1,2}\Z)[^/]+)?", re.DOTALL)


def sanitize(path: str) -> str:
    """Return a path as Radicale's sanitize_path does, in a time that grows with its length."""
    parts = [part for part in posixpath.normpath(path).split("/") if part not in ("", ".", "..")]
    end = "/" if path.endswith("/") and parts else ""
    return f"/{'/'.join(parts)}{end}"


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a logged-in user.

    Attributes:
        environ: the WSGI environment.
        method: the method's name.
        path: decoded and below the prefix, with its slash at the end if it has one.
        user: the user's name.
        prefix: the beginning of every path that clients see.
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
        """True if the path needs no cleaning before the store is asked for it."""
        return _SANE.fullmatch(self.path) is not None and not self.path.startswith("/.")

    def split(self) -> tuple[str, str]:
        """Split the path into the collection above and the last segment."""
        parent, _, name = self.sane.rpartition("/")
        return parent, name

    def header(self, name: str) -> str | None:
        """Return a header by its name in the environ, such as ``HTTP_DEPTH``."""
        value: str | None = self.environ.get(name)
        return value


@dataclass(frozen=True, slots=True)
class Response:
    """A status, headers, and a body in blocks, which the server closes if it has ``close``."""

    status: HTTPStatus
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()
