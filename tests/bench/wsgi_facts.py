"""Tests of the features of a running WSGI server (see `wsgi_servers.py`)."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.wsgi_start import (
    Candidate,
    Plan,
    UnsupportedError,
    answer,
    ask,
    connect,
    request,
    running,
    tcp,
)

WATCHED = 15.0  # seconds after which a client still connected counts as unlimited


def raw_target(candidate: Candidate, _folder: Path) -> str:
    """Name the environ key that holds the request target exactly as it was sent."""
    target = "/a%2Fb//%C3%A9;x?q=%41"
    with running(candidate, plan := Plan((tcp(),))):
        environ = ask(plan.listeners[0], request("GET", target))
    keys = [key for key, value in environ.items() if value == target]
    return keys[0] if keys else "no"


def unix_socket(candidate: Candidate, folder: Path) -> str:
    """Try a Unix socket."""
    with running(candidate, Plan((f"unix:{folder / 'one.sock'}",))):
        return "yes"


def several_listeners(candidate: Candidate, folder: Path) -> str:
    """Try two TCP listeners and a Unix socket in one server."""
    with running(candidate, Plan((tcp(), tcp(), f"unix:{folder / 'three.sock'}"))):
        return "yes"


def systemd_socket(candidate: Candidate, _folder: Path) -> str:
    """Try a listening socket handed over as systemd does."""
    with running(candidate, Plan((tcp(),), inherit=True)):
        return "yes"


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """Create a self-signed certificate for a name; return the paths of it and of its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={name}".split()
    command += ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(command, check=True, capture_output=True)
    return str(cert), str(key)


def tls_reload(candidate: Candidate, folder: Path) -> str:
    """Try TLS, then a new certificate and the reload signal."""
    plan = Plan((tcp(),), tls=certificate(folder, "first"), workers=2)

    def shown() -> bytes | None:
        with connect(plan.listeners[0], tls=True) as sock:
            assert isinstance(sock, ssl.SSLSocket)
            return sock.getpeercert(binary_form=True)

    with running(candidate, plan) as process:
        before = shown()
        certificate(folder, "second")
        if shown() != before:
            return "yes, at the next connection"
        process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 8
        while time.monotonic() < until:
            time.sleep(0.2)
            with contextlib.suppress(OSError):
                if shown() != before:
                    return "yes, on SIGHUP"
        return "TLS yes, reload no"


def chunked_put(candidate: Candidate, _folder: Path) -> str:
    """Try a PUT of 100,000 octets in chunks."""
    with running(candidate, plan := Plan((tcp(),))):
        body = b"".join(b"3e8\r\n" + b"x" * 1000 + b"\r\n" for _ in range(100)) + b"0\r\n\r\n"
        sent = request("PUT", "/", "Transfer-Encoding: chunked") + body
        environ = ask(plan.listeners[0], sent)
        if environ["body length"] != 100_000:
            return f"no: {environ['body length']} octets"
        length = environ.get("CONTENT_LENGTH")
        return "yes, CONTENT_LENGTH given" if length else "yes, no CONTENT_LENGTH"


def graceful_stop(candidate: Candidate, _folder: Path) -> str:
    """Try SIGTERM during a request of one second: the server must answer it, then exit."""
    plan = Plan((tcp(),), workers=2)
    with running(candidate, plan) as process, connect(plan.listeners[0]) as sock:
        sock.sendall(request("GET", "/sleep"))
        time.sleep(0.3)
        process.terminate()
        try:
            answer(sock)
        except OSError as error:
            return f"no: {type(error).__name__}"
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            return "answered, but did not end"
        return "yes"


def processes(candidate: Candidate, _folder: Path) -> str:
    """Count the processes that answer 60 connections of a server with 2 workers."""
    with running(candidate, plan := Plan((tcp(),), workers=2)):
        socks = [connect(plan.listeners[0]) for _ in range(60)]
        for sock in socks:
            sock.sendall(request("GET", "/"))
        pids = Counter(json.loads(answer(sock))["pid"] for sock in socks)
        for sock in socks:
            sock.close()
    return " + ".join(str(count) for count in sorted(pids.values()))


STALLS = {
    "nothing sent": b"",
    "half a header": request("GET", "/")[:-4],
    "half a body": request("PUT", "/", "Content-Length: 100") + b"x" * 50,
    "trickled header": request("GET", "/")[:-4] + b"\r\nX: ",
    "trickled body": request("PUT", "/", "Content-Length: 100") + b"x" * 50,
    "idle after an answer": request("PROPFIND", "/"),
    "answer not read": request("GET", "/big") * 30,
}


def time_limits(candidate: Candidate, _folder: Path) -> dict[str, str]:
    """Stall connections in several ways; return the seconds after which each is closed."""
    with running(candidate, plan := Plan((tcp(),), threads=16)):
        socks = {}
        for name, octets in STALLS.items():
            socks[name] = connect(plan.listeners[0])
            socks[name].sendall(octets)
        if answer(socks["idle after an answer"]):
            raise AssertionError("the PROPFIND answer is empty")
        ended: dict[str, str] = {}
        start = time.monotonic()
        while len(ended) < len(STALLS) - 1 and time.monotonic() - start < WATCHED:
            time.sleep(1)
            for name, sock in socks.items():
                if name not in ended and is_cut_off(name, sock):
                    ended[name] = f"{time.monotonic() - start:.0f} s"
        if was_given_up(socks["answer not read"]):
            ended["answer not read"] = "some"
        for sock in socks.values():
            sock.close()
    return {f"limit: {name}": ended.get(name, "none") for name in STALLS}


def was_given_up(sock: socket.socket) -> bool:
    """Return True if the server sends fewer than the 30 answers, read after the pause."""
    total = 0
    with contextlib.suppress(OSError):
        while total < 30_000_000 and (piece := sock.recv(1 << 20)):
            total += len(piece)
    return total < 30_000_000


def is_cut_off(name: str, sock: socket.socket) -> bool:
    """Return True if the server has closed the connection; send an octet if it is to trickle."""
    if name == "answer not read":
        return False
    try:
        if name.startswith("trickled"):
            sock.sendall(b"x")
        sock.setblocking(False)
        return len(sock.recv(1000)) >= 0
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.setblocking(True)


FACTS: dict[str, Callable[[Candidate, Path], str]] = {
    "raw target": raw_target,
    "Unix socket": unix_socket,
    "several listeners": several_listeners,
    "systemd's socket": systemd_socket,
    "TLS with reload": tls_reload,
    "chunked PUT": chunked_put,
    "60 connections over 2 processes": processes,
    "graceful stop": graceful_stop,
}


def facts(candidate: Candidate) -> dict[str, str]:
    """Return the result of every test; "no" if the server cannot be started for it."""
    found = {}
    for name, test in FACTS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                found[name] = test(candidate, Path(folder))
            except (UnsupportedError, OSError) as error:
                found[name] = "no" if isinstance(error, UnsupportedError) else f"no: {error}"[:40]
    return found | time_limits(candidate, Path())
