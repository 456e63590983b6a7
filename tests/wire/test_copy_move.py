"""COPY and MOVE of objects and collections (RFC 4918 sections 9.8 and 9.9)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.installation import EVERY_FEED, NAMES, Answer, Client, Installation, event

C, CR = f"{{{NAMES['C']}}}", f"{{{NAMES['CR']}}}"
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Carol\r\nEND:VCARD\r\n"
TASK = event("task").replace(b"VEVENT", b"VTODO")
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>'
    "<prop><getetag/></prop></sync-collection>"
)
EVENTS_ALONE = (
    '<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop>'
    "<displayname>Events</displayname><C:supported-calendar-component-set>"
    '<C:comp name="VEVENT"/></C:supported-calendar-component-set></prop></set></C:mkcalendar>'
)


@pytest.fixture(scope="module")
def shared_client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    installation = Installation(tmp_path_factory.mktemp("relocation"), feeds=EVERY_FEED)
    with installation.client() as client:
        client("PROPFIND", "/bob/", user="bob")
        yield client


@pytest.fixture
def client(shared_client: Client) -> Client:
    """Return the client: two calendars with an event, an address book, and a folder."""
    client = shared_client
    client("DELETE", "/alice/")
    client("PROPFIND", "/alice/")
    for path in ("/alice/one/", "/alice/two/"):
        assert client("MKCALENDAR", path).status == 201
        assert client("PUT", f"{path}a.ics", event("a")).status == 201
    assert client("PUT", "/alice/one/b.ics", event("b")).status == 201
    assert client("PUT", "/alice/contacts/c.vcf", CARD).status == 201
    assert client("MKCOL", "/alice/folder/").status == 201
    return client


def relocate(client: Client, method: str, path: str, to: str, **headers: str) -> Answer:
    return client(method, path, headers={"Destination": to, **headers})


def sync(client: Client, path: str, token: str = "") -> tuple[str, set[str]]:
    """Return the new sync-token, and the names that changed, with a minus if they are gone."""
    answer = client("REPORT", path, SYNC.format(token))
    assert answer.status == 207, answer
    names = set()
    for response in answer.xml().findall("D:response", NAMES):
        name = response.findtext("D:href", "", NAMES).rpartition("/")[2]
        gone = " 404 " in (response.findtext("D:status", "", NAMES))
        names.add(f"-{name}" if gone else name)
    return answer.xml().findtext("D:sync-token", "", NAMES), names


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_an_object_goes_to_another_calendar(client: Client, method: str) -> None:
    here, _ = sync(client, "/alice/one/")
    there, _ = sync(client, "/alice/two/")
    answer = relocate(client, method, "/alice/one/b.ics", "/alice/two/x.ics")
    assert (answer.status, answer.body) == (201, b"")
    assert client("GET", "/alice/two/x.ics").body == event("b")
    assert (client("GET", "/alice/one/b.ics").status == 200) is (method == "COPY")
    assert sync(client, "/alice/one/", here)[1] == ({"-b.ics"} if method == "MOVE" else set())
    assert sync(client, "/alice/two/", there)[1] == {"x.ics"}


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("overwrite", [None, "T", "t", "F"])
def test_overwrite_is_on_unless_it_is_said_to_be_off(
    client: Client, method: str, overwrite: str | None
) -> None:
    changed = event("a", summary="Other")
    assert client("PUT", "/alice/one/a.ics", changed).status == 204
    there, _ = sync(client, "/alice/two/")
    headers = {} if overwrite is None else {"Overwrite": overwrite}
    answer = relocate(client, method, "/alice/one/a.ics", "/alice/two/a.ics", **headers)
    if overwrite == "F":
        assert answer.status == 412
        assert client("GET", "/alice/two/a.ics").body == event("a")
        return
    assert answer.status == 204
    assert client("GET", "/alice/two/a.ics").body == changed
    assert sync(client, "/alice/two/", there)[1] >= {"a.ics"}


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("path", "to", "status", "element"),
    [
        ("/alice/one/a.ics", "/alice/one/a.ics", 403, None),
        ("/alice/one/a.ics", "/alice/one/", 403, None),
        ("/alice/one/", "/alice/one/", 403, None),
        ("/alice/one/", "/alice/one/in/", 403, None),
        ("/alice/folder/", "/alice/folder/in/it/", 403, None),
        ("/alice/one/a.ics", "/alice/none/a.ics", 409, None),
        ("/alice/folder/", "/alice/none/folder/", 409, None),
        ("/alice/one/a.ics", "/bob/calendar/a.ics", 403, "{DAV:}need-privileges"),
        ("/alice/one/", "/bob/one/", 403, "{DAV:}need-privileges"),
        ("/alice/one/", "/", 403, None),
        ("/alice/one/", "/feeds/", 403, "{DAV:}need-privileges"),
        ("/alice/one/a.ics", "/alice/a.ics", 403, None),
        ("/alice/one/a.ics", "/alice/folder/a.ics", 403, None),
        ("/alice/one/a.ics", "/alice/contacts/a.ics", 403, f"{CR}supported-address-data"),
        ("/alice/contacts/c.vcf", "/alice/one/c.vcf", 403, f"{C}supported-calendar-data"),
        ("/alice/one/", "/alice/two/in/", 403, f"{C}calendar-collection-location-ok"),
        ("/alice/one/", "/alice/folder/in/", 403, f"{C}calendar-collection-location-ok"),
        ("/alice/contacts/", "/alice/one/in/", 403, f"{CR}addressbook-collection-location-ok"),
        ("/alice/folder/", "/alice/one/in/", 403, None),
        ("/alice/one/b.ics", "/alice/two/a.ics", 409, f"{C}no-uid-conflict"),
        ("/alice/one/a.ics", "/alice/two/x.ics", 409, f"{C}no-uid-conflict"),
        ("/alice/none.ics", "/alice/two/x.ics", 404, None),
        ("/alice/one/none.ics", "/alice/two/x.ics", 404, None),
        ("/bob/calendar/", "/alice/stolen/", 403, "{DAV:}need-privileges"),
        ("/alice/", "/alice/one/in/", 405, None),
        ("/alice/one/a.ics", "", 400, None),
        ("/alice/one/a.ics", "two/x.ics", 400, None),
        ("/alice/one/a.ics", "//127.0.0.1/alice/two/x.ics", 400, None),
        ("/alice/one/a.ics", "/alice/two/x.ics?y", 400, None),
        ("/alice/one/a.ics", "/alice/two/x.ics#y", 400, None),
        ("/alice/one/a.ics", "/alice/two/../x.ics", 400, None),
        ("/alice/one/a.ics", "/alice/two/%2Fx.ics", 400, None),
        ("/alice/one/a.ics", "/alice/two/%00.ics", 400, None),
        ("/alice/one/a.ics", "http://[/alice/two/x.ics", 400, None),
        ("/alice/one/a.ics", "http://127.0.0.1:x/alice/two/x.ics", 400, None),
        ("/alice/one/a.ics", "http://elsewhere.example/alice/two/x.ics", 502, None),
        ("/alice/one/a.ics", "ftp://127.0.0.1/alice/two/x.ics", 502, None),
    ],
)
def test_a_relocation_that_cannot_be_is_refused(
    client: Client, method: str, path: str, to: str, status: int, element: str | None
) -> None:
    tokens = [sync(client, place)[0] for place in ("/alice/one/", "/alice/two/")]
    answer = relocate(client, method, path, to)
    assert answer.status == status
    if element is not None:
        assert answer.precondition() == element
    if status == 405:
        assert method not in answer.headers["Allow"].split(", ")
    for place, token in zip(("/alice/one/", "/alice/two/"), tokens, strict=True):
        assert sync(client, place, token)[1] == set()


def test_a_conflicting_uid_is_named(client: Client) -> None:
    for path, to in (("a.ics", "two/x.ics"), ("b.ics", "two/a.ics")):
        answer = relocate(client, "COPY", f"/alice/one/{path}", f"/alice/{to}")
        assert answer.xml()[0].findtext("D:href", "", NAMES) == "/alice/two/a.ics"
    within = relocate(client, "COPY", "/alice/one/a.ics", "/alice/one/x.ics")
    assert (within.status, within.precondition()) == (409, f"{C}no-uid-conflict")
    assert relocate(client, "MOVE", "/alice/one/a.ics", "/alice/one/x.ics").status == 201


def test_a_calendar_accepts_its_components_alone(client: Client) -> None:
    assert client("MKCALENDAR", "/alice/events/", EVENTS_ALONE).status == 201
    assert client("PUT", "/alice/one/task.ics", TASK).status == 201
    refused = relocate(client, "COPY", "/alice/one/task.ics", "/alice/events/task.ics")
    assert (refused.status, refused.precondition()) == (403, f"{C}supported-calendar-component")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("COPY", {"Depth": "infinity"}, 201),
        ("COPY", {"Depth": "0"}, 201),
        ("COPY", {"Depth": "1"}, 400),
        ("COPY", {"Depth": "2"}, 400),
        ("MOVE", {"Depth": "infinity"}, 201),
        ("MOVE", {"Depth": "0"}, 400),
        ("MOVE", {"Overwrite": "yes"}, 400),
    ],
)
def test_depth_and_overwrite_are_read(
    client: Client, method: str, headers: dict[str, str], status: int
) -> None:
    answer = relocate(client, method, "/alice/one/", "/alice/new/", **headers)
    assert answer.status == status
    found = client("GET", "/alice/new/a.ics").status
    assert found == (200 if status == 201 and headers["Depth"] != "0" else 404)
    assert (client("PROPFIND", "/alice/new/").status == 207) is (status == 201)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_calendar_goes_with_its_properties_and_objects(client: Client, method: str) -> None:
    assert client("MKCALENDAR", "/alice/events/", EVENTS_ALONE).status == 201
    weekly = event("weekly", "20260105T090000Z", "RRULE:FREQ=WEEKLY")
    assert client("PUT", "/alice/events/w.ics", weekly).status == 201
    old, _ = sync(client, "/alice/events/")
    assert relocate(client, method, "/alice/events/", "/alice/new/").status == 201
    assert client("GET", "/alice/new/w.ics").body == weekly
    told = client("PROPFIND", "/alice/new/").body
    assert b"<displayname>Events</displayname>" in told
    assert client("PUT", "/alice/new/t.ics", TASK).status == 403
    found = client(
        "REPORT",
        "/alice/new/",
        '<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/>'
        '</prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">'
        '<C:time-range start="20260119T000000Z" end="20260120T000000Z"/></C:comp-filter>'
        "</C:comp-filter></C:filter></C:calendar-query>",
    )
    assert found.hrefs() == ["/alice/new/w.ics"]
    token, names = sync(client, "/alice/new/")
    assert names == {"w.ics"}
    assert token != old
    assert client("DELETE", "/alice/new/w.ics").status == 204
    assert sync(client, "/alice/new/", token)[1] == {"-w.ics"}
    assert (client("GET", "/alice/events/w.ics").status == 200) is (method == "COPY")
    assert client("PROPFIND", "/alice/events/").status == (404 if method == "MOVE" else 207)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_calendar_replaces_another_with_all_in_it(client: Client, method: str) -> None:
    assert client("PUT", "/alice/two/only.ics", event("only")).status == 201
    token, _ = sync(client, "/alice/two/")
    refused = relocate(client, method, "/alice/one/", "/alice/two/", Overwrite="F")
    assert refused.status == 412
    assert relocate(client, method, "/alice/one/", "/alice/two/").status == 204
    assert sync(client, "/alice/two/")[1] == {"a.ics", "b.ics"}
    assert client("REPORT", "/alice/two/", SYNC.format(token)).status == 403


def test_a_home_tells_what_was_moved(client: Client) -> None:
    def paths(token: str = "") -> tuple[str, set[str]]:
        answer = client("REPORT", "/alice/", SYNC.format(token))
        gone = {
            response.findtext("D:href", "", NAMES): "-"
            for response in answer.xml().findall("D:response", NAMES)
            if response.findtext("D:status", "", NAMES)
        }
        names = {gone.get(href, "") + href.split("/")[2] for href in answer.hrefs()}
        return answer.xml().findtext("D:sync-token", "", NAMES), names

    token, _ = paths()
    assert relocate(client, "MOVE", "/alice/one/", "/alice/new/").status == 201
    token, names = paths(token)
    assert names == {"-one", "new"}
    assert not [name for name in paths()[1] if name.startswith("-")]
    assert relocate(client, "COPY", "/alice/two/", "/alice/one/").status == 201
    token, names = paths(token)
    assert names == {"one"}
    assert client("PUT", "/alice/new/more.ics", event("more")).status == 201
    assert relocate(client, "MOVE", "/alice/new/", "/alice/two/").status == 204
    token, names = paths(token)
    assert names >= {"-new", "two"}
    assert paths(token)[1] == set()


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_feeds_follow(client: Client, method: str) -> None:
    def uids() -> list[str]:
        feed = client("GET", "/feeds/alice.ics").body.decode()
        return sorted(re.findall(r"^UID:(\w+)", feed, re.MULTILINE))

    assert client("DELETE", "/alice/two/").status == 204
    assert uids() == ["a", "b"]
    assert relocate(client, method, "/alice/one/", "/alice/new/").status == 201
    assert uids() == ["a", "b"]
    assert client("DELETE", "/alice/new/a.ics").status == 204
    assert uids() == (["a", "b"] if method == "COPY" else ["b"])
    assert relocate(client, "MOVE", "/alice/new/b.ics", "/alice/calendar/b.ics").status == 201
    assert client("DELETE", "/alice/calendar/b.ics").status == 204
    assert uids() == (["a", "b"] if method == "COPY" else [])


def test_the_prefix_belongs_to_the_destination(client: Client) -> None:
    def ask(to: str) -> int:
        headers = {"Destination": to}
        environ = {"SCRIPT_NAME": "/dav"}
        return client("MOVE", "/alice/one/b.ics", headers=headers, environ=environ).status

    assert ask("/alice/two/b.ics") == 403
    assert ask("http://127.0.0.1/dav/alice/two/b.ics") == 201
    assert client("GET", "/alice/two/b.ics").status == 200


def test_a_full_home_takes_no_copy(tmp_path: Path) -> None:
    options = {"storage__max_collections": "10"}
    with Installation(tmp_path, options=options).client() as client:
        client("PROPFIND", "/alice/")
        names = (str(number) for number in range(100))
        last = next(n for n in names if client("MKCALENDAR", f"/alice/{n}/").status == 507)
        assert relocate(client, "COPY", "/alice/calendar/", f"/alice/{last}/").status == 507
        assert relocate(client, "COPY", "/alice/calendar/", "/alice/0/").status == 204
        assert relocate(client, "MOVE", "/alice/calendar/", f"/alice/{last}/").status == 201


# A model of a home's folders: a path for each folder, and octets for each file.
_NAMES = st.sampled_from("abc")
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_STEPS = st.one_of(
    st.tuples(st.just("MKCOL"), _PATHS, _PATHS, st.booleans()),
    st.tuples(st.just("PUT"), _PATHS, _PATHS, st.booleans()),
    st.tuples(st.just("DELETE"), _PATHS, _PATHS, st.booleans()),
    st.tuples(st.sampled_from(["COPY", "MOVE"]), _PATHS, _PATHS, st.booleans()),
)
Tree = dict[str, str | None]


def _below(tree: Tree, path: str) -> list[str]:
    return [one for one in tree if one == path or one.startswith(f"{path}/")]


def _expected(tree: Tree, step: tuple[str, str, str, bool]) -> tuple[int, Tree]:
    """Return the status of a step, and the tree after it."""
    method, path, to, overwrites = step
    now = dict(tree)
    if method in ("MKCOL", "PUT"):
        parent = path.rpartition("/")[0]
        if path in tree and (method == "MKCOL" or tree[path] is None):
            return 405, now
        if parent not in tree or tree[parent] is not None:
            return 409, now
        now[path] = path if method == "PUT" else None
        return (204 if path in tree else 201), now
    if path not in tree:
        return 404, now
    if method == "DELETE":
        return 204, {one: value for one, value in tree.items() if one not in _below(tree, path)}
    if f"{path}/".startswith(f"{to}/") or f"{to}/".startswith(f"{path}/"):
        return 403, now
    parent = to.rpartition("/")[0]
    if parent not in tree or tree[parent] is not None:
        return 409, now
    if to in tree and not overwrites:
        return 412, now
    gone = [*_below(tree, to), *(_below(tree, path) if method == "MOVE" else ())]
    made = {to + one[len(path) :]: tree[one] for one in _below(tree, path)}
    now = {one: value for one, value in tree.items() if one not in gone} | made
    return (204 if to in tree else 201), now


@settings(max_examples=30)
@given(steps=st.lists(_STEPS, max_size=25))
def test_folders_and_files_are_as_in_a_model(
    shared_client: Client, steps: list[tuple[str, str, str, bool]]
) -> None:
    client, base = shared_client, "/alice/model"
    client("PROPFIND", "/alice/")
    client("DELETE", f"{base}/")
    assert client("MKCOL", f"{base}/").status == 201
    tree: Tree = {"": None}
    for step in steps:
        method, path, to, overwrites = step
        inner = {one.removeprefix("/"): value for one, value in tree.items()}
        status, inner = _expected(inner, step)
        headers = {"Destination": f"{base}/{to}", "Overwrite": "FT"[overwrites]}
        body = path if method == "PUT" else ""
        assert client(method, f"{base}/{path}", body, headers=headers).status == status, step
        tree = inner
    found: Tree = {}
    for href in _walk(client, f"{base}/"):
        name = href.removeprefix(f"{base}/").rstrip("/")
        found[name] = None if href.endswith("/") else client("GET", href).body.decode()
    assert found == tree


def _walk(client: Client, href: str) -> Iterator[str]:
    yield href
    for member in client("PROPFIND", href, headers={"Depth": "1"}).hrefs()[1:]:
        if member.endswith("/"):
            yield from _walk(client, member)
        else:
            yield member


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("path", "to"),
    [("/alice/one/a.ics", "/alice/two/b%20%C3%BC.ics"), ("/alice/one/", "/alice/n%25/")],
)
def test_the_answer_names_what_was_made(client: Client, method: str, path: str, to: str) -> None:
    """RFC 9110 section 15.3.2."""
    client("DELETE", "/alice/two/a.ics")
    made = relocate(client, method, path, to)
    assert [made.status, made.headers["Location"]] == [201, to]
    assert client("PROPFIND", to).status == 207
    if method == "COPY":
        again = relocate(client, method, path, to)
        assert again.status == 204
        assert "Location" not in again.headers
