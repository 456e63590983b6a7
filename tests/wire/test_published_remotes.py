"""Publication on another server: a real Apache with mod_dav, running and stopped."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from kalends.app.stack import ApplicationStack
from kalends.cli.main import main
from kalends.feeds.definitions.remote_credentials import RemoteServer, find_server
from kalends.store.engine import open_database
from kalends.store.feed_deliveries import DeliveryLog
from kalends.store.migrate import migrate
from support.apache import RealApache, dav_directives
from support.awaiting import await_that
from support.installation import Client, Installation, event
from support.server import htdigest_line, htpasswd_line
from support.webserver import Certificate

PASSWORD = "a remote password"
REALM = "remote"

FEEDS = """
[feed.family]
calendars = ["alice/*"]
access = "login"
publish = ["family.ics", "{url}dav/family.ics"]
"""


class Target:
    """An Apache with a WebDAV folder at /dav/, where writes are forbidden while `refusing`."""

    def __init__(
        self, folder: Path, kind: str = "Digest", *, tls: bool = False, more: str = ""
    ) -> None:
        self.folder = folder
        folder.mkdir()
        users = folder / "users"
        line = htdigest_line("kalends", REALM, PASSWORD)
        users.write_text(line if kind == "Digest" else htpasswd_line("kalends", PASSWORD))
        config = f"""
{dav_directives(folder, kind=kind, user_file=users, realm=REALM)}
Redirect 302 /moved/ http://localhost:9/dav/
<If "-f '{folder}/refusing' && %{{REQUEST_METHOD}} == 'PUT'">
    Require all denied
</If>
{more}
"""
        certificate = Certificate.create_in(folder) if tls else None
        self.apache = RealApache(folder, config, certificate=certificate)
        self.file = folder / "dav" / "family.ics"
        self.refusing = folder / "refusing"

    @property
    def url(self) -> str:
        return self.apache.url

    def answered(self, method: str) -> list[int]:
        """Return the status of each request with a method, in order."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [int(line.split()[-1]) for line in lines if f'"{method} ' in line]

    def shows(self, text: bytes) -> bool:
        return self.file.exists() and text in self.file.read_bytes()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    made = Target(tmp_path / "remote")
    with made.apache:
        yield made


def installed(folder: Path, url: str, feeds: str = FEEDS, **more: str | bool) -> Installation:
    """Return an installation with credentials for `url`."""
    remotes = folder / "remotes.toml"
    table = {"user": "kalends", "password": PASSWORD, **more}
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in table.items()]
    remotes.write_text(f'["{url}"]\n{"".join(lines)}')
    remotes.chmod(0o600)
    options = {"kalends__remotes": str(remotes)}
    return Installation(folder, feeds=feeds.replace("{url}", url), options=options)


def run(installation: Installation, *words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*words, "--config", str(installation.config)])
    return int(left.value.code or 0)


