"""Accounts of LDAP, PAM, IMAP, Dovecot or OAuth2, alone or beside the user files."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from kalends.authn.backends.external import ExternalBackends
from kalends.config.loader import load
from kalends.errors import ConfigurationError, DirectoryUnavailableError
from support.directoryservers import Dovecot, Slapd, pam_command_prefix
from support.samples import event
from support.server import BIN, KalendsServer

PEOPLE = {"lena": "lilac", "ann": "not the one of the file"}
FEEDS = '[feed."{user}"]\ncalendars = ["{user}/*"]\naccess = "owner"\n'


def start_server(
    folder: Path, directories: str, options: dict[str, str], prefix: tuple[str, ...] = ()
) -> KalendsServer:
    """Start Kalends with the account ann in its file, and with these directories."""
    return KalendsServer(
        folder,
        users={"ann": "apple"},
        feeds=FEEDS,
        options={"auth": {"directories": directories, **options}},
        prefix=prefix,
    )


def status(server: KalendsServer, user: str, password: str) -> int:
    return server.request("PROPFIND", f"/{user}/", user=user, password=password).status


def login_statuses(server: KalendsServer) -> dict[tuple[str, str], int]:
    """Return the status that each of some logins gets."""
    logins = [("lena", "lilac"), ("lena", "wrong"), ("lena", ""), ("ann", "apple")]
    logins += [("ann", PEOPLE["ann"]), ("nobody", "lilac"), ("len*", "lilac")]
    return {login: status(server, *login) for login in logins}


CHAINED = {
    ("lena", "lilac"): 207,
    ("lena", "wrong"): 401,
    ("lena", ""): 401,
    ("ann", "apple"): 207,
    # The file alone decides about a name that it has.
    ("ann", "not the one of the file"): 401,
    ("nobody", "lilac"): 401,
    ("len*", "lilac"): 401,
}


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with closing(Slapd(tmp_path_factory.mktemp("ldap") / "slapd", PEOPLE)) as running:
        yield running


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with closing(Dovecot(PEOPLE)) as running:
        yield running


def test_ldap_accounts_log_in_beside_those_of_the_files(slapd: Slapd, tmp_path: Path) -> None:
    with closing(start_server(tmp_path / "k", "files, ldap", slapd.options())) as server:
        assert login_statuses(server) == CHAINED
        # The directory's spelling is the account's: there is not one account for each spelling.
        answer = server.request("PROPFIND", "/", user="LENA", password="lilac")
        assert "/lena/" in answer.text
        put = server.request(
            "PUT", "/lena/calendar/e.ics", user="lena", password="lilac", body=event("theirs")
        )
        assert put.status == 201
        feed = server.request("GET", "/feeds/lena.ics", user="lena", password="lilac")
        assert "UID:theirs" in feed.text
        assert server.request("GET", "/feeds/lena.ics", user="ann").status == 403
        assert "lilac" not in server.log
        assert "login failed from 127.0.0.1: wrong name or password, name 'lena'" in server.log


def test_an_unreachable_directory_is_not_a_wrong_password(tmp_path: Path) -> None:
    with closing(Slapd(tmp_path / "slapd", PEOPLE)) as slapd:
        options = {**slapd.options(), "cache_logins": "False"}
        with closing(start_server(tmp_path / "k", "files, ldap", options)) as server:
            assert status(server, "lena", "lilac") == 207
            slapd.process.stop()
            assert status(server, "lena", "lilac") == 503
            assert status(server, "ann", "apple") == 207
            slapd.start()
            assert status(server, "lena", "lilac") == 207


def test_imap_accounts_log_in_without_user_files(dovecot: Dovecot, tmp_path: Path) -> None:
    options = {"imap_host": dovecot.address, "imap_security": "none"}
    with closing(start_server(tmp_path / "k", "imap", options)) as server:
        assert status(server, "lena", "lilac") == 207
        assert status(server, "lena", "wrong") == 401
        assert status(server, "ann", "apple") == 401
        assert status(server, "ann", PEOPLE["ann"]) == 207


def test_dovecot_accounts_log_in_beside_those_of_the_files(
    dovecot: Dovecot, tmp_path: Path
) -> None:
    options = {"dovecot_connection_type": "AF_UNIX", "dovecot_socket": str(dovecot.socket)}
    with closing(start_server(tmp_path / "k", "files, dovecot", options)) as server:
        assert login_statuses(server) == CHAINED


def test_an_unreachable_imap_server_is_not_a_wrong_password(tmp_path: Path) -> None:
    options = {"imap_host": "127.0.0.1:1", "imap_security": "none"}
    with closing(start_server(tmp_path / "k", "files, imap", options)) as server:
        assert status(server, "lena", "lilac") == 503


def test_pam_accounts_log_in_beside_those_of_the_files(tmp_path: Path) -> None:
    prefix = pam_command_prefix(tmp_path / "etc", "kalends", PEOPLE)
    options = {"pam_service": "kalends", "pam_group_membership": "users"}
    with closing(start_server(tmp_path / "k", "files, pam", options, prefix)) as server:
        assert status(server, "lena", "lilac") == 207
        assert status(server, "lena", "wrong") == 401
        assert status(server, "ann", "apple") == 207
        assert status(server, "nobody", "lilac") == 401


class TokenEndpoint(BaseHTTPRequestHandler):
    """An OAuth2 server's token endpoint (RFC 6749 section 4.3)."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        right = given["grant_type"] == "password" and given["client_id"] == "kalends"
        right = right and PEOPLE.get(given["username"]) == given["password"]
        answer = b'{"access_token": "t", "token_type": "bearer"}' if right else b"{}"
        self.send_response(200 if right else 400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def test_oauth2_accounts_log_in_beside_those_of_the_files(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), TokenEndpoint) as endpoint:
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        options = {
            "oauth2_token_endpoint": f"http://127.0.0.1:{endpoint.server_port}/token",
            "oauth2_client_id": "kalends",
        }
        with closing(start_server(tmp_path / "k", "files, oauth2", options)) as server:
            assert login_statuses(server) == CHAINED
        endpoint.shutdown()


