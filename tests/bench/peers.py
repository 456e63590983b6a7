"""The servers of the comparison, each with its own port and the same events."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Callable, Iterable
from pathlib import Path

from bench.events import Event
from support.awaiting import await_that, listens
from support.process import ReservedPort, ServerProcess
from support.server import BIN, basic, format_ini, htpasswd_line

CACHE = Path(__file__).resolve().parents[2] / ".venv-bench"
RADICALE = "radicale==3.9.0"
XANDIKOS = "xandikos==0.4.10"  # the newest on PyPI when this was written
PASSWORD = "a bench's password"
FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
private = "busy"
"""

Progress = Callable[[Iterable[Event]], Iterable[Event]]


def environment(distribution: str) -> Path:
    """Return the program folder of a distribution's own environment; create it if necessary."""
    folder = CACHE / distribution.replace("==", "-")
    if not (folder / ".installed").exists():
        sys.stderr.write(f"installing {distribution}\n")
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, distribution], check=True, stdout=sys.stderr)
        (folder / ".installed").touch()
    return folder / "bin"


class Peer:
    """A server with one calendar of events; the base class of those below.

    `calendar` and `home` are paths; `feed` is the path that subscribers request, or None;
    `gives_whole` is True if a GET of the calendar returns all of it; `answers_nothing` marks a
    server without events that answers every request alike.
    """

    calendar = "/bench/calendar/"
    home = "/bench/"
    feed: str | None = "/bench/calendar/"
    gives_whole = True
    answers_nothing = False
    ready = ""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.reserved = ReservedPort()
        self.port = self.reserved.number
        self.headers: dict[str, str] = {}
        self.process: ServerProcess

    def command(self) -> list[str]:
        """Return the command that starts it."""
        raise NotImplementedError

    def prepare(self, events: list[Event], progress: Progress) -> None:
        """Write its configuration and its events."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        self.process = ServerProcess(
            self.command(),
            ready=self.ready,
            folder=self.folder,
            environment={"PYTHONUNBUFFERED": "1"},
        )
        self.process.start()
        await_that(lambda: listens(self.port), lambda: f"{self.name}:\n{self.process.log}")

    def stop(self) -> None:
        """Kill it and release its port; its store is not needed afterwards."""
        self.process.kill9()
        self.reserved.release()


class Radicale(Peer):
    """Stock Radicale with its own storage, and without a login, which makes it faster."""

    ready = "Radicale server ready"

    def command(self) -> list[str]:
        python = environment(RADICALE) / "python"
        return [str(python), "-m", "radicale", "--config", str(self.folder / "config")]

    def prepare(self, events: list[Event], progress: Progress) -> None:
        collection = self.folder / "collections/collection-root/bench/calendar"
        collection.mkdir(parents=True)
        (collection / ".Radicale.props").write_text(json.dumps({"tag": "VCALENDAR"}))
        for event in progress(events):
            (collection / event.name).write_bytes(event.text.encode())
        sections = {
            "server": {"hosts": f"127.0.0.1:{self.port}", "timeout": "900"},
            "auth": {"type": "none"},
            "storage": {"filesystem_folder": str(self.folder / "collections")},
        }
        (self.folder / "config").write_text(format_ini(sections))
        self.headers = {"Authorization": basic("bench", "x")}


class Xandikos(Peer):
    """Stock Xandikos, which keeps a git repository for each calendar, and no login."""

    calendar = "/user/calendars/calendar/"
    home = "/user/calendars/"
    feed: str | None = None
    gives_whole = False
    ready = "Listening on"

    def command(self) -> list[str]:
        program = str(environment(XANDIKOS) / "xandikos")
        listen = ["-l", "127.0.0.1", "-p", str(self.port)]
        store = self.folder / "store"
        return [program, "serve", "-d", str(store), "--defaults", "--no-detect-systemd", *listen]

    def prepare(self, events: list[Event], progress: Progress) -> None:
        store = self.folder / "store"
        store.mkdir()
        self.start()  # creates the calendar's repository
        self.process.stop()
        repository = store / "user/calendars/calendar"
        for event in progress(events):
            (repository / event.name).write_bytes(event.text.encode())
        git = ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost"]
        quiet = {"cwd": repository, "check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([*git, "add", "--all"], **quiet)  # type: ignore[call-overload]  # same for both
        subprocess.run([*git, "commit", "--quiet", "-m", "events"], **quiet)  # type: ignore[call-overload]  # as above


class Kalends(Peer):
    """Kalends as `kalends serve` runs it, with a login, and with or without feeds."""

    feed: str | None = "/feeds/bench.ics"
    ready = "Kalends serves http://"

    def __init__(self, name: str, folder: Path, *, feeds: bool = True) -> None:
        super().__init__(name, folder)
        self.has_feeds = feeds
        if not feeds:
            self.feed = None

    def command(self) -> list[str]:
        return [str(BIN / "kalends"), "serve", "--config", str(self.folder / "config")]

    def prepare(self, events: list[Event], progress: Progress) -> None:
        self.configure()
        export = self.folder / "events.ics"
        with export.open("w", newline="") as file:
            file.writelines(event.text for event in progress(events))
        command = [str(BIN / "kalends"), "import", str(export), "--into", "bench/calendar"]
        command += ["--config", str(self.folder / "config")]
        subprocess.run(command, check=True, stdout=sys.stderr)

    def configure(self) -> None:
        """Write its configuration and user file."""
        (self.folder / "users").write_text(htpasswd_line("bench", PASSWORD))
        (self.folder / "feeds.toml").write_text(FEEDS if self.has_feeds else "")
        sections = {
            "server": {"hosts": f"127.0.0.1:{self.port}"},
            "auth": {"type": "kalends.auth", "htpasswd_filename": str(self.folder / "users")},
            "rights": {"type": "kalends.rights"},
            "storage": {
                "type": "kalends.storage",
                "database": f"sqlite:///{self.folder / 'kalends.db'}",
            },
            "kalends": {
                "feeds": str(self.folder / "feeds.toml"),
                "feeds_folder": str(self.folder / "feeds"),
                "workers": "2",
            },
        }
        (self.folder / "config").write_text(format_ini(sections))
        self.headers = {"Authorization": basic("bench", PASSWORD)}


class Empty(Kalends):
    """The web server of `kalends serve`, with an application that sends empty answers."""

    answers_nothing = True

    def command(self) -> list[str]:
        program = str(Path(__file__).with_name("empty.py"))
        return [sys.executable, program, str(self.folder / "config")]

    def prepare(self, events: list[Event], progress: Progress) -> None:
        self.configure()
