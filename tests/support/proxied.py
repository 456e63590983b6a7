"""Kalends behind a web server: on a port, on a Unix socket, and with feeds of every access."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Self

from support.awaiting import await_that
from support.deployment import Backend
from support.samples import event
from support.server import BIN, REALM, KalendsServer, Sections, htdigest_line

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"
publish = ["mine.ics"]
[feed.open]
calendars = ["*/*"]
access = "public"
publish = ["open.ics"]
[feed.house]
calendars = ["*/*"]
access = "login"
publish = ["house.ics"]
[feed.family]
calendars = ["*/*"]
access = "secret"
publish = ["family.ics"]
"""


class ProxiedKalends(KalendsServer):
    """`kalends serve` that trusts web servers on this machine.

    Args:
        folder: the folder of its files.
        users: the password of each account, for Basic and for Digest.
        schemes: the login schemes; ``none`` where the web server asks for the login.
        ready: the line that it prints when it serves.
        workers: the number of processes that serve.
    """

    def __init__(
        self,
        folder: Path,
        users: dict[str, str],
        schemes: str = "digest, basic",
        ready: str = "Kalends serves http://",
        workers: int = 2,
    ) -> None:
        # The path of a socket is limited to about a hundred bytes, too few for a test's folder.
        self._sockets = tempfile.TemporaryDirectory(prefix="kalends-")
        self.socket = Path(self._sockets.name) / "socket"
        folder.mkdir(parents=True, exist_ok=True)
        self.digests = folder / "users.htdigest"
        lines = [htdigest_line(name, REALM, word) for name, word in users.items()]
        self.digests.write_text("".join(lines))
        self.schemes = schemes
        self.secret = ""
        super().__init__(folder, users=users, feeds=FEEDS, workers=workers, start=False)
        self.process.ready = ready
        self.start()

    def sections(self) -> Sections:
        """Return the configuration by section and option."""
        found = super().sections()
        found["server"]["hosts"] += f", unix:{self.socket}"
        found["auth"] |= {"schemes": self.schemes, "realm": REALM}
        if self.schemes != "none":
            found["auth"]["htdigest_filename"] = str(self.digests)
        found["kalends"]["trusted_proxies"] = "127.0.0.1, unix"
        return found

    def backend(self, kind: str = "unix") -> Backend:
        """Return the settings of a web server for it; ``kind`` is ``unix`` or ``port``."""
        return Backend(
            str(self.socket) if kind == "unix" else f"{self.host}:{self.port}",
            self.config_file,
            self.users_file,
            self.digests,
            self.feeds_folder,
        )

    def publish(self, user: str) -> None:
        """Create a secret address, and wait until all feeds are files with an event.

        Args:
            user: a user who has an event with the UID ``p``, or may put one.
        """
        if self.secret:
            return
        if self.schemes != "none":
            path, tls = f"/{user}/calendar/p.ics", {"X-Forwarded-Proto": "https"}
            put = self.request("PUT", path, user=user, body=event("p"), headers=tls)
            assert put.status in (201, 204), put
        command = [str(BIN / "kalends"), "feed", "--config", str(self.config_file)]
        done = subprocess.run(
            [*command, "url", "family", "--user", user], capture_output=True, text=True, check=True
        )
        self.secret = done.stdout.split("/")[3]
        wanted = [
            *("public/open.ics", "login/house.ics", f"owner/{user}/mine.ics"),
            f"s/{self.secret}/family.ics",
        ]
        await_that(lambda: all("UID:p" in _text(self.feeds_folder / name) for name in wanted))

    def close(self) -> None:
        """Stop the server and remove its socket."""
        super().close()
        self._sockets.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
