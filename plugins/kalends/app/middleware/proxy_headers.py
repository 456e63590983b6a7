"""Headers of trusted proxies: the client's address, the public URL, and the web server's login."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from kalends.common.bounded_cache import LONGEST_KEY
from kalends.common.wsgi import (
    PREFIX_KEY,
    REQUEST_ID_KEY,
    WEB_SERVER_LOGIN_KEY,
    App,
    Environ,
    StartResponse,
)
from kalends.config.settings import Proxy

_PROXY_HEADERS = (
    *("HTTP_X_FORWARDED_", "HTTP_X_REMOTE_", "HTTP_X_SCRIPT_", "HTTP_FORWARDED"),
    "HTTP_X_REQUEST_ID",
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._+=/@-]{1,64}")
_PORT = re.compile(r":\d+$")
_PORT_NUMBER = re.compile(r"[0-9]{1,5}")
# Apache writes this if there is no user.
_NOBODY = "(null)"

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """WSGI middleware that restores a request to what it was before the trusted proxies.

    X-Forwarded-For, -Proto, -Host and -Port of a trusted proxy become the environ's client address,
    scheme, host and port, and X-Script-Name becomes SCRIPT_NAME. These headers, and X-Remote-User,
    are then removed, from any sender.

    Args:
        app: the application behind.
        trusted: the proxies; ``unix`` means the peers of a Unix socket.
        prefix: the prefix if a trusted proxy names none; empty, or as in ``/dav``.
    """

    def __init__(self, app: App, trusted: frozenset[Proxy], prefix: str = "") -> None:
        self._app = app
        self._networks = [network for network in trusted if network != "unix"]
        self._unix = "unix" in trusted
        self._prefix = prefix.encode().decode("latin-1")  # the form of all text in WSGI

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on as its client sent it."""
        for key in (PREFIX_KEY, REQUEST_ID_KEY, WEB_SERVER_LOGIN_KEY):
            environ.pop(key, None)
        headers = {
            name: environ.pop(name) for name in list(environ) if name.startswith(_PROXY_HEADERS)
        }
        user = environ.pop("REMOTE_USER", "")
        if self._trusts(environ.get("REMOTE_ADDR", "")):
            user = user or headers.get("HTTP_X_REMOTE_USER", "")
            self._apply(environ, headers)
        if user and user != _NOBODY:
            environ[WEB_SERVER_LOGIN_KEY] = user
        return self._app(environ, start_response)

    def _trusts(self, peer: str) -> bool:
        if not peer:
            return self._unix
        if not self._networks:
            return False
        address = _address(peer)
        return address is not None and any(address in network for network in self._networks)

    def _apply(self, environ: Environ, headers: dict[str, str]) -> None:
        request_id = headers.get("HTTP_X_REQUEST_ID", "")
        if _REQUEST_ID.fullmatch(request_id):
            environ[REQUEST_ID_KEY] = request_id
        client = self._client(headers.get("HTTP_X_FORWARDED_FOR", ""))
        if client:
            environ["REMOTE_ADDR"] = client
        scheme = _last(headers.get("HTTP_X_FORWARDED_PROTO", "")).lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
            environ["SERVER_PORT"] = "443" if scheme == "https" else "80"
        host = _last(headers.get("HTTP_X_FORWARDED_HOST", ""))
        if host:
            environ["HTTP_HOST"] = host
        port = _last(headers.get("HTTP_X_FORWARDED_PORT", ""))
        if _PORT_NUMBER.fullmatch(port):
            environ["SERVER_PORT"] = port
            host_header = environ.get("HTTP_HOST", "")
            own = "443" if environ["wsgi.url_scheme"] == "https" else "80"
            # Some proxies drop the port from the host that the client named.
            if host_header and port != own and not _PORT.search(host_header):
                environ["HTTP_HOST"] = f"{host_header}:{port}"
        prefix = headers.get("HTTP_X_SCRIPT_NAME", self._prefix).rstrip("/")
        if prefix.startswith("/") and not prefix.startswith("//"):
            environ["SCRIPT_NAME"] = environ[PREFIX_KEY] = prefix
            # Some proxies leave the prefix in the request target.
            path = environ.get("PATH_INFO", "")
            if (path + "/").startswith(prefix + "/"):
                environ["PATH_INFO"] = path[len(prefix) :]

    def _client(self, forwarded: str) -> str:
        """Return the nearest address in X-Forwarded-For that is not a trusted proxy, or empty.

        Each proxy appends the address that it got the request from; entries before the first
        untrusted address are claims of that client.
        """
        found = ""
        for part in reversed(forwarded.split(",")):
            address = _address(part.strip())
            if address is None:
                break
            found = str(address)
            if not any(address in network for network in self._networks):
                break
        return found


def _address(text: str) -> Address | None:
    """Parse an address as proxies write it: bare, in brackets, or with a port."""
    return _parse_address(text) if len(text) <= LONGEST_KEY else None


@lru_cache(maxsize=1024)
def _parse_address(text: str) -> Address | None:
    bare = text
    if text.startswith("["):
        bare = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        bare = _PORT.sub("", text)
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _last(value: str) -> str:
    """Return the last entry of a list, which the nearest proxy has added."""
    return value.rpartition(",")[2].strip()
