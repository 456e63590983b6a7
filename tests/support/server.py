"""Real servers for tests: Kalends itself, and stock Radicale to compare it with."""

from __future__ import annotations

import base64
import hashlib
import http.client
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt

from support.process import ReservedPort, ServerDiedError, ServerProcess
from support.webserver import Certificate

BIN = Path(sys.executable).parent
REQUEST_SECONDS = 60.0
REALM = "calendars"
Sections = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Answer:
    """An answer of a server: status, header fields in order, body."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


def send_request(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | str | None,
    headers: dict[str, str],
) -> Answer:
    """Send one request on a connection, unchanged, and read the whole answer."""
    payload = body.encode() if isinstance(body, str) else body
    connection.request(method, path, body=payload, headers=headers)
    response = connection.getresponse()
    return Answer(response.status, response.reason, response.headers, response.read())


def htpasswd_line(user: str, password: str) -> str:
    """Return a line of an Apache user file, with bcrypt at its lowest cost."""
    return f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=4)).decode()}\n"


def htdigest_line(user: str, realm: str, password: str) -> str:
    """Return a line of an Apache user file for HTTP Digest."""
    ha1 = hashlib.md5(f"{user}:{realm}:{password}".encode()).hexdigest()
    return f"{user}:{realm}:{ha1}\n"


def basic(user: str, password: str) -> str:
    """Return the value of an Authorization field for HTTP Basic (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def format_ini(sections: Sections) -> str:
    """Return sections as the text of an INI file."""
    lines = []
    for name, options in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in options.items()), ""]
    return "\n".join(lines)


