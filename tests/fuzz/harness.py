"""Fuzz targets: functions that take any bytes; an exception is a finding."""

from __future__ import annotations

import itertools
import os
import re
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote_to_bytes

from fuzz.connection import http_connection
from fuzz.stored import calendar_object, card, dav_request
from kalends.authn.apache.htfiles import parse_htdigest, parse_htpasswd
from kalends.authn.apache.htgroup import parse_groups
from kalends.authn.backends.apache_files import (
    UserDirectory,
    htdigest_file,
    htgroup_file,
    htpasswd_file,
)
from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.verify import PasswordVerifier
from kalends.authn.login_attempts import HostLoginAttempts
from kalends.authn.nonces.replay_cache import SharedNonceCounts
from kalends.authn.nonces.signing import NonceSigner
from kalends.authn.schemes.base import AuthScheme, BasicScheme
from kalends.authn.schemes.basic import parse_basic
from kalends.authn.schemes.digest import (
    ALGORITHMS,
    authentication_info,
    digest,
    expected_response,
    parse_digest,
)
from kalends.authn.schemes.digestscheme import DigestScheme
from kalends.authn.schemes.quoting import quoted_string
from kalends.authn.throttle import Throttle
from kalends.config.listener_roles import Role
from kalends.dav.reports.report import read_report
from kalends.dav.xml import limits, parse
from kalends.dav.xml.parts import parse_request
from kalends.dav.xml.requests import read_propfind
from kalends.errors import BodyRefusedError, ReportRefusedError
from kalends.server.http1.body_spool import BodySpoolQuota, RequestRefusedError
from kalends.server.http1.environ import connection_environ, request_environ
from kalends.server.http1.limits import (
    CHUNK_FRAMING_OCTETS,
    HEAD_BLOCK_OCTETS,
    HEADER_FIELDS,
    TARGET_OCTETS,
)
from kalends.server.http1.parser import Message, MessageReader
from support.wsgisite import Site

REALM = "R"
USER = b"alice"
HA1 = digest("MD5", USER, REALM.encode(), b"secret")

_KEY = b"k" * 32
_START = 1_790_000_000.0
# Characters that a header line must not contain (RFC 9110 section 5.5).
_NO_HEADER_TEXT = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
# The password that is tried with each `user:hash` pair, and the separator of a login's parts.
_PASSWORD = b"secret"
_SEPARATOR = b"\n\n"


class QuickVerifier(PasswordVerifier):
    """A verifier that rejects slow hashes unverified, because a fuzzer finds the highest cost."""

    def __init__(self) -> None:
        super().__init__(libcrypt.load())

    def verify(self, password: bytes, stored: bytes) -> bool:
        """See `PasswordVerifier.verify`."""
        return not self.is_slow(stored) and super().verify(password, stored)


_VERIFIER = QuickVerifier()


def digest_header(data: bytes) -> None:
    """Parse an Authorization header of the scheme Digest."""
    sent = parse_digest(data.decode("latin-1"))
    if sent is None:
        return
    assert sent.count is None or 0 < sent.count < 1 << 32
    for algorithm, length in zip(ALGORITHMS, (32, 64), strict=True):
        response = expected_response(algorithm, HA1, sent, b"GET")
        assert re.fullmatch(rb"[0-9a-f]{%d}" % length, response)
    for text in (authentication_info("MD5", HA1, sent, "next"), quoted_string(sent.username)):
        assert not _NO_HEADER_TEXT.search(text), text
    for secret in (sent.response, *sent.other.values()):
        assert len(secret) < 8 or repr(secret) not in repr(sent).partition("response")[2]


def basic_header(data: bytes) -> None:
    """Parse an Authorization header of the scheme Basic."""
    sent = parse_basic(data.decode("latin-1"))
    if sent is not None:
        assert b":" not in sent.user
        assert b"\0" not in sent.user + sent.password


def htpasswd(data: bytes) -> None:
    """Parse a password file and verify its entries."""
    file = parse_htpasswd(data)
    fields = set()
    for name in file.lines:
        entry = file.find(name)
        assert entry is not None
        fields.add(entry.stored)
        assert b":" not in entry.stored
        assert 0 < entry.line <= data.count(b"\n") + 1
        why = _VERIFIER.refusal(entry.stored)
        assert why is None or why.isprintable()
        _VERIFIER.verify(_PASSWORD, entry.stored)
    assert len(file.names) <= len(file.lines)
    assert set(file.usual) <= fields


def htdigest(data: bytes) -> None:
    """Parse a password file for Digest."""
    file = parse_htdigest(data)
    for user, realm in file.first:
        entry = file.find(user, realm)
        accounts = file.accounts(realm)
        assert len(accounts.names) <= len(file.first)
        if entry is not None and user:
            assert accounts.names
            assert entry.sha256 or not accounts.all_sha256


def groups(data: bytes) -> None:
    """Parse a group file."""
    file = parse_groups(data)
    assert "" not in file.members
    for group, users in file.members.items():
        assert "" not in users
        assert all(group in file.groups[user] for user in users)


