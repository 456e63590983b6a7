"""A request to the WSGI environ that the application sees (PEP 3333)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from kalends.common.wsgi import Environ
from kalends.config.listener_roles import ROLE_KEY, Role
from kalends.server.http1.parser import Message

_NAMES_KEPT = 512
_OF_THE_SERVER = {"HTTP_CONTENT_TYPE": "CONTENT_TYPE", "HTTP_CONTENT_LENGTH": None}
_OF_THE_CONNECTION = frozenset({"HTTP_TRANSFER_ENCODING", "HTTP_EXPECT", "HTTP_TRAILER"})


def connection_environ(client: Any, own: Any, role: Role, scheme: str, errors: Any) -> Environ:
    """What is the same for all requests of a connection.

    Args:
        client: the other end's address; of a Unix socket it is empty.
        own: the address that it has reached; of a Unix socket it is empty.
        role: what the listener that took it is for.
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
    if isinstance(own, tuple):
        name = own[0].removeprefix("::ffff:")
        environ["SERVER_NAME"] = f"[{name}]" if ":" in name else name
        environ["SERVER_PORT"] = str(own[1])
    return environ


def request_environ(of_connection: Environ, message: Message) -> Environ:
    """The environ of one request.

    The body is there whole, so that it has a length, also where it came in chunks.
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
        key = _key(name)
        if key is None:
            continue
        text = value.decode("latin-1").strip(" \t")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    if message.length or "CONTENT_TYPE" in environ or message.method in ("PUT", "POST"):
        environ["CONTENT_LENGTH"] = str(message.length)
    if not environ["SERVER_NAME"]:  # a Unix socket has no name; what the client says must do
        host, _, port = environ.get("HTTP_HOST", "").partition(":")
        secure = of_connection["wsgi.url_scheme"] == "https"
        environ["SERVER_NAME"] = host
        environ["SERVER_PORT"] = port or ("443" if secure else "80")
    return environ


def _origin_form(target: str) -> str:
    """The path and query of a target (RFC 9112 section 3.2), which a proxy's client names whole."""
    if target.startswith("/"):
        return target
    _, found, rest = target.partition("://")
    if not found:
        return target
    place = rest.find("/")
    return rest[place:] if place >= 0 else "/"


@lru_cache(maxsize=_NAMES_KEPT)
def _key(name: bytes) -> str | None:
    """The environ's key for a header field, or None where the application is not to see it.

    A name with an underscore would look like another one with a hyphen.
    """
    if b"_" in name:
        return None
    plain = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    return None if plain in _OF_THE_CONNECTION else _OF_THE_SERVER.get(plain, plain)