class Server:
    """A server with users, an address and a process; the base class of the servers below."""

    def __init__(self, folder: Path, users: dict[str, str]) -> None:
        self.folder = folder
        self.users = dict(users)
        self.reserved = ReservedPort()
        self.port = self.reserved.number
        self.host = "127.0.0.1"
        self.users_file = folder / "users.htpasswd"
        self.config_file = folder / "config.ini"
        self.process: ServerProcess
        folder.mkdir(parents=True, exist_ok=True)
        self._write_users()

    @property
    def url(self) -> str:
        """The address of the root, with a slash at its end."""
        return f"http://{self.host}:{self.port}/"

    @property
    def log(self) -> str:
        """The output of the server so far."""
        return self.process.log

    def _write_users(self) -> None:
        lines = [htpasswd_line(user, password) for user, password in self.users.items()]
        self._replace_users("".join(lines))

    def _replace_users(self, text: str) -> None:
        new = self.users_file.with_suffix(".new")
        new.write_text(text)
        new.replace(self.users_file)

    def add_user(self, user: str, password: str) -> None:
        """Add a line to the user file, as an administrator does while the server runs."""
        self.users[user] = password
        self._replace_users(self.users_file.read_text() + htpasswd_line(user, password))

    def request(
        self,
        method: str,
        path: str,
        *,
        user: str | None = None,
        password: str | None = None,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection of its own; the path goes out exactly as given."""
        connection = self.connection()
        try:
            return self.request_on(
                connection, method, path, user=user, password=password, body=body, headers=headers
            )
        finally:
            connection.close()

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection, which `request_on` can use many times."""
        return http.client.HTTPConnection(self.host, self.port, timeout=REQUEST_SECONDS)

    def request_on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *,
        user: str | None = None,
        password: str | None = None,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on the connection and read the whole answer."""
        fields = dict(headers or {})
        if user is not None:
            secret = self.users[user] if password is None else password
            fields.setdefault("Authorization", basic(user, secret))
        return send_request(connection, method, path, body, fields)

    def start(self) -> None:
        """Start the server and return when it serves."""
        try:
            self.process.start()
        except ServerDiedError:
            self.reserved.release()
            raise

    def stop(self) -> int:
        """Stop it gracefully and return its exit status."""
        return self.process.stop()

    def kill9(self) -> None:
        """Kill all its processes at once."""
        self.process.kill9()

    def restart(self) -> None:
        """Stop and start again on the same port and data."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop it and release its port."""
        try:
            self.stop()
        finally:
            self.reserved.release()


class KalendsServer(Server):
    """`kalends serve` with a store, a user file and feed definitions of its own below a folder.

    `options` adds or replaces options of the configuration file, by section. `prefix` precedes
    the command (`unshare …`); `start=False` only writes the files; with a `certificate` it uses
    TLS.
    """

    def __init__(
        self,
        folder: Path,
        *,
        users: dict[str, str],
        feeds: str = "",
        workers: int = 1,
        options: Sections | None = None,
        prefix: tuple[str, ...] = (),
        certificate: Certificate | None = None,
        start: bool = True,
    ) -> None:
        super().__init__(folder, users)
        self.database = folder / "kalends.db"
        self.feeds_file = folder / "feeds.toml"
        self.feeds_folder = folder / "feeds"
        self.workers = workers
        self._certificate = certificate
        self.options = options or {}
        self.feeds_file.write_text(feeds)
        self.write_config()
        self.process = ServerProcess(
            [*prefix, str(BIN / "kalends"), "serve", "--config", str(self.config_file)],
            ready=f"Kalends serves http{'s' if certificate else ''}://",
            folder=folder,
            environment={"PYTHONUNBUFFERED": "1"},
        )
        if start:
            self.start()

    def sections(self) -> Sections:
        """Return the configuration by section and option."""
        sections: Sections = {
            "server": {"hosts": f"127.0.0.1:{self.port}"},
            "auth": {"type": "kalends.auth", "htpasswd_filename": str(self.users_file)},
            "rights": {"type": "kalends.rights"},
            "storage": {"type": "kalends.storage", "database": f"sqlite:///{self.database}"},
            "web": {"type": "kalends.web"},
            "kalends": {
                "feeds": str(self.feeds_file),
                "feeds_folder": str(self.feeds_folder),
                "workers": str(self.workers),
            },
        }
        if self._certificate:
            chain, key = str(self._certificate.chain), str(self._certificate.key)
            sections["server"] |= {"ssl": "True", "certificate": chain, "key": key}
        for name, options in self.options.items():
            sections.setdefault(name, {}).update(options)
        return sections

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection, which `request_on` can use many times."""
        if self._certificate is None:
            return super().connection()
        return http.client.HTTPSConnection(
            self.host, self.port, timeout=REQUEST_SECONDS, context=self._certificate.trusted()
        )

    def write_config(self) -> None:
        """Write the configuration file again, from `sections`."""
        self.config_file.write_text(format_ini(self.sections()))


def create_digest_server(
    folder: Path,
    users: dict[str, str],
    *,
    workers: int = 1,
    schemes: str = "digest, basic",
    options: Sections | None = None,
    **more: Any,
) -> KalendsServer:
    """Return a server with each account in an htpasswd and an htdigest file (realm `REALM`)."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "users.htdigest"
    file.write_text("".join(htdigest_line(name, REALM, word) for name, word in users.items()))
    auth = {"htdigest_filename": str(file), "schemes": schemes, "realm": REALM}
    sections = dict(options or {})
    sections["auth"] = {**auth, **sections.get("auth", {})}
    return KalendsServer(folder, users=users, workers=workers, options=sections, **more)


class RadicaleServer(Server):
    """Stock Radicale with its own storage, as its documentation sets it up."""

    def __init__(self, folder: Path, *, users: dict[str, str], options: Sections | None = None):
        super().__init__(folder, users)
        sections: Sections = {
            "server": {"hosts": f"127.0.0.1:{self.port}"},
            "auth": {
                "type": "htpasswd",
                "htpasswd_filename": str(self.users_file),
                "htpasswd_encryption": "bcrypt",
                "delay": "0",
            },
            "storage": {"filesystem_folder": str(folder / "collections")},
        }
        for name, changed in (options or {}).items():
            sections.setdefault(name, {}).update(changed)
        self.config_file.write_text(format_ini(sections))
        self.process = ServerProcess(
            [sys.executable, "-m", "radicale", "--config", str(self.config_file)],
            ready="Radicale server ready",
            folder=folder,
            environment={"PYTHONUNBUFFERED": "1"},
        )
        self.start()
