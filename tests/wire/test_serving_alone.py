"""`kalends serve` without a web server: TLS, slow clients, renewal, reload, systemd."""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.awaiting import await_that
from support.digestclients import CLIENTS, TYPICAL_STATUSES, open_client, run_typical_requests
from support.paths import ROOT
from support.process import ReservedPort, ServerProcess
from support.samples import event
from support.server import BIN, REALM, KalendsServer, basic, format_ini, htdigest_line
from support.webserver import Certificate

USER, PASSWORD = "ann", "pass word"
FEEDS = '[feed."{user}"]\ncalendars = ["{user}/*"]\naccess = "owner"\n'
_SECONDS = 30.0


class TlsServer(KalendsServer):
    """Kalends with its own TLS, and with accounts for Basic and Digest."""

    def __init__(self, folder: Path, **options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = Certificate.create_in(folder)
        digests = folder / "users.htdigest"
        digests.write_text(htdigest_line(USER, REALM, PASSWORD))
        auth = {"htdigest_filename": str(digests), "schemes": "digest, basic", "realm": REALM}
        super().__init__(
            folder,
            users={USER: PASSWORD},
            feeds=FEEDS,
            options={"server": options, "auth": auth},
            certificate=self.certificate,
        )

    def connect(self) -> ssl.SSLSocket:
        """Return a new connection that does not verify the certificate."""
        plain = socket.create_connection((self.host, self.port), _SECONDS)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain)

    def served_fingerprint(self) -> str:
        """Return the fingerprint of the certificate that a new connection gets."""
        with self.connect() as connection:
            return fingerprint(connection.getpeercert(binary_form=True))


def fingerprint(der: bytes | None) -> str:
    assert der is not None
    return hashlib.sha256(der).hexdigest()


def options(connection: http.client.HTTPConnection) -> int:
    """Send OPTIONS on a connection; return the status."""
    connection.request("OPTIONS", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.status


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with closing(TlsServer(tmp_path_factory.mktemp("server") / "server", timeout="1")) as running:
        yield running


@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.__name__)
def test_typical_requests_of_a_client_succeed(server: TlsServer, kind: type) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Unverified HTTPS request")
        with open_client(kind, f"https://127.0.0.1:{server.port}", USER, PASSWORD) as ask:
            assert run_typical_requests(ask, f"/{USER}") == TYPICAL_STATUSES


def test_a_move_works_and_an_unchanged_feed_is_a_304(server: TlsServer) -> None:
    login = {"Authorization": basic(USER, PASSWORD)}
    connection = server.connection()
    with closing(connection):

        def ask(method: str, path: str, body: str = "", **fields: str) -> http.client.HTTPResponse:
            connection.request(method, path, body.encode(), {**login, **fields})
            answer = connection.getresponse()
            answer.read()
            return answer

        assert ask("PROPFIND", f"/{USER}/").status == 207
        assert ask("PUT", f"/{USER}/calendar/a.ics", event("a")).status == 201
        to = f"https://{server.host}:{server.port}/{USER}/calendar/b.ics"
        assert ask("MOVE", f"/{USER}/calendar/a.ics", Destination=to).status == 201
        etag = ask("GET", f"/feeds/{USER}.ics").headers["ETag"]
        again = ask("GET", f"/feeds/{USER}.ics", **{"If-None-Match": etag})
        assert again.status == 304


def test_slow_clients_do_not_block_others(server: TlsServer) -> None:
    with ExitStack() as stack:
        for number in range(59):
            if number % 3 == 0:  # sends nothing, not even a TLS handshake
                slow: socket.socket = socket.create_connection((server.host, server.port), _SECONDS)
            else:
                slow = server.connect()
                slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
                if number % 3 == 2:
                    slow.sendall(b"x\r\n\r\nPUT / HTTP/1.1\r\nHost:\r\nContent-Length: 9\r\n\r\n")
            stack.enter_context(slow)
        with closing(server.connection()) as connection:
            assert options(connection) == 200
        # The server closes the last of them, which has sent half a header.
        await_that(lambda: ended(slow))


def ended(connection: socket.socket) -> bool:
    """Return True if the server has closed a connection; read one piece of data otherwise."""
    try:
        return connection.recv(65536) == b""
    except ConnectionError:
        return True


