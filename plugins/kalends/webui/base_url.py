"""The public address of the server: scheme, host, port and the prefix of a proxy. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
# Characters that RFC 3986 allows in a path; account names are often mail addresses.
_PLAIN = "/@!$&'()*+,;=:"


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """The address of the server's root, as clients reach it.

    Attributes:
        scheme: ``http`` or ``https``.
        name: the host in lower case; an IPv6 address in brackets.
        port: the port, even if it is the scheme's default.
        prefix: empty, or as in ``/dav``: percent-encoded, without a slash at its end.
    """

    scheme: str
    name: str
    port: int
    prefix: str = ""

    @classmethod
    def from_environ(cls, environ: Mapping[str, Any]) -> Self | None:
        """Return the address that a request was sent to; None if its Host is not a valid host.

        Args:
            environ: the request, with the values that trusted proxies have set.
        """
        scheme = environ["wsgi.url_scheme"]
        stated = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        found = _HOST.fullmatch(stated)
        if found is None:
            return None
        prefix = environ.get("SCRIPT_NAME", "").encode("latin-1").rstrip(b"/")
        port = int(found["port"] or _PORTS[scheme])
        return cls(scheme, found["name"].lower(), port, quote(prefix, _PLAIN))

    @property
    def secure(self) -> bool:
        """True if it uses TLS."""
        return self.scheme == "https"

    @property
    def host(self) -> str:
        """The host, with the port unless it is the scheme's default."""
        return self.name if self.port == _PORTS[self.scheme] else f"{self.name}:{self.port}"

    @property
    def origin(self) -> str:
        """The origin as browsers write it (RFC 6454 section 6.2)."""
        return f"{self.scheme}://{self.host}"

    def path(self, path: str) -> str:
        """Return the path that a client requests, percent-encoded.

        Args:
            path: below the root, decoded, with a slash at its beginning.
        """
        return self.prefix + quote(path, _PLAIN)

    def url(self, path: str) -> str:
        """Return the whole address of ``path``."""
        return self.origin + self.path(path)

    def webcal(self, path: str) -> str:
        """Return the address of ``path`` that makes a calendar program subscribe."""
        return f"webcal://{self.host}{self.path(path)}"