class _Logins:
    """A folder for user files, and the state that requests share."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="kalends-fuzz-")
        self.now = _START
        self.files = [Path(self._folder.name) / name for name in ("users", "digest", "groups")]
        self.counts = SharedNonceCounts(
            Path(self._folder.name) / "counts", _START - 1000, buckets=16
        )

    def site(self, contents: list[bytes]) -> tuple[Site, UserDirectory]:
        """Return a new site with these user files and the shared nonce counts, and its users."""
        for path, content in zip(self.files, contents, strict=True):
            path.write_bytes(content)
            os.utime(path, (0, 0))  # long ago, so that the reader does not wait for the rest of it
        users, digests, members = self.files
        directory = UserDirectory(
            htpasswd_file(users),
            htdigest=htdigest_file(digests),
            htgroup=htgroup_file(members),
            realm=REALM,
            basic_by_htdigest=True,
            verifier=_VERIFIER,
        )
        scheme = DigestScheme(
            directory, REALM, _KEY, self.counts, without_qop=True, now=lambda: self.now
        )
        schemes: list[AuthScheme] = [scheme, BasicScheme(directory, REALM)]
        return Site(
            directory, REALM, schemes, Throttle(HostLoginAttempts(None), lambda _: None)
        ), directory


_logins: list[_Logins] = []


def login(data: bytes) -> None:
    """Make a request: target and Authorization, then three files, separated by empty lines.

    The digest file begins with alice's line. In the header, ``@NONCE@`` is replaced by a fresh
    nonce and ``@RESPONSE@`` by the correct response for alice's hash.
    """
    if not _logins:
        _logins.append(_Logins())
    logins = _logins[0]
    logins.now += 0.01
    request, *contents = data.split(_SEPARATOR, 3)
    contents += [b""] * (3 - len(contents))
    contents[1] = USER + b":" + REALM.encode() + b":" + HA1 + b"\n" + contents[1]
    target, _, header = request.partition(b"\n")
    site, directory = logins.site(contents)
    path = unquote_to_bytes(target.partition(b"?")[0]).decode("latin-1")
    answer = site.ask(
        _fill_in(header, logins.now).decode("latin-1"),
        path if path.startswith("/") else "/" + path,
        RAW_URI=target.decode("latin-1"),
    )
    assert answer.status in (200, 400, 401), answer.status
    for name, value in answer.headers:
        assert not _NO_HEADER_TEXT.search(name + value), (name, value)
    names = directory.names() | directory.basic_names()
    for name in [*names, "nobody"]:
        directory.groups_of(name)
    assert all(why.isprintable() for why in directory.unverifiable().values())
    if answer.status == 200 and answer.body != b"nobody":
        assert answer.body.decode() in names


def _fill_in(header: bytes, now: float) -> bytes:
    nonce = NonceSigner(_KEY, REALM.encode()).issue(now - 0.005, int(now) & 0xFFFF)
    header = header.replace(b"@NONCE@", nonce.encode())
    sent = parse_digest(header.decode("latin-1"))
    if sent is None:
        return header
    return header.replace(b"@RESPONSE@", expected_response("MD5", HA1, sent, b"GET"))


_CONNECTION = connection_environ(("192.0.2.1", 1), ("192.0.2.2", 80), Role.ALL, "http", None)
_BODY_LIMIT = 4000


def http_reader(data: bytes) -> None:
    """Read the octets of a connection; those after ``@REPEAT@`` come again until they are refused.

    A request that does not become complete is refused after a bounded number of octets.
    """
    beginning, _, repeated = data.partition(b"@REPEAT@")
    block_of_them = repeated * max(1, HEAD_BLOCK_OCTETS // max(1, len(repeated)))
    blocks = itertools.chain([beginning, repeated], itertools.repeat(block_of_them))
    reader = MessageReader(_BODY_LIMIT, BodySpoolQuota(_BODY_LIMIT))
    incomplete = answered = 0
    try:
        for block in blocks:
            for start in range(0, len(block), HEAD_BLOCK_OCTETS):
                piece = block[start : start + HEAD_BLOCK_OCTETS]
                reader.receive(piece)
                incomplete = 0 if reader.complete else incomplete + len(piece)
                assert incomplete < 2 * CHUNK_FRAMING_OCTETS
                while reader.complete:
                    _check_message(reader.complete.popleft())
                    answered += 1
            if answered > 10 or not repeated:
                break
    except RequestRefusedError:
        pass
    for message in reader.complete:
        _check_message(message)
    reader.close()


def _check_message(message: Message) -> None:
    names = [name.lower() for name, _ in message.fields]
    assert message.version in ("1.0", "1.1")
    assert names.count(b"host") == 1 or (message.version == "1.0" and b"host" not in names)
    assert b"transfer-encoding" not in names or (
        message.version == "1.1" and b"content-length" not in names
    )
    assert len(message.target) <= TARGET_OCTETS
    assert len(names) <= HEADER_FIELDS
    assert message.length <= _BODY_LIMIT
    assert message.body is not None
    assert len(message.body.read()) == message.length
    environ = request_environ(_CONNECTION, message)
    assert all(isinstance(value, str) for key, value in environ.items() if key.isupper())


def xml_body(data: bytes) -> None:
    """Parse the body of a WebDAV request, by its octets and by the counting parser alike."""
    try:
        root = parse_request(data)
    except BodyRefusedError:
        return
    level, depth, elements = [root], 0, 0
    while level:
        depth += 1
        elements += len(level)
        level = [child for element in level for child in element]
    assert depth <= limits.MAX_DEPTH
    assert elements <= limits.MAX_ELEMENTS
    text = ET.tostring(root, encoding="utf-8")
    assert ET.tostring(parse.parse(b"<!-- counted -->" + text), encoding="utf-8") == text
    with suppress(BodyRefusedError):
        read_propfind(data)
    with suppress(BodyRefusedError, ReportRefusedError):
        read_report(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "digest_header": digest_header,
    "basic_header": basic_header,
    "htpasswd": htpasswd,
    "htdigest": htdigest,
    "groups": groups,
    "login": login,
    "http_reader": http_reader,
    "http_connection": http_connection,
    "xml_body": xml_body,
    "dav_request": dav_request,
    "calendar_object": calendar_object,
    "card": card,
}