def write_config(folder: Path, auth: str) -> Path:
    file = folder / "kalends.ini"
    file.write_text(
        f"[server]\nhosts = 127.0.0.1:0\n[auth]\n{auth}\n[storage]\ndatabase = sqlite:///{folder}/k.db\n"
    )
    return file


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ("directories = files, nis", "takes one or more of files, ldap"),
        ("directories =", "takes one or more of files, ldap"),
        ("directories = ldap\nschemes = digest", "need schemes = basic"),
        (
            "directories = ldap\nschemes = digest, basic\nhtdigest_filename = /x",
            "Digest is for the accounts of the files",
        ),
        ("type = ldap", "directories = files, ldap"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, auth: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        load(write_config(tmp_path, auth))


def test_an_unusable_directory_prevents_the_start(tmp_path: Path) -> None:
    file = write_config(tmp_path, f"directories = ldap\nldap_secret_file = {tmp_path}/none")
    ended = subprocess.run(
        [str(BIN / "kalends"), "serve", "--config", str(file)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "[auth] directories: ldap cannot be used" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_stuck_directory_blocks_few_threads() -> None:
    release = threading.Event()

    def stuck(name: str, password: str, address: str) -> str:
        release.wait()
        return name

    backends = ExternalBackends({"stuck": stuck}, seconds=0.05)
    for _ in range(6):
        with pytest.raises(DirectoryUnavailableError):
            backends.login("lena", b"lilac", "192.0.2.1")
    assert sum(thread.name == "directory" for thread in threading.enumerate()) <= 4
    release.set()
    for thread in threading.enumerate():
        if thread.name == "directory":
            thread.join()
    assert backends.login("lena", b"lilac", "192.0.2.1") == "lena"


def test_only_right_passwords_are_cached_until_they_expire() -> None:
    tried: list[str] = []
    now = [0.0]

    def ask(name: str, password: str, address: str) -> str:
        tried.append(password)
        return "lena" if password == "lilac" else ""

    others = ExternalBackends({"one": ask}, remember_seconds=15, now=lambda: now[0])
    assert [others.login("LENA", b"lilac", "") for _ in range(3)] == ["lena"] * 3
    assert [others.login("LENA", b"wrong", "") for _ in range(2)] == ["", ""]
    assert others.login("LENA", b"", "") == ""
    assert tried == ["lilac", "wrong", "wrong"]
    now[0] = 15
    assert others.login("LENA", b"lilac", "") == "lena"
    assert tried[-1] == "lilac"


def test_the_next_directory_is_asked_if_one_does_not_know_the_name() -> None:
    def away(name: str, password: str, address: str) -> str:
        raise OSError("no route")

    def knows(name: str, password: str, address: str) -> str:
        return name if name == "lena" else ""

    others = ExternalBackends({"away": away, "knows": knows})
    assert others.login("lena", b"x", "") == "lena"
    with pytest.raises(DirectoryUnavailableError, match="away"):
        others.login("otto", b"x", "")
