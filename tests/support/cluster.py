"""Two hosts on one PostgreSQL, behind one nginx of ``deploy/`` that alternates between them."""

from __future__ import annotations

import http.client
import itertools
from pathlib import Path

from support.deployment import Backend, DeployedNginx
from support.server import (
    Answer,
    KalendsServer,
    Sections,
    basic,
    create_digest_server,
    send_request,
)


class Cluster:
    """Two hosts with copies of the configuration files, and a common address.

    Requests to the common address go to each host in turn. `connection` returns a connection to
    a running host, for clients that choose hosts themselves.
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        *,
        users: dict[str, str],
        feeds: str = "",
        options: Sections | None = None,
    ) -> None:
        self.users = users
        given: Sections = {
            "storage": {"database": database},
            "kalends": {"trusted_proxies": "127.0.0.1"},
        }
        for section, more in (options or {}).items():
            given.setdefault(section, {}).update(more)
        self.hosts = [
            create_digest_server(
                folder / name, users, workers=2, feeds=feeds, options=given, start=False
            )
            for name in ("one", "two")
        ]
        for host in self.hosts:
            host.start()
        # The web server would be on another machine; it serves the files of the first host.
        first = self.hosts[0]
        self.front = DeployedNginx(
            folder / "nginx",
            Backend(
                address="; server ".join(f"127.0.0.1:{host.port}" for host in self.hosts),
                config=first.config_file,
                passwords=first.users_file,
                digests=first.folder / "users.htdigest",
                feeds=first.feeds_folder,
            ),
        )
        self._turns = itertools.cycle(self.hosts)
        self._killed: list[KalendsServer] = []

    @property
    def url(self) -> str:
        """The common address, with a slash at its end."""
        return self.front.url

    def request(
        self,
        method: str,
        path: str,
        *,
        user: str | None = None,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request to the common address."""
        connection = http.client.HTTPSConnection(
            self.front.host, self.front.port, timeout=60, context=self.front.certificate.trusted()
        )
        try:
            return self.request_on(connection, method, path, user=user, body=body, headers=headers)
        finally:
            connection.close()

    def request_on(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        *,
        user: str | None = None,
        body: bytes | str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request on a connection and read the whole answer."""
        fields = dict(headers or {})
        if user is not None:
            fields.setdefault("Authorization", basic(user, self.users[user]))
        if "Destination" in fields:  # has to name the address that this client uses
            target = "/" + fields["Destination"].split("/", 3)[3]
            fields["Destination"] = f"http://{connection.host}:{connection.port}{target}"
        return send_request(connection, method, path, body, fields)

    def connection(self) -> http.client.HTTPConnection:
        """Return a new connection to the next host that runs."""
        host = next(host for host in self._turns if host not in self._killed)
        return host.connection()

    def kill9(self) -> None:
        """Kill all processes of the next host."""
        host = next(self._turns)
        self._killed.append(host)
        host.kill9()

    def start(self) -> None:
        """Start the host that was killed."""
        while self._killed:
            host = self._killed[0]
            host.start()
            self._killed.remove(host)

    def close(self) -> None:
        """Stop everything."""
        self.front.close()
        for host in self.hosts:
            host.close()
