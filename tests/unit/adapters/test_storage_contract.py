"""The contract of a storage for Radicale's application, for Radicale's own storage and ours."""

from __future__ import annotations

import inspect
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from radicale import config, storage
from radicale.app import Application as RadicaleApplication
from radicale.app.base import Access
from radicale.auth import BaseAuth
from radicale.item import Item, read_components
from radicale.rights import BaseRights
from radicale.storage import BaseCollection, BaseStorage
from radicale.web import BaseWeb

from kalends.adapters.auth import Auth
from kalends.adapters.collection import Collection
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage
from kalends.dav.application import DavApplication

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n"
    "DTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDURATION:PT1H\r\nSUMMARY:{summary}\r\n"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)
CALENDAR = {"tag": "VCALENDAR", "D:displayname": "Work"}


@pytest.fixture(params=["radicale", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BaseStorage]:
    """Yield an empty storage of each kind."""
    if request.param == "radicale":
        stock = config.load()
        stock.update({"storage": {"filesystem_folder": str(tmp_path)}}, "test", privileged=True)
        yield storage.load(stock)
        return
    url = f"sqlite:///{tmp_path}/kalends.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").store()
    ours = config.load()
    ours.update({"storage": {"type": "kalends.storage", "database": url}}, "test")
    opened = storage.load(ours)
    assert isinstance(opened, Storage)
    yield opened
    opened.database.close()


def event(uid: str, start: str = "20260105T090000Z", summary: str = "Meeting") -> Item:
    text = EVENT.format(uid=uid, start=start, summary=summary)
    (parsed,) = read_components(text)
    item = Item(collection_path="alice/work", vobject_item=parsed)
    item.prepare()
    return item


def make(store: BaseStorage, path: str = "/alice/work/") -> BaseCollection:
    """Create a calendar, within a write transaction."""
    return store.create_collection(path, props=dict(CALENDAR))[0]


def at(store: BaseStorage, path: str, depth: str = "0") -> list[BaseCollection | Item]:
    return list(store.discover(path, depth))


def collection(store: BaseStorage, path: str = "/alice/work/") -> BaseCollection:
    found = at(store, path)[0]
    assert isinstance(found, BaseCollection)
    return found


def hrefs(store: BaseStorage, path: str = "/alice/work/") -> list[str]:
    return sorted(item.href or "" for item in collection(store, path).get_all())


def test_the_root_always_exists(store: BaseStorage) -> None:
    with store.acquire_lock("r"):
        root = collection(store, "/")
        assert root.path == ""
        assert not root.is_principal


def test_an_unused_path_is_empty(store: BaseStorage) -> None:
    with store.acquire_lock("r"):
        assert at(store, "/alice/") == []
        assert at(store, "/alice/work/x.ics") == []


