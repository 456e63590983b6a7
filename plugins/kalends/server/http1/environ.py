"""WSGI environ of a request (PEP 3333)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from kalends.common.bounded_cache import LONGEST_KEY
from kalends.common.wsgi import Environ
from kalends.config.listener_roles import ROLE_KEY, Role
from kalends.server.http1.parser import Message

_log = logging.getLogger("kalends.server")

_MAX_CACHED_KEYS = 512
_OF_THE_SERVER = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": None}
_OF_THE_CONNECTION = frozenset({"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_TRAILER"})


class ErrorStream:
    """``wsgi.errors``, which writes to the log."""

    def write(self, text: str) -> None:
        """Log a text."""
        if text.strip():
            _log.error("%s", text.rstrip())

    def writelines(self, lines: Iterator[str]) -> None:
        """Log lines."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""


def connection_environ(client: Any, local: Any, role: Role, scheme: str, errors: Any) -> Environ:
    """Return the part of the environ that all requests of a connection share.

    Args:
        client: the client's address; empty for a Unix socket.
        local: the address that the client connected to; empty for a Unix socket.
        role: the role of the listener that accepted the connection.
        scheme: ``http`` or ``https``.
        errors: the stream for ``wsgi.errors``.
    """
    environ: Environ = {
        "SCRIPT_NAME": "",
        "SERVER_SOFTWARE": "kalends",
        "REMOTE_ADDR": client[0] if isinstance(client, tuple) else "",
        "SERVER_NAME": "",
        "SERVER_PORT": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": errors,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        ROLE_KEY: role,
    }
    if isinstance(client, tuple):
        environ["REMOTE_PORT"] = str(client[1])
    if isinstance(local, tuple):
        name = local[0].removeprefix("::ffff:")
        environ["SERVER_NAME"] = f"[{name}]" if ":" in name else name
        environ["SERVER_PORT"] = str(local[1])
    return environ


def request_environ(of_connection: Environ, message: Message) -> Environ:
    """Return the environ of one request.

    The body has arrived completely, so it has a length even if it came in chunks.

    Args:
        of_connection: what `connection_environ` returned.
        message: the request.
    """
    target = message.target.decode("latin-1")
    path, _, query = _origin_form(target).partition("?")
    environ = of_connection.copy()
    environ["REQUEST_METHOD"] = message.method
    environ["RAW_URI"] = target
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    environ["QUERY_STRING"] = query
    environ["SERVER_PROTOCOL"] = f"HTTP/{message.version}"
    environ["wsgi.input"] = message.body
    for name, value in message.fields:
        key = _key(name) if len(name) <= LONGEST_KEY else _key.__wrapped__(name)
        if key is None:
            continue
        text = value.decode("latin-1").strip(" \t")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if message.length or "CONTENT_TYPE" in environ or message.method in ("PUT", "POST"):
        environ["CONTENT_LENGTH"] = str(message.length)
    if not environ["SERVER_NAME"]:  # a Unix socket has no name: use the client's Host
        host, _, port = environ.get("HTTP_HOST", "").partition(":")
        secure = of_connection["wsgi.url_scheme"] == "https"
        environ["SERVER_NAME"] = host
        environ["SERVER_PORT"] = port or ("443" if secure else "80")
    return environ


def _origin_form(target: str) -> str:
    """Return the path and query of a target, also of one in absolute form (RFC 9112 3.2)."""
    if target.startswith("/"):
        return target
    _, found, rest = target.partition("://")
    if not found:
        return target
    place = rest.find("/")
    return rest[place:] if place >= 0 else "/"


@lru_cache(maxsize=_MAX_CACHED_KEYS)
def _key(name: bytes) -> str | None:
    """Return the environ's key for a header field, or None to hide the field.

    A name with an underscore is hidden, since it would look like another one with a hyphen.
    """
    if b"_" in name:
        return None
    plain = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    return None if plain in _OF_THE_CONNECTION else _OF_THE_SERVER.get(plain, plain)
