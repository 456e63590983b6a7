"""Comparison of logins at a real Apache and at Kalends.

Both get the same requests, octet for octet, and read the same user files.
"""

from __future__ import annotations

import itertools
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.backends.apache_files import (
    UserDirectory,
    htdigest_file,
    htgroup_file,
    htpasswd_file,
)
from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.verify import PasswordVerifier
from kalends.authn.nonces.replay_cache import SharedNonceCounts
from kalends.authn.schemes.base import AuthScheme, BasicScheme
from kalends.authn.schemes.digestscheme import DigestScheme
from kalends.config.listener_roles import Role
from kalends.server.http1.body_spool import BodySpoolQuota, RequestRefusedError
from kalends.server.http1.environ import connection_environ, request_environ
from kalends.server.http1.parser import MessageReader
from support.apache import RealApache, login_directives
from support.differences import Difference
from support.server import KalendsServer
from support.wsgisite import Site

REALMS = ["R", "Büro 2"]
GROUPS = ["staff", "My Admins", "büro"]
ADDRESS = ("127.0.0.1", 1)
_VERIFIER = PasswordVerifier(libcrypt.load())


class Denied(str):
    """A refused login; the text is the status or the exception that refused it."""

    __slots__ = ()


def request(target: bytes, host: str, authorization: list[bytes], client: str = "") -> bytes:
    """Return a GET request.

    Args:
        target: its request target.
        host: the value of its Host field.
        authorization: the value of each of its Authorization lines.
        client: the client's address, as a proxy would report it.
    """
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: " + host.encode(), b"Connection: close"]
    lines += [b"X-Forwarded-For: " + client.encode()] if client else []
    lines += [b"Authorization: " + value for value in authorization]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def exchange(address: tuple[str, int], sent: bytes) -> bytes:
    """Send octets to a server; return its answer, up to the end of the connection."""
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


class ApacheJudge:
    """An Apache with the user files of a folder: for Basic, for Digest, and of groups."""

    def __init__(self, folder: Path) -> None:
        self.htpasswd = folder / "users.htpasswd"
        self.htdigest = folder / "users.htdigest"
        self.htgroup = folder / "groups"
        self.members = folder / "members.htpasswd"
        places = {"/basic/": login_directives(self.htpasswd, "R")}
        for number, realm in enumerate(REALMS):
            places[f"/digest{number}/"] = login_directives(self.htdigest, realm, kind="Digest")
        for number, group in enumerate(GROUPS):
            of_group = login_directives(self.members, "R", require=f'group "{group}"')
            places[f"/group{number}/"] = f'{of_group}\nAuthGroupFile "{self.htgroup}"'
        config = [
            f"<Location {path}>\n{directives}\n</Location>" for path, directives in places.items()
        ]
        self.server = RealApache(
            folder / "apache",
            "AllowEncodedSlashes NoDecode\n"
            'Header set X-User "expr=%{REMOTE_USER}"\n'
            "FallbackResource /index.txt\n" + "\n".join(config),
        )
        (self.server.folder / "htdocs" / "index.txt").write_text("here\n")
        self.address = (self.server.host, self.server.port)
        self.host = f"{self.server.host}:{self.server.port}"
        self._nonces: dict[bytes, tuple[float, bytes]] = {}

    def ask(self, sent: bytes) -> bytes | Denied:
        """Return the user that Apache logs in."""
        head = exchange(self.address, sent).partition(b"\r\n\r\n")[0]
        status = head[9:12]
        if status in (b"400", b"401"):
            return Denied(status.decode())
        assert status == b"200", (head, self.server.error_log()[-2000:])
        return _field(head, b"X-User")

    def nonce(self, target: bytes) -> bytes:
        """Return a nonce of Apache for this target, valid for another minute at least."""
        made, nonce = self._nonces.get(target, (0.0, b""))
        if time.monotonic() - made > 200:
            head = exchange(self.address, request(target, self.host, []))
            nonce = head.partition(b'nonce="')[2].partition(b'"')[0]
            self._nonces[target] = (time.monotonic(), nonce)
        return nonce


def _field(head: bytes, name: bytes) -> bytes:
    return head.partition(b"\r\n" + name + b": ")[2].partition(b"\r\n")[0]


