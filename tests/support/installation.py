"""An installation in a folder, and a client that calls its WSGI application directly."""

from __future__ import annotations

import base64
import io
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import bcrypt

from kalends.wsgi import create_app

NAMES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CR": "urn:ietf:params:xml:ns:carddav",
    "CS": "http://calendarserver.org/ns/",
    "K": "urn:x-kalends",
}
USERS = {"alice": "wonderland", "bob": "builder"}

EVERY_FEED = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.everyone]
calendars = ["*/*"]
access = "login"
"""


def event(
    uid: str, start: str = "20260105T090000Z", *lines: str, summary: str = "Meeting"
) -> bytes:
    """Return a calendar object with one event of an hour."""
    text = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//tests//EN",
        "BEGIN:VEVENT",
        f"UID:{uid}",
        "DTSTAMP:20260101T000000Z",
        f"DTSTART:{start}",
        "DURATION:PT1H",
        f"SUMMARY:{summary}",
        *lines,
        "END:VEVENT",
        "END:VCALENDAR",
    ]
    return "".join(f"{line}\r\n" for line in text).encode()


@dataclass(frozen=True)
class Answer:
    """The whole answer to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def xml(self) -> ET.Element:
        """Return the body as XML."""
        return ET.fromstring(self.body)

    def precondition(self) -> str:
        """Return the name of the precondition element in an error body."""
        return self.xml()[0].tag

    def why(self) -> str:
        """Return the reason in an error body, which stands in the precondition if it names one."""
        root = self.xml()
        (found,) = root.iter(f"{{{NAMES['K']}}}why")
        assert len(root) == 1, self.body
        return found.text or ""

    def hrefs(self) -> list[str]:
        """Return the href of each response of a multistatus."""
        return [node.text or "" for node in self.xml().findall("D:response/D:href", NAMES)]


@dataclass
class Client:
    """A client of a WSGI application that logs in as ``user`` unless a call says otherwise."""

    app: Callable[..., Iterable[bytes]]
    user: str = "alice"
    passwords: Mapping[str, str] = field(default_factory=lambda: dict(USERS))

    def __call__(
        self,
        method: str,
        path: str,
        body: bytes | str = b"",
        *,
        user: str | None = None,
        headers: Mapping[str, str] | None = None,
        environ: Mapping[str, object] | None = None,
    ) -> Answer:
        """Send one request; ``user=""`` sends it without credentials."""
        return self._call(self._environ(method, path, body, user, headers, environ))

    def start(self, method: str, path: str, body: bytes | str = b"") -> Iterable[bytes]:
        """Send one request, and return the body of its answer before it is read."""
        return self.app(
            self._environ(method, path, body, None, None, None), lambda *_: lambda data: None
        )

    def _environ(
        self,
        method: str,
        path: str,
        body: bytes | str,
        user: str | None,
        headers: Mapping[str, str] | None,
        environ: Mapping[str, object] | None,
    ) -> dict[str, object]:
        data = body.encode() if isinstance(body, str) else body
        raw, _, query = path.partition("?")
        given: dict[str, object] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(quote(raw, safe="/%:@+$,;=~!*'()&")).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": path,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(data),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        }
        if data:
            given["CONTENT_LENGTH"] = str(len(data))
        name = self.user if user is None else user
        if name:
            token = base64.b64encode(f"{name}:{self.passwords.get(name, 'wrong')}".encode())
            given["HTTP_AUTHORIZATION"] = f"Basic {token.decode()}"
        for header, value in (headers or {}).items():
            key = header.upper().replace("-", "_")
            given[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
        given.update(environ or {})
        return given

    def _call(self, environ: dict[str, object]) -> Answer:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: object = None
        ) -> object:
            started.append((status, headers))
            return lambda data: None

        result = self.app(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        status, headers = started[-1]
        # Each answer has another X-Request-ID; the tests of the log check it on the wire.
        fields = {name: value for name, value in headers if name != "X-Request-ID"}
        return Answer(int(status[:3]), fields, body)

    def props(self, path: str, *names: str, depth: str = "0") -> dict[str, dict[str, str | None]]:
        """Send a PROPFIND; return the named properties (``D:getetag``…) that each href has."""
        wanted = "".join(f"<{name}/>" for name in names)
        spaces = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
        answer = self(
            "PROPFIND",
            path,
            f"<D:propfind {spaces}><D:prop>{wanted}</D:prop></D:propfind>",
            headers={"Depth": depth},
        )
        assert answer.status == 207, answer
        found: dict[str, dict[str, str | None]] = {}
        for response in answer.xml().findall("D:response", NAMES):
            href = response.findtext("D:href", "", NAMES)
            found[href] = {}
            for propstat in response.findall("D:propstat", NAMES):
                if "200" in propstat.findtext("D:status", "", NAMES):
                    props = propstat.findall("D:prop/*", NAMES)
                    found[href].update({prop.tag: prop.text for prop in props})
        return found


@dataclass
class Installation:
    """A configuration with its files, in a folder of its own."""

    folder: Path
    users: Mapping[str, str] = field(default_factory=lambda: dict(USERS))
    feeds: str = EVERY_FEED
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lines = [
            f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}\n"
            for name, word in self.users.items()
        ]
        self.htpasswd.write_text("".join(lines))
        self.feeds_file.write_text(self.feeds)
        self.write()

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "kalends.ini"

    @property
    def htpasswd(self) -> Path:
        """The user file."""
        return self.folder / "users.htpasswd"

    @property
    def feeds_file(self) -> Path:
        """The feed definitions."""
        return self.folder / "feeds.toml"

    def write(self, **options: str) -> None:
        """Write the configuration; ``section__option=value`` adds to it or changes it."""
        values = {
            "server__hosts": "127.0.0.1:0",
            "auth__htpasswd_filename": str(self.htpasswd),
            "storage__database": f"sqlite:///{self.folder}/kalends.db",
            "kalends__feeds": str(self.feeds_file),
            "kalends__feeds_folder": str(self.folder / "feeds"),
            **self.options,
            **options,
        }
        sections: dict[str, list[str]] = {}
        for name, value in values.items():
            section, _, option = name.partition("__")
            sections.setdefault(section, []).append(f"{option} = {value}\n")
        self.config.write_text(
            "".join(f"[{name}]\n{''.join(lines)}\n" for name, lines in sections.items())
        )

    @contextmanager
    def client(self, user: str = "alice") -> Iterator[Client]:
        """Open the application for the duration of the block."""
        app = create_app(self.config)
        try:
            yield Client(app, user, dict(self.users))
        finally:
            app.close()