def test_a_renewed_certificate_is_used_without_dropping_connections(tmp_path: Path) -> None:
    with closing(TlsServer(tmp_path / "server")) as server, closing(server.connection()) as kept:
        assert options(kept) == 200
        before = server.served_fingerprint()
        (tmp_path / "new").mkdir()
        renewed = Certificate.create_in(tmp_path / "new")
        # Between the two renames, the key does not match the chain.
        renewed.chain.replace(server.certificate.chain)
        assert server.served_fingerprint() == before
        renewed.key.replace(server.certificate.key)
        pem = server.certificate.chain.read_text()
        assert server.served_fingerprint() == fingerprint(ssl.PEM_cert_to_DER_cert(pem)) != before
        assert options(kept) == 200


def test_a_reload_uses_the_new_configuration_without_dropping_requests(tmp_path: Path) -> None:
    with closing(TlsServer(tmp_path / "server")) as server:
        body = event("slow").encode()
        with closing(server.connection()) as slow:
            slow.putrequest("PUT", f"/{USER}/calendar/slow.ics")
            slow.putheader("Authorization", basic(USER, PASSWORD))
            slow.putheader("Content-Length", str(len(body)))
            slow.endheaders(body[:20])
            server.options["auth"]["realm"] = "another"
            server.options["auth"]["schemes"] = "basic"
            server.write_config()
            os.kill(server.process.pid, signal.SIGHUP)
            await_that(lambda: "another" in challenge(server))
            slow.send(body[20:])
            assert slow.getresponse().status == 201
        # An invalid configuration does not change anything.
        server.options["auth"]["schemes"] = "nonsense"
        server.write_config()
        os.kill(server.process.pid, signal.SIGHUP)
        await_that(lambda: "not reloaded" in server.log)
        assert "another" in challenge(server)
        assert "config.ini" in server.log
        assert "Traceback" not in server.log
        assert server.stop() == 0


def challenge(server: TlsServer) -> str:
    """Return the challenge to a request without a login."""
    with closing(server.connection()) as connection:
        connection.request("PROPFIND", "/")
        answer = connection.getresponse()
        answer.read()
        return answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("kind", ["port", "unix"])
def test_the_server_uses_a_socket_of_systemd(tmp_path: Path, kind: str) -> None:
    server = KalendsServer(tmp_path / "k", users={USER: PASSWORD}, start=False)
    server.config_file.write_text(format_ini(server.sections()))
    reserved = ReservedPort()
    path = f"/tmp/kalends-{reserved.number}.sock"
    address = path if kind == "unix" else f"127.0.0.1:{reserved.number}"
    process = ServerProcess(
        [
            *("systemd-socket-activate", "-l", address, "-E", "PATH"),
            *(str(BIN / "kalends"), "serve", "--config", str(server.config_file)),
        ],
        ready="Listening on",
        folder=tmp_path,
        environment={"PYTHONUNBUFFERED": "1"},
    )
    process.start()
    try:
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        with socket.socket(family) as client:
            client.settimeout(_SECONDS)
            client.connect(path if kind == "unix" else ("127.0.0.1", reserved.number))
            client.sendall(b"OPTIONS / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 200")
        assert process.stop() == 0
        # Nothing listens on the port of `hosts`.
        with pytest.raises(ConnectionRefusedError), socket.socket() as other:
            other.connect((server.host, server.port))
    finally:
        process.stop()
        reserved.release()
        server.reserved.release()
        Path(path).unlink(missing_ok=True)


def test_the_unit_is_hardened_and_well_formed(tmp_path: Path) -> None:
    units = ROOT / "deploy" / "systemd"
    for name in ("kalends.service", "kalends.socket"):
        text = (units / name).read_text()
        (tmp_path / name).write_text(text.replace("/opt/kalends/bin/kalends", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    security = ["systemd-analyze", "security", "--offline=true", "--threshold=20"]
    rated = subprocess.run(
        [*security, str(tmp_path / "kalends.service")], capture_output=True, text=True, check=False
    )
    assert rated.returncode == 0, rated.stdout
    assert "Overall exposure level" in rated.stdout
