"""`certificate_authority`, `protocol` and `ciphersuite` of `[server]`, with real handshakes."""

from __future__ import annotations

import http.client
import shutil
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from support.authority import Authority
from support.awaiting import await_that
from support.server import KalendsServer
from support.webserver import Certificate

V1, V1_1, V1_2, V1_3 = (
    ssl.TLSVersion.TLSv1,
    ssl.TLSVersion.TLSv1_1,
    ssl.TLSVersion.TLSv1_2,
    ssl.TLSVersion.TLSv1_3,
)


class TlsServer(KalendsServer):
    """Kalends with its own TLS and further options of `[server]`."""

    def __init__(self, folder: Path, **options: str) -> None:
        folder.mkdir(parents=True)
        self.certificate = Certificate.create_in(folder)
        super().__init__(
            folder,
            users={"ann": "pass word"},
            options={"server": options},
            certificate=self.certificate,
        )

    def ask(
        self,
        *,
        version: ssl.TLSVersion | None = None,
        certificate: Certificate | None = None,
        ciphers: str = "",
    ) -> tuple[int, str, str]:
        """Send a request over a new connection.

        Returns:
            the status, the protocol and the cipher.

        Raises:
            OSError: the handshake was refused.
        """
        context = self.certificate.trusted()
        if certificate:
            context.load_cert_chain(certificate.chain, certificate.key)
        if ciphers:
            context.set_ciphers(ciphers)
        if version:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=60, context=context)
        with closing(connection):
            connection.request("OPTIONS", "/")
            sock = connection.sock
            assert isinstance(sock, ssl.SSLSocket)
            answer = connection.getresponse()
            answer.read()
            cipher = sock.cipher()
            assert cipher
            return answer.status, sock.version() or "", cipher[0]

    def admits(
        self,
        *,
        version: ssl.TLSVersion | None = None,
        certificate: Certificate | None = None,
        ciphers: str = "",
    ) -> bool:
        """Return True if a request is answered with 200, False if its handshake is refused."""
        try:
            status, _, _ = self.ask(version=version, certificate=certificate, ciphers=ciphers)
        except (ssl.SSLError, ConnectionError):
            return False
        assert status == 200
        return True


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., TlsServer]]:
    with ExitStack() as stack:

        def begin(**options: str) -> TlsServer:
            return stack.enter_context(closing(TlsServer(tmp_path / "server", **options)))

        yield begin


@pytest.mark.parametrize("version", [V1_2, V1_3], ids=lambda version: version.name)
def test_clients_need_a_certificate_of_the_authority(
    start: Callable[..., TlsServer], tmp_path: Path, version: ssl.TLSVersion
) -> None:
    ours, others = Authority.create_in(tmp_path / "ours"), Authority.create_in(tmp_path / "others")
    server = start(certificate_authority=str(ours.certificate))
    assert not server.admits(version=version)
    assert not server.admits(version=version, certificate=others.client("mallory"))
    assert not server.admits(version=version, certificate=server.certificate)
    assert server.admits(version=version, certificate=ours.client("phone"))
    assert "Traceback" not in server.log


def test_a_replaced_authority_is_used_at_the_next_connection(
    start: Callable[..., TlsServer], tmp_path: Path
) -> None:
    old, new = Authority.create_in(tmp_path / "old"), Authority.create_in(tmp_path / "new")
    of_old, of_new = old.client("phone"), new.client("phone")
    file = tmp_path / "ca.pem"
    shutil.copy(old.certificate, file)
    server = start(certificate_authority=str(file))
    assert (server.admits(certificate=of_old), server.admits(certificate=of_new)) == (True, False)
    file.write_text("half a file")
    assert (server.admits(certificate=of_old), server.admits(certificate=of_new)) == (True, False)
    await_that(
        lambda: f"{file} contains no certificate in PEM; using the previous one" in server.log
    )
    shutil.copy(new.certificate, file)
    assert (server.admits(certificate=of_old), server.admits(certificate=of_new)) == (False, True)


def test_a_version_that_protocol_does_not_name_is_refused(start: Callable[..., TlsServer]) -> None:
    server = start(protocol="TLSv1.3")
    assert not server.admits(version=V1_2)
    assert server.ask(version=V1_3)[:2] == (200, "TLSv1.3")


def test_old_protocol_versions_can_be_enabled(start: Callable[..., TlsServer]) -> None:
    lowest = "DEFAULT:@SECLEVEL=0"  # OpenSSL 3 allows TLS 1.1 and older at this level only
    server = start(protocol="ALL -SSLv3 -TLSv1.1", ciphersuite=lowest)
    assert server.ask(version=V1, ciphers=lowest)[:2] == (200, "TLSv1")
    assert not server.admits(version=V1_1, ciphers=lowest)
    assert server.ask(version=V1_2)[:2] == (200, "TLSv1.2")
    assert server.ask()[:2] == (200, "TLSv1.3")


def test_without_the_options_old_versions_are_refused(start: Callable[..., TlsServer]) -> None:
    server = start()
    assert not server.admits(version=V1_1, ciphers="DEFAULT:@SECLEVEL=0")
    assert server.admits(version=V1_2)
    assert server.admits(version=V1_3)


def test_a_cipher_that_ciphersuite_does_not_name_is_refused(
    start: Callable[..., TlsServer],
) -> None:
    only, other = "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"
    server = start(ciphersuite=only)
    assert not server.admits(version=V1_2, ciphers=other)
    assert server.ask(version=V1_2, ciphers=f"{other}:{only}") == (200, "TLSv1.2", only)
