"""Small WSGI application that reveals the environ of its server (see `wsgi_servers.py`)."""

from __future__ import annotations

import importlib
import json
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

BIG = b"x" * 1_000_000


def read_body(environ: dict[str, Any]) -> int:
    """Read the request body to its end and return its length in octets."""
    length = environ.get("CONTENT_LENGTH")
    stream = environ["wsgi.input"]
    if length:
        return len(stream.read(int(length)))
    if environ.get("HTTP_TRANSFER_ENCODING", "").lower() != "chunked":
        return 0
    if "uwsgi.version" in environ:
        uwsgi = importlib.import_module("uwsgi")  # a module that exists only inside uWSGI
        return sum(map(len, iter(uwsgi.chunked_read, b"")))
    return sum(map(len, iter(lambda: stream.read(65536), b"")))


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]
) -> Iterable[bytes]:
    """Answer PROPFIND empty, /big with a megabyte, /sleep after a second, others with environ."""
    path = environ["PATH_INFO"]
    if environ["REQUEST_METHOD"] == "PROPFIND":
        start_response("207 Multi-Status", [("Content-Length", "0")])
        return [b""]
    if path == "/big":
        start_response("200 OK", [("Content-Length", str(len(BIG)))])
        return [BIG]
    if path == "/sleep":
        time.sleep(1)
    shown: dict[str, Any] = {k: v for k, v in environ.items() if isinstance(v, str)}
    shown["pid"] = os.getpid()
    if environ["REQUEST_METHOD"] == "PUT":
        shown["body length"] = read_body(environ)
    body = json.dumps(shown).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
