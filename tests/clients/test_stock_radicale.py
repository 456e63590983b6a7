"""The plug-ins in a stock Radicale: `python -m radicale`, without Kalends around it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from support.installation import event
from support.process import ServerDiedError, ServerProcess
from support.server import Answer, Sections, Server, format_ini, htdigest_line

REALM = "calendars of the house"
PASSWORDS = {"alice": "wonderland", "bob": "builder", "dora": "digest"}
OBJECT = "/alice/calendar/e.ics"
# Radicale parses each object and serialises it again for the storage; this is its serialisation.
AS_RADICALE_WRITES = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//tests//EN\r\nBEGIN:VEVENT\r\nUID:{}\r\n"
    "DTSTART:20260105T090000Z\r\nDURATION:PT1H\r\nDTSTAMP:20260101T000000Z\r\n"
    "SUMMARY:Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class StockRadicale(Server):
    """Stock Radicale with the login, rights and storage of Kalends; alice and bob share a group."""

    def __init__(self, folder: Path, options: Sections | None = None) -> None:
        super().__init__(folder, {name: PASSWORDS[name] for name in ("alice", "bob")})
        self.users["dora"] = PASSWORDS["dora"]
        digests = folder / "users.htdigest"
        digests.write_text(
            htdigest_line("dora", REALM, PASSWORDS["dora"])
            + htdigest_line("emil", "another realm", "elsewhere")
        )
        groups = folder / "groups"
        groups.write_text("Family: alice bob\n")
        sections: Sections = {
            "server": {"hosts": f"127.0.0.1:{self.port}"},
            "auth": {
                "type": "kalends.auth",
                "htpasswd_filename": str(self.users_file),
                "htdigest_filename": str(digests),
                "basic_from_htdigest": "True",
                "realm": REALM,
                "htgroup_filename": str(groups),
                "delay": "0",
            },
            "rights": {"type": "kalends.rights"},
            "storage": {
                "type": "kalends.storage",
                "database": f"sqlite:///{folder}/kalends.db",
            },
        }
        for name, changed in (options or {}).items():
            sections.setdefault(name, {}).update(changed)
        self.config_file.write_text(format_ini(sections))
        self.process = ServerProcess(
            [sys.executable, "-m", "radicale", "--config", str(self.config_file)],
            ready="Radicale server ready",
            folder=folder,
            environment={"PYTHONUNBUFFERED": "1"},
        )
        self.start()

    def home(self, user: str, password: str, **headers: str) -> Answer:
        """Send a PROPFIND for the home of an account, logged in as it."""
        return self.request(
            "PROPFIND", f"/{user}/", user=user, password=password, headers={"Depth": "1", **headers}
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockRadicale]:
    with closing(StockRadicale(tmp_path_factory.mktemp("stock") / "server")) as running:
        yield running


@pytest.mark.parametrize(
    ("user", "password", "status"),
    [
        ("alice", "wonderland", 207),
        ("alice", "wrong", 401),
        ("alice", "", 401),
        ("nobody", "wonderland", 401),
        ("dora", "digest", 207),
        ("dora", "wrong", 401),
        ("emil", "elsewhere", 401),
    ],
)
def test_logins_are_checked_against_the_user_files(
    server: StockRadicale, user: str, password: str, status: int
) -> None:
    assert server.home(user, password).status == status


@pytest.mark.parametrize("name", ["Remote-User", "X-Remote-User", "REMOTE_USER", "Kalends.User"])
def test_no_header_logs_anybody_in(server: StockRadicale, name: str) -> None:
    answer = server.request("PROPFIND", "/alice/", headers={"Depth": "0", name: "alice"})
    assert answer.status == 401
    assert server.home("alice", "wrong", **{name: "alice"}).status == 401


def test_a_home_is_closed_to_other_accounts(server: StockRadicale) -> None:
    assert server.home("alice", "wonderland").status == 207
    for method in ("PROPFIND", "PUT", "DELETE"):
        answer = server.request(method, OBJECT, user="bob", body=event("bobs"))
        assert answer.status == 403, method


def test_an_object_is_unchanged_after_a_restart(server: StockRadicale) -> None:
    assert server.home("alice", "wonderland").status == 207
    made = server.request("MKCALENDAR", "/alice/calendar/", user="alice")
    assert made.status == 201, server.log
    sent = AS_RADICALE_WRITES.format("kept").encode()
    assert server.request("PUT", OBJECT, user="alice", body=sent).status == 201
    before = server.request("GET", OBJECT, user="alice")
    assert (before.status, before.body) == (200, sent)
    server.restart()
    after = server.request("GET", OBJECT, user="alice")
    assert (after.status, after.body) == (200, sent)
    assert after.headers["ETag"] == before.headers["ETag"]


def test_a_groups_calendar_is_shared_by_its_members(server: StockRadicale) -> None:
    path = "/GROUPS/Family/Family/"
    assert path in server.home("alice", "wonderland").text
    sent = AS_RADICALE_WRITES.format("shared").encode()
    assert server.request("PUT", f"{path}s.ics", user="alice", body=sent).status == 201
    assert server.request("GET", f"{path}s.ics", user="bob").body == sent
    assert server.request("GET", f"{path}s.ics", user="dora").status == 403


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("auth", "htgruop_filename", "/x"),
        ("auth", "directories", "ldap"),
        ("storage", "folder", ""),
    ],
)
def test_an_option_without_effect_is_refused(
    tmp_path: Path, section: str, option: str, value: str
) -> None:
    with pytest.raises(ServerDiedError, match=option):
        StockRadicale(tmp_path, {section: {option: value}})


def test_a_missing_store_option_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ServerDiedError, match=r"\[storage\] database"):
        StockRadicale(tmp_path, {"storage": {"database": ""}})
