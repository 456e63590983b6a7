"""Addresses with characters beyond ASCII, and moves of objects."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from support.samples import event
from support.server import KalendsServer

NAMES = [
    "ü",
    "日本語",
    "é",
    "a b",
    "50%",
    "a+b",
    "a;b,c=d",
    "x@y",
    "%41",
    "'q'",
    "(1)",
    "🗓",
    "~",
    "what?",
    "#1",
]


@pytest.mark.parametrize("name", NAMES)
def test_an_event_is_read_moved_and_deleted_at_its_address(
    shared_server: KalendsServer, account: str, name: str
) -> None:
    path = f"/{account}/calendar/{quote(name)}.ics"
    assert shared_server.request("PUT", path, user=account, body=event("odd")).status == 201
    assert shared_server.request("GET", path, user=account).text == event("odd")
    listed = shared_server.request(
        "PROPFIND", f"/{account}/calendar/", user=account, headers={"Depth": "1"}
    )
    (href,) = re.findall(rf"<href>(/{account}/calendar/[^<]+)</href>", listed.text)
    assert shared_server.request("GET", href.replace("&amp;", "&"), user=account).status == 200
    target = f"/{account}/calendar/to-{quote(name)}.ics"
    moved = shared_server.request("MOVE", path, user=account, headers={"Destination": target})
    assert moved.status == 201
    assert shared_server.request("GET", target, user=account).status == 200
    assert shared_server.request("DELETE", target, user=account).status == 204


@pytest.mark.parametrize("user", ["ålice", "名", "ann smith", "a@b.example"])
def test_an_account_can_use_its_home(shared_server: KalendsServer, user: str) -> None:
    shared_server.add_user(user, "secret")
    home = f"/{quote(user)}/"
    asked = b'<propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>'
    found = shared_server.request("PROPFIND", "/", user=user, body=asked).text
    assert f"<current-user-principal><href>{home}</href>" in found
    assert shared_server.request("PROPFIND", home, user=user).status == 207
    path = f"{home}calendar/a.ics"
    assert shared_server.request("PUT", path, user=user, body=event("mine")).status == 201
    assert "mine" in shared_server.request("GET", f"/feeds/{quote(user)}.ics", user=user).text
    assert shared_server.request("PROPFIND", home, user="first").status == 403


def test_an_address_in_latin_1_equals_the_one_in_utf_8(
    shared_server: KalendsServer, account: str
) -> None:
    put = shared_server.request(
        "PUT", f"/{account}/calendar/%FC.ics", user=account, body=event("latin")
    )
    assert put.status == 201
    assert (
        shared_server.request("GET", f"/{account}/calendar/%C3%BC.ics", user=account).status == 200
    )


@pytest.mark.parametrize(
    ("destination", "status"),
    [
        ("/ME/calendar/a.ics", 403),
        ("/ME/tasks/a.ics", 403),
        ("/ME/contacts/a.ics", 403),
        ("/ME/nowhere/a.ics", 409),
        ("/ME/calendar/", 403),
        ("/first/calendar/a.ics", 403),
        ("http://elsewhere.example/ME/calendar/b.ics", 502),
        ("http://[/ME/calendar/b.ics", 400),
        ("http://x:y/ME/calendar/b.ics", 400),
        ("", 400),
    ],
)
def test_a_move_to_an_invalid_destination_is_refused(
    shared_server: KalendsServer, account: str, destination: str, status: int
) -> None:
    shared_server.request("PROPFIND", "/first/", user="first")
    path = f"/{account}/calendar/a.ics"
    assert shared_server.request("PUT", path, user=account, body=event("stays")).status == 201
    headers = {"Destination": destination.replace("/ME/", f"/{account}/"), "Overwrite": "T"}
    assert shared_server.request("MOVE", path, user=account, headers=headers).status == status
    assert shared_server.request("GET", path, user=account).text == event("stays")


def test_a_move_checks_if_match_and_uids(shared_server: KalendsServer, account: str) -> None:
    shared_server.request("MKCALENDAR", f"/{account}/two/", user=account)
    one, two = f"/{account}/calendar/a.ics", f"/{account}/two/b.ics"
    etag = shared_server.request("PUT", one, user=account, body=event("same")).headers["ETag"]
    shared_server.request("PUT", two, user=account, body=event("same"))

    def move(destination: str, **headers: str) -> int:
        given = {"Destination": destination, **headers}
        return shared_server.request("MOVE", one, user=account, headers=given).status

    assert move(f"/{account}/two/c.ics") == 409
    assert move(two, Overwrite="F") == 412
    assert move(two, Overwrite="T", **{"If-Match": '"other"'}) == 412
    assert move(two, **{"If-Match": etag}) == 204
    assert shared_server.request("GET", one, user=account).status == 404
