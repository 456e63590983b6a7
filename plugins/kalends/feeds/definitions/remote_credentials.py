"""Credentials for other servers, in a file apart from the definitions, which people share."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kalends.errors import ConfigurationError

_TOO_OPEN = stat.S_IWGRP | stat.S_IRWXO
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """The credentials for everything below one URL.

    Attributes:
        address: the URL, such as ``https://dav.example.org/cal/``.
        user: the user name; empty for no login.
        password: the password; it must never be logged.
        basic_over_http: whether the password may be sent in clear text over plain http.
        certificate: the certificate of the server or of its authority (PEM); None to use the
            authorities that the system trusts.
    """

    address: str
    user: str = ""
    password: str = ""
    basic_over_http: bool = False
    certificate: Path | None = None

    def __repr__(self) -> str:
        return f"RemoteServer({self.address!r}, {self.user!r})"

    def covers(self, url: str) -> bool:
        """Return True if ``url`` is at or below this URL on the same server."""
        mine, other = urlsplit(self.address), urlsplit(url)
        if (mine.scheme, mine.hostname, _port(mine)) != (
            other.scheme,
            other.hostname,
            _port(other),
        ):
            return False
        folder = mine.path if mine.path.endswith("/") else mine.path + "/"
        return mine.path == other.path or other.path.startswith(folder)


def load_remote_servers(path: Path) -> tuple[RemoteServer, ...]:
    """Read and check the file of credentials.

    Raises:
        ConfigurationError: it cannot be read, is invalid, or is readable by others.
    """
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(Path(path).stat().st_mode)
            data = file.read()
    except OSError as error:
        raise ConfigurationError(str(path), f"cannot be read: {error.strerror}") from None
    if mode & _TOO_OPEN:
        why = f"holds passwords and has the mode {mode:04o}; make it 0600, or 0640 for a group"
        raise ConfigurationError(str(path), why)
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError:
        raise ConfigurationError(str(path), "is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        # The message of tomllib never quotes a value.
        raise ConfigurationError(str(path), str(error)) from None
    return tuple(_remote(address, table, str(path)) for address, table in tables.items())


def find_server(url: str, remotes: tuple[RemoteServer, ...]) -> RemoteServer:
    """Return the entry for a URL: the longest one that covers it, or one without a login."""
    found = [remote for remote in remotes if remote.covers(url)]
    return max(found, key=lambda remote: len(remote.address), default=RemoteServer(url))


def origin_of(url: str) -> str:
    """Return the origin of a URL: its scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{_port(parts)}"


def refusal_of_url(url: str) -> str | None:
    """Return the reason why a URL cannot be used for another server, or None if it can."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in _PORTS or not parts.hostname or port == 0:
        return "must begin with https://HOST/ or http://HOST/"
    if parts.username is not None or parts.password is not None:
        return "contains a login; put it into the file that [kalends] remotes names"
    if parts.query or parts.fragment or not url.isprintable() or " " in url:
        return "must not contain '?', '#' or spaces"
    if not url.isascii():
        return "must be percent-encoded where it is not ASCII"
    return None


def _remote(address: str, table: object, path: str) -> RemoteServer:
    refusal = refusal_of_url(address)
    if refusal:
        raise ConfigurationError(path, f"[{address!r}] {refusal}")
    if not isinstance(table, dict):
        raise ConfigurationError(path, f'{address!r} must be a table: ["https://HOST/"]')
    values: dict[str, Any] = {}
    for key, value in table.items():
        kind = _KINDS.get(key)
        if kind is None:
            why = f"[{address!r}] {key!r} is unknown; known are {', '.join(_KINDS)}"
            raise ConfigurationError(path, why)
        if not isinstance(value, kind):
            what = "true or false" if kind is bool else "a string"
            raise ConfigurationError(path, f"[{address!r}] {key!r} must be {what}")
        values[key] = value
    if ("user" in values) != ("password" in values):
        raise ConfigurationError(
            path, f"[{address!r}] needs both 'user' and 'password', or neither"
        )
    if "certificate" in values:
        values["certificate"] = Path(values["certificate"])
        if not values["certificate"].is_file():
            why = (
                f"[{address!r}] certificate: the file {str(values['certificate'])!r} does not exist"
            )
            raise ConfigurationError(path, why)
    return RemoteServer(address, **values)


def _port(parts: Any) -> int:
    return int(parts.port or _PORTS.get(parts.scheme, 0))


_KINDS: Mapping[str, type] = {
    "user": str,
    "password": str,
    "basic_over_http": bool,
    "certificate": str,
}