class KalendsJudge:
    """The middleware of Kalends over the same files, behind its own parser of requests."""

    def __init__(self, files: ApacheJudge, folder: Path) -> None:
        self._files = files
        self._counts = SharedNonceCounts(folder / "counts", time.time() - 1000)
        self._spool = BodySpoolQuota(0)
        self._connection = connection_environ(ADDRESS, ADDRESS, Role.ALL, "http", sys.stderr)

    def close(self) -> None:
        self._counts.close()

    def basic(self) -> Site:
        """Return a site that reads the password file again."""
        directory = UserDirectory(htpasswd_file(self._files.htpasswd), verifier=_VERIFIER)
        return Site(directory, "R", [BasicScheme(directory, "R")])

    def digest(self, realm: str) -> Site:
        """Return a site that reads the digest file again."""
        file = htdigest_file(self._files.htdigest)
        directory = UserDirectory(None, htdigest=file, realm=realm, verifier=_VERIFIER)
        schemes: list[AuthScheme] = [DigestScheme(directory, realm, b"k" * 32, self._counts)]
        return Site(directory, realm, schemes)

    def groups_of(self, user: bytes) -> frozenset[str]:
        """Return the groups of a user; this reads the group file again."""
        file = htgroup_file(self._files.htgroup)
        directory = UserDirectory(None, htgroup=file, verifier=_VERIFIER)
        return directory.groups_of(decode_name(user))

    def ask(self, site: Site, sent: bytes) -> bytes | Denied:
        """Return the user that Kalends logs in."""
        reader = MessageReader(0, self._spool)
        try:
            reader.receive(sent)
        except RequestRefusedError as error:
            return Denied(str(error.status))
        environ = request_environ(self._connection, reader.complete.popleft())
        answer = site.send(environ)
        if answer.status in (400, 401):
            return Denied(str(answer.status))
        assert answer.status == 200, answer.headers
        return answer.body

    def nonce(self, site: Site) -> bytes:
        """Return a nonce of Kalends."""
        challenge = site.ask(None).all("WWW-Authenticate")[-1]
        return challenge.partition('nonce="')[2].partition('"')[0].encode()


class RunningKalends:
    """`kalends serve` with the same files, and with everything that runs before the login."""

    def __init__(self, files: ApacheJudge, folder: Path) -> None:
        auth = {
            "htpasswd_filename": str(files.htpasswd),
            "htdigest_filename": str(files.htdigest),
            "schemes": "digest, basic",
            "realm": REALMS[0],
        }
        options = {"auth": auth, "kalends": {"trusted_proxies": ADDRESS[0]}}
        self.server = KalendsServer(folder, users={}, workers=2, options=options)
        self._address = (self.server.host, self.server.port)
        self._clients = itertools.count(1)

    def client(self) -> str:
        """Return a client's address from which no login has failed yet."""
        return str(ip_address("198.18.0.0") + next(self._clients))

    def ask(self, sent: bytes) -> bytes | Denied | None:
        """Return the refusal, or None if somebody is logged in."""
        answer = exchange(self._address, sent)
        assert answer[9:10] in b"24", (answer, self.server.log[-2000:])
        refusals = (b"400", b"401", b"431")
        return Denied(answer[9:12].decode()) if answer[9:12] in refusals else None

    def nonce(self, target: bytes, host: str) -> bytes:
        """Return a nonce of the server."""
        answer = exchange(self._address, request(target, host, []))
        return answer.partition(b'nonce="')[2].partition(b'"')[0]


@dataclass
class Tally:
    """Counts of verdicts: both allow, both deny, and Kalends differs on purpose."""

    allowed: int = 0
    denied: int = 0
    differed: Counter[str] = field(default_factory=Counter)

    def compare(
        self, apache: bytes | Denied, kalends: bytes | Denied | None, reasons: list[Difference]
    ) -> None:
        """Count two verdicts; fail if they differ without a reason.

        Args:
            apache: Apache's verdict.
            kalends: that of Kalends; None if somebody is logged in, with an unknown name.
            reasons: the documented differences that apply to this request.
        """
        if any(reason.always for reason in reasons):
            assert isinstance(kalends, Denied), (kalends, reasons)
        if isinstance(apache, Denied) and isinstance(kalends, Denied):
            self.denied += 1
        elif not isinstance(apache, Denied) and not isinstance(kalends, Denied):
            assert kalends is None or decode_name(apache) == decode_name(kalends)
            self.allowed += 1
        else:
            denies = isinstance(kalends, Denied)
            fitting = [reason.why for reason in reasons if reason.kalends_denies is denies]
            assert fitting, f"Apache: {apache!r}, Kalends: {kalends!r}"
            self.differed[fitting[0]] += 1

    def assert_conclusive(self, share: float) -> None:
        """Fail unless both verdicts occurred often enough, and few of them differed.

        Args:
            share: the smallest share of each verdict, from 0 to 1.
        """
        total = self.allowed + self.denied + self.differed.total()
        assert min(self.allowed, self.denied) > total * share, self
        assert self.differed.total() < total / 5, self