def test_discover_at_depth_0_and_1(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        store.create_collection("/alice/")
        make(store).upload("a.ics", event("a"))
        make(store, "/alice/home/")
    with store.acquire_lock("r"):
        home = at(store, "/alice/", "1")
        assert isinstance(home[0], BaseCollection)
        assert home[0].is_principal
        assert sorted(c.path for c in home[1:] if isinstance(c, BaseCollection)) == [
            "alice/home",
            "alice/work",
        ]
        work = at(store, "/alice/work/", "1")
        assert [i.href for i in work[1:] if isinstance(i, Item)] == ["a.ics"]
        (item,) = at(store, "/alice/work/a.ics")
        assert isinstance(item, Item)
        assert item.uid == "a"
        assert item.collection is not None
        assert item.collection.path == "alice/work"


def test_an_uploaded_item_is_found_by_every_method(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        new, old = make(store).upload("a.ics", event("a"))
        assert old is None
        assert new.href == "a.ics"
    with store.acquire_lock("r"):
        found = collection(store)
        assert found.has_uid("a")
        assert not found.has_uid("b")
        multi = dict(found.get_multi(["a.ics", "b.ics", "a.ics"]))
        assert multi["b.ics"] is None
        assert multi["a.ics"] is not None
        assert multi["a.ics"].etag == new.etag
        assert multi["a.ics"].component_name == "VEVENT"
        assert "SUMMARY:Meeting" in multi["a.ics"].serialize()
        assert multi["a.ics"].last_modified
        assert found.last_modified.endswith("GMT")


def test_an_upload_over_an_item_returns_the_old_one(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        first, _ = make(store).upload("a.ics", event("a"))
    with store.acquire_lock("w"):
        second, old = collection(store).upload("a.ics", event("a", summary="Other"))
        assert old is not None
        assert old.etag == first.etag != second.etag
    with store.acquire_lock("r"):
        assert hrefs(store) == ["a.ics"]


@pytest.mark.parametrize(
    "href", ["a b.ics", "ä.ics", "a%41.ics", "a;b=c,d.ics", "a" * 200, "no-suffix", "'&<>\".ics"]
)
def test_every_href_is_stored(store: BaseStorage, href: str) -> None:
    with store.acquire_lock("w"):
        make(store).upload(href, event("a"))
    with store.acquire_lock("r"):
        assert hrefs(store) == [href]
        assert [i.href for i in at(store, f"/alice/work/{href}") if isinstance(i, Item)] == [href]


def test_delete_of_an_item_and_of_a_collection(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
        collection(store).upload("b.ics", event("b"))
    with store.acquire_lock("w"):
        collection(store).delete("a.ics")
    with store.acquire_lock("r"):
        assert hrefs(store) == ["b.ics"]
    with store.acquire_lock("w"):
        collection(store).delete()
    with store.acquire_lock("r"):
        assert at(store, "/alice/work/") == []
        assert at(store, "/alice/work/b.ics") == []


def test_move_within_and_between_collections(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
        make(store, "/alice/home/").upload("old.ics", event("old"))
    for target, name in (("/alice/work/", "b.ics"), ("/alice/home/", "old.ics")):
        with store.acquire_lock("w"):
            (name_now,) = hrefs(store)
            (item,) = at(store, f"/alice/work/{name_now}")
            assert isinstance(item, Item)
            store.move(item, collection(store, target), name)
    with store.acquire_lock("r"):
        assert hrefs(store) == []
        assert [i.uid for i in collection(store, "/alice/home/").get_all()] == ["a"]


def test_metadata_is_replaced_as_a_whole(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store)
    with store.acquire_lock("w"):
        collection(store).set_meta({"tag": "VCALENDAR", "ICAL:calendar-color": "#ff0000"})
    with store.acquire_lock("r"):
        found = collection(store)
        assert found.get_meta("ICAL:calendar-color") == "#ff0000"
        assert found.get_meta("D:displayname") is None
        assert dict(found.get_meta()) == {"tag": "VCALENDAR", "ICAL:calendar-color": "#ff0000"}
        assert found.tag == "VCALENDAR"


def test_create_collection_without_properties_keeps_an_existing_one(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
        store.create_collection("/alice/work/")
    with store.acquire_lock("r"):
        assert hrefs(store) == ["a.ics"]


def test_create_collection_replaces_the_whole_collection(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
    with store.acquire_lock("w"):
        store.create_collection("/alice/work/", [event("b"), event("c")], dict(CALENDAR))
    with store.acquire_lock("r"):
        assert sorted(i.uid for i in collection(store).get_all()) == ["b", "c"]


def test_create_collection_fails_as_a_whole(store: BaseStorage) -> None:
    def items() -> Iterator[Item]:
        yield event("b")
        raise ValueError("the rest could not be read")

    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
    with pytest.raises(ValueError, match="could not be read"), store.acquire_lock("w"):
        store.create_collection("/alice/work/", items(), dict(CALENDAR))
    with store.acquire_lock("r"):
        assert hrefs(store) == ["a.ics"]


def test_etag_follows_every_change(store: BaseStorage) -> None:
    seen = set()
    with store.acquire_lock("w"):
        make(store)
        seen.add(collection(store).etag)
        collection(store).upload("a.ics", event("a"))
        seen.add(collection(store).etag)
        collection(store).upload("a.ics", event("a", summary="Other"))
        seen.add(collection(store).etag)
        collection(store).set_meta(CALENDAR | {"D:displayname": "Play"})
        seen.add(collection(store).etag)
    with store.acquire_lock("r"):
        assert collection(store).etag in seen
    assert len(seen) == 4


def test_sync_returns_the_changes_since_a_token(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        work = make(store)
        for uid in "abcd":
            work.upload(f"{uid}.ics", event(uid))
    with store.acquire_lock("r"):
        first, names = collection(store).sync()
        assert sorted(names) == ["a.ics", "b.ics", "c.ics", "d.ics"]
        token, names = collection(store).sync(first)
        assert token == first
        assert list(names) == []
    with store.acquire_lock("w"):
        work = collection(store)
        work.upload("a.ics", event("a", summary="Other"))
        work.delete("b.ics")
        work.upload("e.ics", event("e"))
        (item,) = at(store, "/alice/work/c.ics")
        assert isinstance(item, Item)
        store.move(item, work, "c2.ics")
    with store.acquire_lock("r"):
        second, names = collection(store).sync(first)
        assert second != first
        assert sorted(names) == ["a.ics", "b.ics", "c.ics", "c2.ics", "e.ics"]


@pytest.mark.parametrize(
    "token", ["", "nonsense", "http://radicale.org/ns/sync/" + "0" * 64, "data:,kalends-1-x-1"]
)
def test_sync_refuses_a_token_of_another_kind(store: BaseStorage, token: str) -> None:
    with store.acquire_lock("w"):
        make(store)
    with store.acquire_lock("r"):
        if not token:
            assert collection(store).sync(token)[0]
            return
        with pytest.raises(ValueError):
            list(collection(store).sync(token)[1])


def test_sync_refuses_a_token_of_a_deleted_collection(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
    with store.acquire_lock("r"):
        old = collection(store).sync()[0]
    with store.acquire_lock("w"):
        collection(store).delete()
        make(store).upload("b.ics", event("b"))
    with store.acquire_lock("r"), pytest.raises(ValueError):
        list(collection(store).sync(old)[1])


def filters(component: str, start: str = "", end: str = "") -> list[ET.Element]:
    span = f'<C:time-range start="{start}" end="{end}"/>' if start else ""
    return [
        ET.fromstring(
            '<C:filter xmlns:C="urn:ietf:params:xml:ns:caldav"><C:comp-filter name="VCALENDAR">'
            f'<C:comp-filter name="{component}">{span}</C:comp-filter>'
            "</C:comp-filter></C:filter>"
        )
    ]


def test_get_filtered_finds_the_matching_items(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        work = make(store)
        work.upload("jan.ics", event("jan", "20260105T090000Z"))
        work.upload("feb.ics", event("feb", "20260205T090000Z"))
    with store.acquire_lock("r"):
        work = collection(store)
        january = filters("VEVENT", "20260101T000000Z", "20260201T000000Z")
        assert [i.href for i, _ in work.get_filtered(january)] == ["jan.ics"]
        assert {i.href for i, _ in work.get_filtered(filters("VEVENT"))} == {"jan.ics", "feb.ics"}
        assert list(work.get_filtered(filters("VTODO"))) == []


def test_verify_accepts_stored_items(store: BaseStorage) -> None:
    with store.acquire_lock("w"):
        make(store).upload("a.ics", event("a"))
    assert store.verify()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Storage, BaseStorage),
        (Collection, BaseCollection),
        (Auth, BaseAuth),
        (Rights, BaseRights),
    ],
    ids=lambda cls: cls.__module__,
)
def test_our_overrides_have_the_signatures_that_radicale_calls(ours: type, theirs: type) -> None:
    for name, method in vars(ours).items():
        base = getattr(theirs, name, None)
        if not callable(base) or name in ("__init__", "serialize"):
            continue
        expected = list(inspect.signature(base).parameters)
        found = list(inspect.signature(method).parameters)
        assert [p.strip("_") for p in found] == [p.strip("_") for p in expected], name


def test_the_handlers_that_we_override_have_the_expected_signature() -> None:
    expected = ["self", "environ", "base_prefix", "path", "user", "user_groups", "request_info"]
    for name in vars(DavApplication):
        if name.startswith("do_"):
            assert list(inspect.signature(getattr(RadicaleApplication, name)).parameters) == (
                expected
            ), name
    assert list(inspect.signature(Access.__init__).parameters)[1:5] == (
        ["rights", "user", "user_groups", "path"]
    )
    assert hasattr(BaseWeb, "get")
