"""Feeds for subscribing programs, and access while accounts and groups change."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalends.cli.main import main
from kalends.errors import StoreGoneError
from kalends.feeds import version_cache
from support.installation import Answer, Client, Installation, event

FEEDS = """
[feed."{user}"]
calendars = ["{user}/*"]
access = "owner"

[feed.family]
calendars = ["@family/*", "GROUPS/family/*"]
access = "secret"
publish = ["family.ics"]

[feed.staff]
calendars = ["*/calendar"]
access = ["@family", "carol"]

[feed.open]
calendars = ["alice/*", "bob/*"]
access = "public"
publish = ["open.ics"]
"""
USERS = {"alice": "wonderland", "bob": "builder", "carol": "singer"}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    (tmp_path / "groups").write_text("family: alice bob\n")
    options = {"auth__htgroup_filename": str(tmp_path / "groups")}
    return Installation(tmp_path, users=USERS, feeds=FEEDS, options=options)


@pytest.fixture
def client(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        for user in USERS:
            text = event(user, summary=f"Of {user}")
            assert client("PUT", f"/{user}/calendar/x.ics", text, user=user).status == 201
        yield client


def run(installation: Installation, *words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main([*words, "--config", str(installation.config)])
    return int(left.value.code or 0)


@pytest.fixture
def secret(installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]) -> str:
    """Return Alice's secret address of the family feed."""
    capsys.readouterr()
    assert run(installation, "feed", "url", "family", "--user", "alice") == 0
    return capsys.readouterr().out.strip()


def summaries(answer: Answer) -> set[str]:
    assert answer.status == 200
    lines = answer.body.decode().split("\r\n")
    return {line.removeprefix("SUMMARY:Of ") for line in lines if line.startswith("SUMMARY:")}


def test_google_may_fetch_secret_addresses_but_must_not_index_them(
    client: Client, secret: str
) -> None:
    robots = client("GET", "/robots.txt", user="")
    assert robots.status == 200
    assert robots.headers["Content-Type"].startswith("text/plain")
    assert robots.body == b"User-agent: *\nAllow: /feeds/\nDisallow: /\n"
    assert "?" not in secret
    assert secret.endswith(".ics")
    assert client("GET", secret, user="").headers["X-Robots-Tag"] == "noindex"
    assert "X-Robots-Tag" not in client("GET", "/feeds/open.ics", user="").headers