def listed(installation: Installation, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line of `kalends feed list` about the URL on the other server."""
    capsys.readouterr()
    assert run(installation, "feed", "list", "family") == 0
    lines = capsys.readouterr().out.splitlines()
    return next(line.strip() for line in lines if "dav/family.ics:" in line)


def begin(client: Client) -> None:
    """Start the background work before the first request, as a worker does."""
    assert isinstance(client.app, ApplicationStack)
    client.app.start()


@pytest.mark.parametrize("kind", ["Digest", "Basic"])
def test_a_feed_is_updated_on_another_server(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    target = Target(tmp_path / "remote", kind)
    with target.apache:
        installation = installed(tmp_path, target.url, basic_over_http=kind == "Basic")
        with installation.client() as client:
            for text in (b"First", b"Second"):
                client("PUT", "/alice/calendar/a.ics", event("a", summary=text.decode()))
                await_that(partial(target.shows, text))
                assert target.file.read_bytes() == client("GET", "/feeds/family.ics").body
        # The challenge was answered before the body was sent.
        assert set(target.answered("PUT")) <= {201, 204}
    assert PASSWORD not in caplog.text
    assert "Authorization" not in caplog.text


def test_a_write_that_the_feed_hides_is_not_published(tmp_path: Path, target: Target) -> None:
    """Readers of the other server would see its time."""
    # Without a file on this host, which would be composed first.
    feeds = FEEDS.replace('"family.ics", ', "")
    installation = installed(tmp_path, target.url, feeds)

    def composed() -> list[str]:
        return [path.read_text() for path in tmp_path.glob("feeds/.versions/*/good.json")]

    with installation.client() as client:
        begin(client)
        client("PUT", "/alice/calendar/a.ics", event("a", summary="first"))
        await_that(lambda: target.shows(b"first"))
        before = composed()
        hidden = event("b", "20260105T090000Z", "CLASS:PRIVATE")
        assert client("PUT", "/alice/calendar/b.ics", hidden).status == 201
        await_that(lambda: composed() != before)
        client("PUT", "/alice/calendar/a.ics", event("a", summary="second"))
        await_that(lambda: target.shows(b"second"))
        await_that(lambda: len(target.answered("PUT")) > 1)
        assert target.answered("PUT") == [201, 204]


def test_an_outage_delays_no_file_and_a_restart_resumes(
    tmp_path: Path, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = installed(tmp_path, target.url)
    file = tmp_path / "feeds" / "login" / "family.ics"
    target.apache.stop()
    with installation.client() as client:
        client("PUT", "/alice/calendar/a.ics", event("a", summary="First"))
        await_that(lambda: file.exists() and b"First" in file.read_bytes())
        await_that(lambda: "cannot be reached; next attempt" in listed(installation, capsys))
    target.apache.start()
    target.refusing.touch()
    with installation.client() as client:
        begin(client)
        await_that(lambda: "403: the server forbids it" in listed(installation, capsys))
    assert "failed 2 times" in listed(installation, capsys)
    target.refusing.unlink()
    with installation.client() as client:
        begin(client)
        await_that(lambda: target.shows(b"First"))
        await_that(lambda: "up to date since" in listed(installation, capsys))


def test_an_administrator_can_publish_at_once(
    tmp_path: Path, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = installed(tmp_path, target.url)
    target.refusing.touch()
    assert run(installation, "feed", "refresh", "family") == 1
    assert "403" in capsys.readouterr().err
    target.refusing.unlink()
    assert run(installation, "feed", "refresh", "family") == 0
    assert target.shows(b"END:VCALENDAR")
    puts = len(target.answered("PUT"))
    with installation.client() as client:
        client("PUT", "/bob/calendar/x.ics", event("x"), user="bob")  # in no feed
        client("PUT", "/alice/calendar/a.ics", event("a", summary="Next"))
        await_that(lambda: target.shows(b"Next"))
    assert len(target.answered("PUT")) == puts + 1


def test_a_change_by_another_client_is_overwritten_and_logged(
    tmp_path: Path, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    installation = installed(tmp_path, target.url)
    assert run(installation, "feed", "refresh", "family") == 0
    target.file.write_text("BEGIN:VCALENDAR of somebody else")
    assert run(installation, "feed", "refresh", "family") == 0
    assert target.shows(b"Kalends")
    assert "was changed by another client" in caplog.text


def test_a_removed_feed_is_deleted_unless_another_client_changed_it(
    tmp_path: Path, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    two = FEEDS + FEEDS.replace("family", "other")
    installation = installed(tmp_path, target.url, two)
    assert run(installation, "feed", "refresh") == 0
    other = target.file.with_name("other.ics")
    assert other.exists()
    other.write_text("of somebody else")
    installation.feeds_file.write_text("")
    with installation.client() as client:
        begin(client)
        await_that(lambda: not target.file.exists())
        await_that(lambda: "other.ics is not removed: another client" in caplog.text)
    assert other.read_text() == "of somebody else"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("FileETag None", id="no entity tags"),
        pytest.param(
            "<If \"%{REQUEST_METHOD} == 'HEAD'\">\nRequire all denied\n</If>", id="not to be read"
        ),
    ],
)
def test_a_removed_feed_is_deleted_on_servers_without_entity_tags(
    tmp_path: Path, more: str
) -> None:
    target = Target(tmp_path / "remote", more=more)
    with target.apache:
        installation = installed(tmp_path, target.url)
        assert run(installation, "feed", "refresh") == 0
        assert target.shows(b"END:VCALENDAR")
        installation.feeds_file.write_text("")
        with installation.client() as client:
            begin(client)
            await_that(lambda: not target.file.exists())


def test_a_redirect_is_not_followed(
    tmp_path: Path, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = installed(tmp_path, target.url, FEEDS.replace("dav/", "moved/"))
    assert run(installation, "feed", "refresh") == 1
    assert "redirects to 'http://localhost:9/dav/family.ics'" in capsys.readouterr().err


def test_a_password_is_not_sent_over_plain_http(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target(tmp_path / "remote", "Basic")
    with target.apache:
        assert run(installed(tmp_path, target.url), "feed", "refresh") == 1
        assert "asks for the password in clear text" in capsys.readouterr().err
        assert target.answered("HEAD") == [401]


def test_a_certificate_must_be_trusted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = Target(tmp_path / "remote", "Basic", tls=True)
    with target.apache:
        assert run(installed(tmp_path, target.url), "feed", "refresh") == 1
        assert "certificate cannot be trusted" in capsys.readouterr().err
        assert target.apache.certificate
        chain = str(target.apache.certificate.chain)
        assert run(installed(tmp_path, target.url, certificate=chain), "feed", "refresh") == 0
        assert target.shows(b"END:VCALENDAR")


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ('["https://h/"]\nuser = "a"\npassword = "b"\n', 0o644, "make it 0600"),
        ('["https://h/"]\nuser = "a"\n', 0o600, "both 'user' and 'password'"),
        ('["https://h/"]\nname = "a"\n', 0o600, "'name' is unknown"),
        ('["https://a:b@h/"]\n', 0o600, "contains a login"),
        ('["ftp://h/"]\n', 0o600, "must begin with https://"),
        ('["https://h/"]\nbasic_over_http = "yes"\n', 0o600, "must be true or false"),
        ('["https://h/"]\nuser = \n', 0o600, "line 2"),
    ],
)
def test_errors_in_the_credentials_file_are_reported(
    tmp_path: Path, text: str, mode: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    installation = installed(tmp_path, "https://h/")
    (tmp_path / "remotes.toml").write_text(text)
    (tmp_path / "remotes.toml").chmod(mode)
    assert run(installation, "check") == 1
    assert why in capsys.readouterr().out


@pytest.mark.parametrize(
    ("publish", "why"),
    [
        ("https://a:b@h/x.ics", "contains a login"),
        ("https://h/folder/", "is the URL of a folder"),
        ("https://h", "is the URL of a folder"),
        ("https://h/x.ics?y", "must not contain '?'"),
        ("ftp://h/x.ics", "must begin with https://"),
        ("https://h/{user}.ics", "may be used in"),
        ("https://h/taken.ics", "is published by 'first' already"),
    ],
)
def test_an_invalid_target_is_refused_with_its_line(
    tmp_path: Path, publish: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    feeds = (
        '[feed.first]\ncalendars = ["*/*"]\naccess = "login"\npublish = ["https://h/taken.ics"]\n'
        f'[feed.bad]\ncalendars = ["*/*"]\naccess = "login"\npublish = ["{publish}"]\n'
    )
    assert run(Installation(tmp_path, feeds=feeds), "check") == 1
    told = capsys.readouterr().err
    assert why in told
    assert "feeds.toml:5:" in told or "feeds.toml:8:" in told


def test_a_login_is_used_for_its_own_server_only() -> None:
    there = RemoteServer("https://h/cal/", "a", "secret")
    narrower = RemoteServer("https://h/cal/more/", "b", "secret")
    remotes = (there, narrower)
    assert find_server("https://h/cal/x.ics", remotes) is there
    assert find_server("https://h:443/cal/more/x.ics", remotes) is narrower
    for other in (
        "https://h/calendar/x.ics",
        "http://h/cal/x.ics",
        "https://h:8443/cal/x.ics",
        "https://h.example/cal/x.ics",
        "https://example/cal/x.ics",
    ):
        assert find_server(other, remotes).user == ""
    assert "secret" not in repr(there)


def test_only_one_claimant_at_a_time_holds_an_address(store_url: str) -> None:
    database = open_database(store_url)
    migrate(database)
    one, other = DeliveryLog(database), DeliveryLog(database)
    assert one.claim("https://h/x.ics", "one", 60)
    assert other.claim("https://h/x.ics", "other", 60) is None
    assert one.claim("https://h/x.ics", "one", 60)
    one.record_failure("https://h/x.ics", "503", 0)
    claimed = other.claim("https://h/x.ics", "other", -5)
    assert claimed
    assert claimed.failures == 1
    # The host is gone, and its claim has expired.
    assert one.claim("https://h/x.ics", "one", 60)
    one.record_success("https://h/x.ics", "key", "etag", 0)
    assert one.deliveries()["https://h/x.ics"].failures == 0
    hosts = [f"host {number}" for number in range(8)]
    with ThreadPoolExecutor(len(hosts)) as pool:
        claims = list(pool.map(lambda host: one.claim("https://h/y.ics", host, 60), hosts))
    assert len([claim for claim in claims if claim]) == 1
    database.close()
