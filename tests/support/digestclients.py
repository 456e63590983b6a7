"""Real programs that log in with HTTP Digest, all with the same small interface."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import requests
from requests.auth import HTTPDigestAuth

from support.samples import event

XML = {"Content-Type": "text/xml", "Depth": "1"}
_SYNC = b'<sync-collection xmlns="DAV:"><sync-token/><prop><getetag/></prop></sync-collection>'


class DigestClient:
    """A program that sends requests, and keeps its login between them if it can."""

    def __init__(self, base: str, user: str, password: str) -> None:
        self.base = base.rstrip("/")
        self.user = user
        self.password = password

    def __call__(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        """Send one request; return its final status."""
        raise NotImplementedError

    def close(self) -> None:
        """Forget the login."""


class Curl(DigestClient):
    """curl, in a process for each request."""

    option = "--digest"

    def __call__(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        fields = [
            word for name, value in (headers or {}).items() for word in ("-H", f"{name}: {value}")
        ]
        command = ["curl", "--silent", "--insecure", "--output", "/dev/null", "--path-as-is"]
        command += ["--write-out", "%{http_code}", self.option, "--request", method]
        command += ["--data-binary", body.decode(), *fields, self.base + path]
        done = subprocess.run(
            # A password in the arguments could be read in the list of processes.
            [*command, "--config", "-"],
            input=f'user = "{self.user}:{self.password}"\n'.encode(),
            capture_output=True,
            check=True,
            timeout=60,
        )
        return int(done.stdout)


class CurlAny(Curl):
    """curl that chooses the strongest scheme on offer."""

    option = "--anyauth"


class CurlBasic(Curl):
    """curl with HTTP Basic."""

    option = "--basic"


class Requests(DigestClient):
    """The requests library, which most Python programs use."""

    def __init__(self, base: str, user: str, password: str) -> None:
        super().__init__(base, user, password)
        self._session = requests.Session()
        self._session.auth = HTTPDigestAuth(user, password)

    def __call__(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        return self._session.request(
            method, self.base + path, data=body, headers=headers, timeout=60, verify=False
        ).status_code

    def close(self) -> None:
        self._session.close()


class SerializedDigestAuth(httpx.DigestAuth):
    """httpx's Digest with a lock; without it, threads sometimes use one nonce count twice."""

    def __init__(self, user: str, password: str) -> None:
        super().__init__(user, password)
        self._lock = threading.Lock()

    def _build_auth_header(self, *args: Any) -> str:
        with self._lock:
            return super()._build_auth_header(*args)


class Httpx(DigestClient):
    """The httpx library; many threads may share one login."""

    def __init__(self, base: str, user: str, password: str) -> None:
        super().__init__(base, user, password)
        auth = SerializedDigestAuth(user, password)
        self._client = httpx.Client(auth=auth, verify=False, timeout=60)

    def __call__(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> int:
        return self._client.request(
            method, self.base + path, content=body, headers=headers
        ).status_code

    def close(self) -> None:
        self._client.close()


CLIENTS: list[type[DigestClient]] = [Curl, CurlAny, CurlBasic, Requests, Httpx]


@contextmanager
def open_client(
    kind: type[DigestClient], base: str, user: str, password: str
) -> Iterator[DigestClient]:
    """Open a client for the duration of the block."""
    client = kind(base, user, password)
    try:
        yield client
    finally:
        client.close()


def run_neon(folder: Path, program: str, url: str, user: str, password: str, script: str) -> str:
    """Run a script with cadaver, a client built on neon; return its output."""
    host = url.split("/")[2].partition(":")[0]
    (folder / ".netrc").write_text(f"machine {host} login {user} password {password}\n")
    done = subprocess.run(
        [program, url],
        input=script,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def run_typical_requests(ask: DigestClient, home: str = "/ann%20smith") -> list[int]:
    """Send the requests of a calendar program; return their statuses."""
    item = f"{home}/calendar/a%20b.ics"
    return [
        ask("OPTIONS", f"{home}/"),
        ask("PROPFIND", f"{home}/", headers=XML),
        ask("PUT", item, event("day").encode()),
        ask("GET", item),
        ask("REPORT", f"{home}/calendar/", _SYNC, XML),
        ask("GET", f"{home}/calendar/?export&x=%20y"),
        ask("DELETE", item),
        ask("GET", item),
    ]


TYPICAL_STATUSES = [200, 207, 201, 200, 207, 200, 204, 404]