def test_writes_are_refused_because_feeds_are_read_only(client: Client, secret: str) -> None:
    for address, user in (("/feeds/open.ics", ""), (secret, ""), ("/feeds/alice.ics", "alice")):
        for method in ("PUT", "PROPFIND", "DELETE"):
            refused = client(method, address, b"BEGIN:VCALENDAR", user=user)
            assert refused.status == 405
            assert b"read-only" in refused.body
        asked = client("OPTIONS", address, user=user)
        assert (asked.status, asked.headers["Allow"]) == (200, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("address", ["/feeds/s/guess/open.ics", "/feeds/alice.ics", "/feeds/x"])
def test_a_head_has_no_body_whatever_the_status(client: Client, address: str) -> None:
    head = client("HEAD", address, user="bob")
    get = client("GET", address, user="bob")
    assert head.status == get.status
    assert head.status in (403, 404)
    assert (head.body, head.headers) == (b"", get.headers)


def test_members_of_a_group_join_and_leave_a_feed(
    installation: Installation, client: Client, secret: str
) -> None:
    groups = installation.folder / "groups"
    assert summaries(client("GET", secret, user="")) == {"alice", "bob"}
    client("PUT", "/GROUPS/family/calendar/b.ics", event("b", summary="Of all"))
    assert summaries(client("GET", secret, user="")) == {"alice", "bob", "all"}
    groups.write_text("family: alice carol\n")
    assert summaries(client("GET", secret, user="")) == {"alice", "carol", "all"}
    client("MKCALENDAR", "/carol/more/", user="carol")
    client("PUT", "/carol/more/m.ics", event("m", summary="Of more"), user="carol")
    assert summaries(client("GET", secret, user="")) == {"alice", "carol", "all", "more"}
    client("DELETE", "/carol/more/", user="carol")
    groups.write_text("family:\n")
    assert summaries(client("GET", secret, user="")) == set()


def test_an_access_list_admits_members_of_its_groups_and_their_secrets(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = {user: client("GET", "/feeds/staff.ics", user=user).status for user in USERS}
    assert statuses == {"alice": 200, "bob": 200, "carol": 200}
    capsys.readouterr()
    assert run(installation, "feed", "url", "staff", "--user", "bob") == 0
    secret = capsys.readouterr().out.strip()
    assert client("GET", secret, user="").status == 200
    (installation.folder / "groups").write_text("family: alice\n")
    assert client("GET", "/feeds/staff.ics", user="bob").status == 403
    assert client("GET", secret, user="").status == 404
    assert run(installation, "feed", "url", "staff", "--user", "bob") == 1
    assert "may not see" in capsys.readouterr().err


def test_rotating_a_secret_moves_its_file(
    installation: Installation, client: Client, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def file(address: str) -> Path:
        return installation.folder / "feeds" / address.removeprefix("/feeds/")

    assert file(secret).read_bytes() == client("GET", secret, user="").body
    assert run(installation, "feed", "rotate", "family", "--user", "alice") == 0
    renewed = capsys.readouterr().out.strip()
    assert renewed != secret
    assert client("GET", secret, user="").status == 404
    assert not file(secret).parent.exists()
    assert file(renewed).read_bytes() == client("GET", renewed, user="").body
    lines = installation.htpasswd.read_text().splitlines(keepends=True)
    installation.htpasswd.write_text("".join(x for x in lines if not x.startswith("alice:")))
    assert run(installation, "feed", "refresh") == 0
    assert client("GET", renewed, user="").status == 404
    assert not file(renewed).parent.exists()


@pytest.mark.parametrize(
    ("folder", "inner", "file"), [(0o755, 0o755, 0o644), (0o2750, 0o2750, 0o640)]
)
def test_files_have_the_permissions_of_their_folder_whatever_the_umask(
    installation: Installation, client: Client, secret: str, folder: int, inner: int, file: int
) -> None:
    feeds = installation.folder / "feeds"
    feeds.chmod(folder)
    before = os.umask(0o077)
    try:
        assert run(installation, "feed", "rotate", "family", "--user", "alice") == 0
    finally:
        os.umask(before)

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    (held,) = (feeds / "s").iterdir()
    assert mode(feeds / "s") == inner & ~0o044  # the names in it are secrets
    assert mode(held) == inner
    assert mode(held / "family.ics") == file
    assert mode(feeds / "public" / "open.ics") == file
    assert mode(feeds / ".versions") == 0o700


def test_an_unchanged_file_is_not_rewritten(installation: Installation, client: Client) -> None:
    file = installation.folder / "feeds" / "public" / "open.ics"
    assert run(installation, "feed", "refresh") == 0
    before = file.stat()
    # A change that the feed does not show.
    name = '<displayname xmlns="DAV:">Other</displayname>'
    patch = f'<propertyupdate xmlns="DAV:"><set><prop>{name}</prop></set></propertyupdate>'
    etag = client("GET", "/feeds/open.ics").headers["ETag"]
    assert client("PROPPATCH", "/bob/calendar/", patch, user="bob").status == 207
    assert client("GET", "/feeds/open.ics").headers["ETag"] == etag
    assert run(installation, "feed", "refresh") == 0
    after = file.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_last_good_version_is_served_when_composition_fails(
    installation: Installation, client: Client, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = client("GET", "/feeds/open.ics", user="")

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(version_cache, "compose_feed", fails)
    client("PUT", "/bob/calendar/y.ics", event("y", summary="Of y"), user="bob")
    same = client("GET", "/feeds/open.ics", user="")
    assert (same.status, same.body) == (200, good.body)
    assert same.headers["ETag"] == good.headers["ETag"]
    known = client("GET", "/feeds/open.ics", headers={"If-None-Match": good.headers["ETag"]})
    assert known.status == 304
    # A version with data that may no longer be seen is not served, even if there is no other.
    mark = '<feeds xmlns="urn:x-kalends">owner</feeds>'
    patch = f'<propertyupdate xmlns="DAV:"><set><prop>{mark}</prop></set></propertyupdate>'
    assert client("PROPPATCH", "/bob/calendar/", patch, user="bob").status == 207
    assert client("GET", "/feeds/open.ics", user="").status == 503
    monkeypatch.undo()
    assert summaries(client("GET", "/feeds/open.ics", user="")) == {"alice"}


def test_a_stricter_definition_is_respected_when_composition_fails(
    installation: Installation, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client("GET", "/feeds/open.ics", user="").status == 200

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(version_cache, "compose_feed", fails)
    busy = FEEDS.replace('access = "public"', 'access = "public"\nbusy = true')
    installation.feeds_file.write_text(busy)
    answer = client("GET", "/feeds/open.ics", user="")
    assert answer.status == 503
    assert answer.headers["Retry-After"]


def test_only_public_feeds_are_served_while_the_user_file_is_unreadable(
    installation: Installation, client: Client, secret: str
) -> None:
    good = client("GET", "/feeds/open.ics", user="")
    assert client("GET", secret, user="").status == 200
    moved = installation.htpasswd.rename(installation.folder / "elsewhere")
    assert client("GET", "/feeds/open.ics", user="").body == good.body
    assert client("GET", secret, user="").status == 503
    assert client("GET", "/feeds/alice.ics").status == 503
    moved.rename(installation.htpasswd)
    assert client("GET", secret, user="").status == 200


def test_the_last_good_version_is_served_while_the_database_is_away(
    client: Client, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = client("GET", "/feeds/open.ics", user="")

    def gone(*_: object) -> None:
        raise StoreGoneError("the database", "away")

    monkeypatch.setattr("kalends.store.feed_queries.FeedSource.snapshot", gone)
    monkeypatch.setattr("kalends.store.external_accounts.ExternalAccounts.names", gone)
    monkeypatch.setattr("kalends.store.feed_secrets.SecretBook.find_holder", gone)
    assert client("GET", "/feeds/open.ics", user="").body == good.body
    assert client("GET", secret, user="").status == 503


def test_full_addresses_are_printed_if_the_public_url_is_known(
    installation: Installation, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    installation.write(kalends__public_url="https://dav.example.org/dav/")
    capsys.readouterr()
    assert run(installation, "feed", "url", "open") == 0
    assert capsys.readouterr().out.splitlines() == [
        "https://dav.example.org/dav/feeds/open.ics",
        "webcal://dav.example.org/dav/feeds/open.ics",
    ]
    assert run(installation, "feed", "url", "family", "--user", "bob") == 0
    whole, webcal = capsys.readouterr().out.splitlines()
    assert whole.startswith("https://dav.example.org/dav/feeds/s/")
    assert webcal == whole.replace("https://", "webcal://")


def test_the_list_shows_where_each_feed_is_published_without_secrets(
    installation: Installation, client: Client, secret: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(installation, "feed", "refresh") == 0
    capsys.readouterr()
    assert run(installation, "feed", "list") == 0
    told = capsys.readouterr().out
    assert "open: open, 4 calendars, for everybody" in told
    assert "    public/open.ics: up to date" in told
    assert "    s/…/family.ics of alice: up to date" in told
    assert "staff: staff, 3 calendars, for @family, carol" in told
    assert secret.split("/")[3] not in told
    client("PUT", "/bob/calendar/y.ics", event("y"), user="bob")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["url"], "name a FEED"),
        (["url", "nothing"], "there is no feed 'nothing'"),
        (["url", "family"], "add --user"),
        (["rotate", "family"], "needs FEED and --user"),
        (["url", "alice", "--user", "bob"], "may not see"),
        (["url", "family", "--user", "nobody"], "may not see"),
    ],
)
def test_an_impossible_command_is_refused_in_one_line(
    installation: Installation, words: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(installation, "feed", *words) == 1
    told = capsys.readouterr().err
    assert why in told
    assert told.count("\n") == 1
