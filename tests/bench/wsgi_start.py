"""Commands of the WSGI servers that `wsgi_servers.py` compares, and a small HTTP client."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PLUGINS = HERE.parent.parent / "plugins"  # for the worker of Kalends
CACHE = HERE.parent.parent / ".venv-bench"
LIMIT = 5  # seconds: the time limit of each server that has one


class UnsupportedError(Exception):
    """A server that cannot be started according to the plan."""


@dataclass(frozen=True)
class Plan:
    """The options with which a server is started."""

    listeners: tuple[str, ...] = ()
    workers: int = 1
    threads: int = 4
    tls: tuple[str, str] | None = None
    inherit: bool = False


@dataclass(frozen=True)
class Candidate:
    """A server: its distribution, and a function that returns its command for a plan."""

    distribution: str
    command: Callable[[str, Plan], list[str]]


def gunicorn(bin_folder: str, plan: Plan, worker: str = "gthread") -> list[str]:
    """Return Gunicorn's command line."""
    line = [f"{bin_folder}/gunicorn", "-k", worker, "--no-control-socket"]
    line += ["--threads", str(plan.threads), "-w", str(plan.workers), "--keep-alive", str(LIMIT)]
    if not plan.inherit:
        line += [word for listener in plan.listeners for word in ("-b", listener)]
    if plan.tls:
        line += ["--certfile", plan.tls[0], "--keyfile", plan.tls[1]]
    return [*line, "--log-level", "error", "--graceful-timeout", "5", "wsgi_app:application"]


def uwsgi(bin_folder: str, plan: Plan) -> list[str]:
    """Return uWSGI's command line; its TLS needs OpenSSL's headers when it is compiled."""
    line = [f"{bin_folder}/uwsgi", "--master", "--die-on-term", "--disable-logging", "--need-app"]
    line += ["--processes", str(plan.workers), "--threads", str(plan.threads)]
    line += ["--wsgi-file", str(HERE / "wsgi_app.py"), "--socket-timeout", str(LIMIT)]
    line += ["--buffer-size", "16384", "--so-keepalive", "--worker-reload-mercy", "5"]
    if plan.inherit:
        return [*line, "--http11-socket", "fd://3"]
    for listener in plan.listeners:
        if plan.tls:
            line += ["--https-socket", f"{listener},{plan.tls[0]},{plan.tls[1]}"]
        else:
            line += ["--http11-socket", listener.removeprefix("unix:")]
    return line


def granian(bin_folder: str, plan: Plan) -> list[str]:
    """Return Granian's command line, for one listener."""
    if plan.inherit:
        raise UnsupportedError
    if len(plan.listeners) > 1:
        raise UnsupportedError
    line = [f"{bin_folder}/granian", "--interface", "wsgi", "--no-log", "--http", "1"]
    line += ["--workers", str(plan.workers), "--blocking-threads", str(plan.threads)]
    line += ["--http1-header-read-timeout", str(LIMIT * 1000), "--workers-kill-timeout", "5"]
    if plan.listeners[0].startswith("unix:"):
        line += ["--uds", plan.listeners[0].removeprefix("unix:")]
    else:
        host, port = plan.listeners[0].rsplit(":", 1)
        line += ["--host", host, "--port", port]
    if plan.tls:
        line += ["--ssl-certificate", plan.tls[0], "--ssl-keyfile", plan.tls[1]]
    return [*line, "wsgi_app:application"]


def launched(name: str) -> Callable[[str, Plan], list[str]]:
    """Return the command of a server that `wsgi_launch.py` starts."""

    def command(bin_folder: str, plan: Plan) -> list[str]:
        if name == "cheroot" and len(plan.listeners) > 1:
            raise UnsupportedError
        if name == "waitress" and plan.tls:
            raise UnsupportedError
        given = {**plan.__dict__, "limit": LIMIT}
        return [f"{bin_folder}/python", str(HERE / "wsgi_launch.py"), name, json.dumps(given)]

    return command


