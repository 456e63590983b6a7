"""Base class of the real Apache and nginx in the tests, and their certificates."""

from __future__ import annotations

import socket
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from support.process import ReservedPort, ServerDiedError, ServerProcess

_ANSWER_SECONDS = 30.0
# Such a key is made in a moment; one of RSA takes up to a second.
_CURVE = "ec_paramgen_curve:P-256"


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for 127.0.0.1 and localhost, which is its own authority.

    Attributes:
        chain: the certificate (PEM), also what a client has to trust.
        key: its private key (PEM).
    """

    chain: Path
    key: Path

    @classmethod
    def create_in(cls, folder: Path, days: int = 2) -> Certificate:
        """Let openssl create a certificate that is valid for so many days."""
        made = cls(folder / "server.crt", folder / "server.key")
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", _CURVE, "-nodes"]
        command += ["-days", str(days), "-subj", "/CN=localhost"]
        command += ["-keyout", str(made.key), "-out", str(made.chain)]
        command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        subprocess.run(command, check=True, capture_output=True)
        return made

    def trusted(self) -> ssl.SSLContext:
        """Return a client's context that trusts this certificate."""
        return ssl.create_default_context(cafile=str(self.chain))


class WebServer:
    """A web server on a free port of 127.0.0.1, started at once.

    Args:
        folder: the folder of its files; created if it does not exist.
        certificate: its certificate for TLS; without one it uses plain HTTP.

    Raises:
        ServerDiedError: it did not start; the message holds its error log.
    """

    def __init__(self, folder: Path, certificate: Certificate | None = None) -> None:
        self.folder = folder
        self.certificate = certificate
        self.host = "127.0.0.1"
        self.access_log = folder / "access.log"
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._process = self._create_process()
            self._process.start()
            self._await_an_answer()
        except BaseException:
            self.close()
            raise

    def _create_process(self) -> ServerProcess:
        """Write the configuration, and return the process that reads it."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The address of the root, with a slash at its end."""
        return f"http{'s' if self.certificate else ''}://{self.host}:{self.port}/"

    def error_log(self) -> str:
        """Return the server's error log so far, over all its starts."""
        return self._process.log

    def connect(self) -> socket.socket:
        """Return a new connection to the server, encrypted if it has a certificate."""
        connection = socket.create_connection((self.host, self.port), _ANSWER_SECONDS)
        if self.certificate is None:
            return connection
        return self.certificate.trusted().wrap_socket(connection, server_hostname=self.host)

    def _await_an_answer(self) -> None:
        """Send a request that does not reach an application behind the server."""
        try:
            with self.connect() as connection:
                connection.sendall(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answered = connection.recv(9)
        except OSError as error:
            raise ServerDiedError(f"{error}; its log:\n{self.error_log()}") from error
        if answered != b"HTTP/1.1 ":
            raise ServerDiedError(f"it answered {answered!r}; its log:\n{self.error_log()}")

    def restart(self) -> None:
        """Stop it and start it again on the same port."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """Stop it and keep its port."""
        self._process.stop()

    def start(self) -> None:
        """Start it again."""
        self._process.start()
        self._await_an_answer()

    def close(self) -> None:
        """Stop it and release its port."""
        try:
            if hasattr(self, "_process"):
                self._process.stop()
        finally:
            self._reserved.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
