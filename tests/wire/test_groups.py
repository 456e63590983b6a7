"""Calendars that the members of a group share, in their homes and in feeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installation import Client, Installation, event

FEEDS = """
[feed.family]
calendars = ["GROUPS/family/*"]
access = ["@FAMILY"]

[feed.shared]
calendars = ["GROUPS/Family/*", "GROUPS/nobody/*"]
access = "login"

[feed.members]
calendars = ["@family/*"]
access = "login"
"""
USERS = {"alice": "wonderland", "bob": "builder", "eve": "apple"}
SHARED = "/GROUPS/family/family/"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    made = Installation(
        tmp_path,
        USERS,
        FEEDS,
        {"auth__htgroup_filename": str(tmp_path / "groups"), "logging__level": "warning"},
    )
    (tmp_path / "groups").write_text("family: alice bob\nchess: eve\n")
    return made


@pytest.fixture
def alice(installation: Installation) -> Iterator[Client]:
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        yield client


def test_members_read_and_write_their_groups_calendar(alice: Client) -> None:
    assert alice("PUT", f"{SHARED}a.ics", event("a")).status == 201
    assert alice("GET", f"{SHARED}a.ics", user="bob").body == event("a")
    assert alice("DELETE", f"{SHARED}a.ics", user="bob").status == 204
    assert alice("GET", f"{SHARED}a.ics").status == 404


def test_a_groups_calendar_is_closed_to_others(alice: Client) -> None:
    alice("PUT", f"{SHARED}a.ics", event("a"))
    for method, path in (
        ("GET", f"{SHARED}a.ics"),
        ("PUT", f"{SHARED}b.ics"),
        ("DELETE", SHARED),
        ("PROPFIND", SHARED),
        ("PROPFIND", "/GROUPS/family/"),
        ("PROPFIND", "/GROUPS/"),
        ("MKCALENDAR", "/GROUPS/family/mine/"),
        ("MKCALENDAR", "/GROUPS/nobody/mine/"),
    ):
        body = event("b") if method == "PUT" else b""
        assert alice(method, path, body, user="eve").status == 403, method + path


def test_a_groups_home_cannot_be_created_or_deleted(alice: Client) -> None:
    assert alice("DELETE", "/GROUPS/family/").status == 403
    assert alice("DELETE", "/GROUPS/").status == 403
    assert alice("MKCOL", "/GROUPS/other/").status == 403
    assert alice("PROPFIND", "/GROUPS/").status == 403


def test_only_homes_of_members_list_the_calendar(alice: Client) -> None:
    for user, shown in (("alice", True), ("bob", True), ("eve", False)):
        alice.user = user
        home = alice.props(f"/{user}/", "D:displayname", "D:owner", depth="1")
        assert (SHARED in home) is shown, user
        assert ("/GROUPS/chess/chess/" in home) is (user == "eve")
        if shown:
            assert home[SHARED]["{DAV:}displayname"] == "family"


def test_the_calendar_has_the_privilege_to_write(alice: Client) -> None:
    answer = alice(
        "PROPFIND",
        SHARED,
        '<propfind xmlns="DAV:"><prop><current-user-privilege-set/><owner/></prop></propfind>',
    )
    assert b"<write" in answer.body
    assert b"<owner><href>/GROUPS/family/</href></owner>" in answer.body


def test_a_home_lists_its_groups_at_depth_one_only(alice: Client) -> None:
    assert list(alice.props("/alice/", "D:displayname")) == ["/alice/"]
    assert SHARED not in alice.props("/alice/calendar/", "D:displayname", depth="1")


def test_members_create_and_delete_calendars(alice: Client) -> None:
    assert alice("MKCALENDAR", "/GROUPS/family/birthdays/").status == 201
    assert alice("PUT", "/GROUPS/family/birthdays/a.ics", event("a"), user="bob").status == 201
    assert alice("DELETE", "/GROUPS/family/birthdays/", user="bob").status == 204
    assert "/GROUPS/family/birthdays/" not in alice.props("/alice/", "D:displayname", depth="1")


def test_a_deleted_calendar_is_not_created_again(installation: Installation) -> None:
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        assert client("DELETE", SHARED).status == 204
    with installation.client() as client:
        assert SHARED not in client.props("/alice/", "D:displayname", depth="1")


@pytest.mark.parametrize(
    ("source", "target"),
    [("/alice/calendar/", SHARED), (SHARED, "/alice/calendar/"), (SHARED, "/GROUPS/family/two/")],
)
def test_events_move_to_and_from_a_group(alice: Client, source: str, target: str) -> None:
    alice("MKCALENDAR", "/GROUPS/family/two/")
    assert alice("PUT", f"{source}a.ics", event("a")).status == 201
    moved = alice(
        "MOVE", f"{source}a.ics", headers={"Destination": f"{target}a.ics", "Host": "127.0.0.1"}
    )
    assert moved.status == 201
    assert alice("GET", f"{target}a.ics").body == event("a")
    assert alice("GET", f"{source}a.ics").status == 404


def test_events_cannot_be_moved_into_a_group_of_others(alice: Client) -> None:
    alice("PROPFIND", "/eve/", user="eve")
    alice("PUT", "/eve/calendar/a.ics", event("a"), user="eve")
    to = {"Destination": f"{SHARED}a.ics", "Host": "127.0.0.1"}
    assert alice("MOVE", "/eve/calendar/a.ics", headers=to, user="eve").status == 403


def test_a_member_syncs_the_calendar(alice: Client) -> None:
    body = (
        '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><prop><getetag/></prop>'
        "</sync-collection>"
    )
    first = alice("REPORT", SHARED, body.format(""), user="bob")
    token = first.xml().findtext("{DAV:}sync-token") or ""
    alice("PUT", f"{SHARED}a.ics", event("a"))
    second = alice("REPORT", SHARED, body.format(token), user="bob")
    assert second.hrefs() == [f"{SHARED}a.ics"]


def test_a_removed_member_loses_access_at_once(installation: Installation, alice: Client) -> None:
    alice("PUT", f"{SHARED}a.ics", event("a"))
    (installation.folder / "groups").write_text("family: bob\n")
    assert alice("GET", f"{SHARED}a.ics").status == 403
    assert SHARED not in alice.props("/alice/", "D:displayname", depth="1")
    assert alice("GET", f"{SHARED}a.ics", user="bob").status == 200


def test_without_the_group_file_homes_work_without_groups(
    installation: Installation, alice: Client
) -> None:
    alice("PUT", f"{SHARED}a.ics", event("a"))
    (installation.folder / "groups").unlink()
    assert alice("GET", f"{SHARED}a.ics").status == 403
    assert alice("PROPFIND", "/alice/").status == 207


def test_feeds_include_the_calendars_and_members_of_groups(
    installation: Installation, alice: Client
) -> None:
    alice("PUT", f"{SHARED}a.ics", event("shared", summary="Shared"))
    for user in ("alice", "bob", "eve"):
        alice("PROPFIND", f"/{user}/", user=user)
        alice("PUT", f"/{user}/calendar/a.ics", event(user, summary=f"Of {user}"), user=user)
    assert b"Shared" in alice("GET", "/feeds/family.ics").body
    assert alice("GET", "/feeds/family.ics", user="eve").status in (403, 404)
    everyone = alice("GET", "/feeds/members.ics", user="eve").body
    assert b"Of alice" in everyone
    assert b"Of bob" in everyone
    assert b"Of eve" not in everyone
    assert b"Shared" not in everyone

    assert b"Shared" in alice("GET", "/feeds/shared.ics", user="eve").body

    (installation.folder / "groups").write_text("chess: alice\n")
    assert alice("GET", "/feeds/family.ics").status in (403, 404)
    assert b"Shared" not in alice("GET", "/feeds/shared.ics", user="eve").body
    assert b"SUMMARY" not in alice("GET", "/feeds/members.ics", user="eve").body

    (installation.folder / "groups").write_text("family: eve\n")
    assert b"Shared" in alice("GET", "/feeds/family.ics", user="eve").body
    assert b"Of eve" in alice("GET", "/feeds/members.ics", user="eve").body


@pytest.mark.parametrize("name", ["..", ".hidden", "a/b"])
def test_a_group_whose_name_is_not_a_path_segment_has_no_home(
    installation: Installation, alice: Client, name: str
) -> None:
    (installation.folder / "groups").write_text(f"{name}: alice\nchess: alice\n")
    home = alice.props("/alice/", "D:displayname", depth="1")
    assert [path for path in home if path.startswith("/GROUPS/")] == ["/GROUPS/chess/chess/"]


def test_groups_may_have_blanks_and_other_letters_in_their_names(
    installation: Installation, alice: Client
) -> None:
    (installation.folder / "groups").write_text("my friends: alice\nFreunde-ö: alice\n")
    home = alice.props("/alice/", "D:displayname", depth="1")
    assert home["/GROUPS/my%20friends/my%20friends/"]["{DAV:}displayname"] == "my friends"
    assert home["/GROUPS/Freunde-%C3%B6/Freunde-%C3%B6/"]["{DAV:}displayname"] == "Freunde-ö"
    put = alice("PUT", "/GROUPS/my%20friends/my%20friends/a.ics", event("a"))
    assert put.status == 201


def test_the_first_collections_of_a_group_are_configurable(installation: Installation) -> None:
    installation.write(storage__group_collections="{}")
    with installation.client() as client:
        assert client("MKCALENDAR", "/GROUPS/family/own/").status == 201
        home = client.props("/alice/", "D:displayname", depth="1")
    assert [path for path in home if path.startswith("/GROUPS/")] == ["/GROUPS/family/own/"]


def test_names_of_groups_are_case_insensitive(installation: Installation, alice: Client) -> None:
    alice("PUT", f"{SHARED}a.ics", event("a"))
    assert alice("GET", "/GROUPS/FaMiLy/family/a.ics").body == event("a")
    (installation.folder / "groups").write_text("FAMILY: alice\nfamily: bob\n")
    for user in ("alice", "bob"):
        alice.user = user
        home = alice.props(f"/{user}/", "D:displayname", depth="1")
        assert [path for path in home if path.startswith("/GROUPS/")] == [SHARED]
        assert alice("GET", f"{SHARED}a.ics").status == 200
    assert alice("GET", "/GROUPS/FAMILY/calendar/a.ics", user="eve").status == 403


def test_the_root_lists_no_calendars(alice: Client) -> None:
    assert list(alice.props("/", "D:displayname", depth="1")) == ["/", "/alice/"]