CANDIDATES = {
    "gunicorn": Candidate("gunicorn==27.0.1", gunicorn),
    "gunicorn+bounds": Candidate(
        "gunicorn==27.0.1", lambda folder, plan: gunicorn(folder, plan, "wsgi_worker.ShortWorker")
    ),
    "uwsgi": Candidate("uwsgi==2.0.31", uwsgi),
    "granian": Candidate("granian==2.8.7", granian),
    "cheroot": Candidate("cheroot==11.1.2", launched("cheroot")),
    "waitress": Candidate("waitress==3.0.2", launched("waitress")),
}


def environment(distribution: str) -> str:
    """Return the program folder of a distribution's own environment; create it if necessary."""
    folder = CACHE / distribution.replace("==", "-")
    if not (folder / ".installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, distribution], check=True, stdout=sys.stderr)
        (folder / ".installed").touch()
    return str(folder / "bin")


def free_port() -> int:
    """Return a port of 127.0.0.1 that is free now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def connect(listener: str, tls: bool = False) -> socket.socket:
    """Connect to "HOST:PORT" or "unix:PATH"."""
    if listener.startswith("unix:"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(20)
        sock.connect(listener.removeprefix("unix:"))
        return sock
    host, port = listener.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        context = ssl._create_unverified_context()
        return context.wrap_socket(sock)
    return sock


def request(method: str, target: str, *headers: str) -> bytes:
    """Return the octets of a request without a body."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]
    return "\r\n".join(lines).encode()


def answer(sock: socket.socket) -> bytes:
    """Read one answer from the connection and return its body."""
    data = b""
    while (end := data.find(b"\r\n\r\n")) < 0:
        if not (piece := sock.recv(65536)):
            raise ConnectionError(f"closed after {data[:200]!r}")
        data += piece
    head = data[:end].lower()
    status = int(head.split(maxsplit=2)[1])
    if status >= 400:
        raise ConnectionError(f"answered {status}")
    length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
    parts = [data[end + 4 :]]
    missing = length - len(parts[0])
    while missing:
        if not (piece := sock.recv(1 << 20)):
            raise ConnectionError("closed within the body")
        parts.append(piece)
        missing -= len(piece)
    return b"".join(parts)


def ask(listener: str, octets: bytes, tls: bool = False) -> Any:
    """Send a request on a connection of its own and return the JSON object of the answer."""
    with connect(listener, tls) as sock:
        sock.sendall(octets)
        return json.loads(answer(sock))


@contextlib.contextmanager
def running(candidate: Candidate, plan: Plan) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, wait until it answers on all listeners, and stop it after the block."""
    bin_folder = environment(candidate.distribution)
    command = candidate.command(bin_folder, plan)
    inherited = None
    if plan.inherit:
        host, port = plan.listeners[0].rsplit(":", 1)
        inherited = socket.create_server((host, int(port)))
        # systemd passes descriptor 3, and the process's own id in LISTEN_PID.
        script = f'exec 3<&{inherited.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        command = ["sh", "-c", script, "sh", *command]
    process = subprocess.Popen(
        command,
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{PLUGINS}", "PYTHONDONTWRITEBYTECODE": "1"},
        pass_fds=[inherited.fileno()] if inherited else [],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for listener in plan.listeners:
            wait_until_it_answers(process, listener, plan.tls is not None)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if inherited:
            inherited.close()


def wait_until_it_answers(process: subprocess.Popen[bytes], listener: str, tls: bool) -> None:
    """Wait until the listener answers a request; raise UnsupportedError after 10 seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError, ValueError), connect(listener, tls) as sock:
            sock.settimeout(3)
            sock.sendall(request("GET", "/"))
            answer(sock)
            return
        time.sleep(0.05)
    raise UnsupportedError


def tcp() -> str:
    """Return a free TCP listener."""
    return f"127.0.0.1:{free_port()}"
