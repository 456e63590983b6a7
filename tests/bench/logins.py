"""Cost of logins: each scheme compared with a request that the web server has authenticated.

`make bench` runs it; `python tests/bench/logins.py` alone takes about a minute.
"""

from __future__ import annotations

import hashlib
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bcrypt

from kalends.authn.apache.htfiles import parse_htpasswd
from kalends.authn.apache.reloading import ReloadingFile
from kalends.authn.backends.apache_files import (
    UserDirectory,
    htdigest_file,
    htgroup_file,
    htpasswd_file,
)
from support.server import REALM, Answer, KalendsServer, basic, create_digest_server

LINES = 50_000
ROUNDS = 1000
USER, PASSWORD = "alice", "wonderland"
COST = 10


class Client:
    """A client on one kept connection, which logs in by each scheme in turn."""

    def __init__(self, server: KalendsServer) -> None:
        self._server = server
        self._connection = server.connection()
        self._count = 0
        challenge = self._ask({}).headers["WWW-Authenticate"]
        found = re.search('nonce="([^"]+)"', challenge)
        assert found
        self._nonce = found[1]

    def milliseconds(self, headers: dict[str, str]) -> float:
        """Send a request that must succeed; return its milliseconds."""
        start = time.perf_counter()
        answer = self._ask(headers)
        taken = time.perf_counter() - start
        assert answer.status == 207, answer
        return taken * 1000

    def _ask(self, headers: dict[str, str]) -> Answer:
        return self._server.request_on(
            self._connection, "PROPFIND", f"/{USER}/calendar/", headers={"Depth": "0", **headers}
        )

    def by_web_server(self) -> dict[str, str]:
        """Return the header of a request that the web server has authenticated."""
        return {"X-Remote-User": USER}

    def by_basic(self) -> dict[str, str]:
        """Return the header of a login by Basic, whose hash is bcrypt."""
        return {"Authorization": basic(USER, PASSWORD)}

    def by_digest(self) -> dict[str, str]:
        """Return the header of a login by Digest, with the next count of the same nonce."""

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        self._count += 1
        uri, count = f"/{USER}/calendar/", f"{self._count:08x}"
        ha1, ha2 = md5(f"{USER}:{REALM}:{PASSWORD}"), md5(f"PROPFIND:{uri}")
        response = md5(f"{ha1}:{self._nonce}:{count}:cn:auth:{ha2}")
        return {
            "Authorization": f'Digest username="{USER}", realm="{REALM}", nonce="{self._nonce}", '
            f'uri="{uri}", response="{response}", qop=auth, nc={count}, cnonce="cn"'
        }


def request_times(folder: Path) -> list[str]:
    """Return rows that compare each scheme with none."""
    server = create_digest_server(
        folder, {USER: PASSWORD}, options={"kalends": {"trusted_proxies": "127.0.0.1"}}
    )
    try:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST)).decode()
        server.users_file.write_text(f"{USER}:{hashed}\n")
        client = Client(server)
        client.milliseconds(client.by_web_server())  # makes the home
        first = client.milliseconds(client.by_basic())
        kinds = [client.by_web_server, client.by_basic, client.by_digest]
        taken: list[list[float]] = [[] for _ in kinds]
        for _ in range(ROUNDS):
            for kind, times in zip(kinds, taken, strict=True):
                times.append(client.milliseconds(kind()))
        none, by_basic, by_digest = map(statistics.median, taken)
    finally:
        server.close()
    share, more = (by_basic - none) / none * 100, by_digest - none
    few, little = (
        target_verdict(share <= 5, "at most 5 %"),
        target_verdict(more <= 0.3, "at most 0.3 ms"),
    )
    return [
        f"| PROPFIND, authenticated by the web server | {none:.2f} ms | |",
        f"| the same by Basic, bcrypt cost {COST}, first in a worker | {first:.1f} ms | |",
        f"| after the first | {by_basic:.2f} ms, {share:+.1f} % | {few} |",
        f"| the same by Digest | {by_digest:.2f} ms, {more:+.2f} ms | {little} |",
    ]


def target_verdict(holds: bool, target: str) -> str:
    """Return a target and its verdict."""
    return f"{target}: {'holds' if holds else 'DOES NOT HOLD'}"


def stat_calls(folder: Path) -> list[str]:
    """Return a row with the number of stat calls of an unchanged file for each login."""
    file = folder / "users"
    file.write_bytes(b"alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    os.utime(file, (0, 0))
    calls = 0

    def stat(path: Path) -> os.stat_result:
        nonlocal calls
        calls += 1
        return path.stat()

    directory = UserDirectory(ReloadingFile(file, parse_htpasswd, look=stat))
    directory.check_password(b"alice", b"secret")
    time.sleep(0.1)
    directory.check_password(b"alice", b"secret")
    calls = 0
    for _ in range(10):
        assert directory.check_password(b"alice", b"secret")
    target = target_verdict(calls == 10, "one")
    return [f"| stat of an unchanged file, for each login | {calls / 10:g} | {target} |"]


def reload_times(folder: Path) -> list[str]:
    """Return rows with the delay of the first request after an edit."""
    names = [f"user{number}" for number in range(LINES)]
    digits = [hashlib.md5(name.encode()).hexdigest() for name in names]
    hashes = [f"$2y$10${d[:22]}{d[:31]}" for d in digits]
    contents = {
        "htpasswd": "".join(f"{n}:{h}\n" for n, h in zip(names, hashes, strict=True)),
        "htdigest": "".join(f"{n}:{REALM}:{d}\n" for n, d in zip(names, digits, strict=True)),
        "groups": "".join(f"group{number % 1000}: {name}\n" for number, name in enumerate(names)),
        "one group": f"all: {' '.join(names)}\n",
    }
    first: dict[str, Callable[[Path], object]] = {
        "htpasswd": lambda path: UserDirectory(htpasswd_file(path)).names(),
        "htdigest": lambda path: UserDirectory(
            None, htdigest=htdigest_file(path), realm=REALM
        ).names(),
        "groups": lambda path: UserDirectory(None, htgroup=htgroup_file(path)).groups_of("user7"),
    }
    rows = []
    for kind, content in contents.items():
        file = folder / kind
        file.write_text(content)
        os.utime(file, (0, 0))
        read = first.get(kind, first["groups"])
        times = []
        for _ in range(7):
            start = time.perf_counter()
            read(file)
            times.append((time.perf_counter() - start) * 1000)
        median = statistics.median(times)
        parts = "members" if kind == "one group" else "lines"
        rows.append(
            f"| {LINES:,} {parts} of {kind}, read again "
            f"| {median:.0f} ms | {target_verdict(median <= 200, 'at most 200 ms')} |"
        )
    return rows


def main() -> int:
    """Print the table."""
    with tempfile.TemporaryDirectory(prefix="kalends-bench-") as name:
        folder = Path(name)
        rows = [*request_times(folder / "server"), *stat_calls(folder), *reload_times(folder)]
    sys.stdout.write("| logins, medians | | target |\n|---|---:|---|\n" + "\n".join(rows) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
