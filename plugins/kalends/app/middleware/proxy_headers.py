"""Who is believed about the outside: what only a trusted proxy, or the web server, may say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from kalends.common.wsgi import (
    PREFIX_KEY,
    REQUEST_ID_KEY,
    WEB_SERVER_LOGIN_KEY,
    App,
    Environ,
    StartResponse,
)
from kalends.config.settings import Proxy

_ONLY_OF_A_PROXY = (
    *("HTTP_X_FORWARDED_", "HTTP_X_REMOTE_", "HTTP_X_SCRIPT_", "HTTP_FORWARDED"),
    "HTTP_X_REQUEST_ID",
)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._+=/@-]{1,64}")
_PORT = re.compile(r":\d+$")
_PORT_NUMBER = re.compile(r"[0-9]{1,5}")
# What Apache writes for a user that there is none of.
_NOBODY = "(null)"

Address = IPv4Address | IPv6Address


class TrustedProxies:
    """WSGI middleware that makes a request look as it did outside of the trusted proxies.

    What a trusted proxy says in X-Forwarded-For, -Proto, -Host and -Port becomes the environ's
    client address, scheme, host and port, and X-Script-Name becomes SCRIPT_NAME. Those headers, and
    X-Remote-User, are then taken out, whoever sent them.

    Args:
        app: the application behind.
        trusted: the proxies; ``unix`` stands for a Unix socket.
        prefix: the prefix where a trusted proxy announces none; empty, or as in ``/dav``.
    """

    def __init__(self, app: App, trusted: frozenset[Proxy], prefix: str = "") -> None:
        self._app = app
        self._networks = [network for network in trusted if network != "unix"]
        self._unix = "unix" in trusted
        self._prefix = prefix.encode().decode("latin-1")  # as WSGI has all text

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, as its client made it."""
        for key in (PREFIX_KEY, REQUEST_ID_KEY, WEB_SERVER_LOGIN_KEY):
            environ.pop(key, None)
        said = {
            name: environ.pop(name) for name in list(environ) if name.startswith(_ONLY_OF_A_PROXY)
        }
        user = environ.pop("REMOTE_USER", "")
        if self._trusts(environ.get("REMOTE_ADDR", "")):
            user = user or said.get("HTTP_X_REMOTE_USER", "")
            self._believe(environ, said)
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

    def _believe(self, environ: Environ, said: dict[str, str]) -> None:
        request_id = said.get("HTTP_X_REQUEST_ID", "")
        if _REQUEST_ID.fullmatch(request_id):
            environ[REQUEST_ID_KEY] = request_id
        client = self._client(said.get("HTTP_X_FORWARDED_FOR", ""))
        if client:
            environ["REMOTE_ADDR"] = client
        scheme = _last(said.get("HTTP_X_FORWARDED_PROTO", "")).lower()
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
            environ["SERVER_PORT"] = "443" if scheme == "https" else "80"
        host = _last(said.get("HTTP_X_FORWARDED_HOST", ""))
        if host:
            environ["HTTP_HOST"] = host
        port = _last(said.get("HTTP_X_FORWARDED_PORT", ""))
        if _PORT_NUMBER.fullmatch(port):
            environ["SERVER_PORT"] = port
            stated = environ.get("HTTP_HOST", "")
            own = "443" if environ["wsgi.url_scheme"] == "https" else "80"
            # Some proxies pass the host on without the port that the client named.
            if stated and port != own and not _PORT.search(stated):
                environ["HTTP_HOST"] = f"{stated}:{port}"
        prefix = said.get("HTTP_X_SCRIPT_NAME", self._prefix).rstrip("/")
        if prefix.startswith("/") and not prefix.startswith("//"):
            environ["SCRIPT_NAME"] = environ[PREFIX_KEY] = prefix
            # Some proxies pass the target on with the prefix.
            path = environ.get("PATH_INFO", "")
            if (path + "/").startswith(prefix + "/"):
                environ["PATH_INFO"] = path[len(prefix) :]

    def _client(self, forwarded: str) -> str:
        """The nearest address in X-Forwarded-For that is no trusted proxy; empty if none is named.

        Each proxy appends whom it got the request from; what stands before the first stranger is
        that stranger's own word.
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


@lru_cache(maxsize=1024)
def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, in brackets, or with a port."""
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
    """What the nearest proxy added to a list."""
    return value.rpartition(",")[2].strip()
