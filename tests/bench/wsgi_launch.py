"""Launcher of cheroot or waitress with processes, inherited sockets and TLS.

Their own commands do not have these options.

    wsgi_launch.py cheroot|waitress JSON

The JSON object has `listeners` ("HOST:PORT" or "unix:PATH"), `workers`, `threads`, `limit`
(seconds), `inherit` (file descriptor 3 is the listener) and `tls` ([certificate, key] or null).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.wsgi_app import application


def listening_sockets(plan: dict[str, Any]) -> list[socket.socket]:
    """Bind every listener of the plan, or take the inherited one."""
    if plan["inherit"]:
        return [socket.socket(fileno=3)]
    sockets = []
    for listener in plan["listeners"]:
        if listener.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(listener.removeprefix("unix:"))
        else:
            host, port = listener.rsplit(":", 1)
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, int(port)))
        sock.listen(1024)
        sockets.append(sock)
    return sockets


def serve_waitress(plan: dict[str, Any], sockets: list[socket.socket]) -> Callable[[], None]:
    """Return waitress' serving loop for any number of sockets."""
    server = importlib.import_module("waitress").create_server(
        application,
        sockets=sockets,
        threads=plan["threads"],
        channel_timeout=plan["limit"],
        cleanup_interval=1,
        connection_limit=200,
    )

    def run() -> None:
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit))
        with contextlib.suppress(SystemExit):
            server.run()
        server.close()

    return run


def serve_cheroot(plan: dict[str, Any], sockets: list[socket.socket]) -> Callable[[], None]:
    """Return cheroot's serving loop for one socket, which is descriptor 3, as with systemd."""
    if sockets[0].family == socket.AF_UNIX:
        address: Any = plan["listeners"][0].removeprefix("unix:")
        sockets[0].close()
        Path(address).unlink()
    else:
        address = sockets[0].getsockname()
        os.dup2(sockets[0].fileno(), 3)
        os.environ["LISTEN_PID"] = str(os.getpid())
    server = importlib.import_module("cheroot.wsgi").Server(
        address, application, numthreads=plan["threads"], timeout=plan["limit"]
    )
    if plan["tls"]:
        adapter = importlib.import_module("cheroot.ssl.builtin").BuiltinSSLAdapter
        server.ssl_adapter = adapter(*plan["tls"])

    def run() -> None:
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit))
        server.prepare()
        with contextlib.suppress(SystemExit):
            server.serve()
        server.stop()

    return run


def main() -> None:
    """Fork the workers over shared listening sockets and pass SIGTERM on to them."""
    plan = json.loads(sys.argv[2])
    sockets = listening_sockets(plan)
    serve = {"cheroot": serve_cheroot, "waitress": serve_waitress}[sys.argv[1]]
    children = []
    for _ in range(plan["workers"] - 1):
        if (pid := os.fork()) == 0:
            serve(plan, sockets)()
            os._exit(0)
        children.append(pid)
    serve(plan, sockets)()
    for pid in children:
        os.kill(pid, signal.SIGTERM)
    for pid in children:
        os.waitpid(pid, 0)
    for listener in plan["listeners"]:
        if listener.startswith("unix:"):
            Path(listener.removeprefix("unix:")).unlink(missing_ok=True)


if __name__ == "__main__":
    main()
