"""The `caldav` library as a client, and address books by plain requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from caldav.davclient import DAVClient
from caldav.elements.dav import DisplayName, GetEtag
from caldav.lib import error

from support.samples import card, event, todo
from support.server import KalendsServer

UTC = dt.UTC
# The library's objects are Any: it types each answer as "this or a coroutine of this".


@pytest.fixture
def client(shared_server: KalendsServer, account: str) -> Iterator[Any]:
    """Open the library's client, logged in to an account of its own."""
    with DAVClient(
        url=shared_server.url, username=account, password=shared_server.users[account]
    ) as client:
        yield client


@pytest.fixture
def calendar(client: Any) -> Any:
    """Return a calendar that the library created."""
    made: Any = client.principal().make_calendar(name="Work", cal_id="work")
    return made


def test_the_library_finds_principal_home_and_first_calendars(client: Any, account: str) -> None:
    principal = client.principal()
    assert str(principal.url).endswith(f"/{account}/")
    assert str(principal.calendar_home_set.url).endswith(f"/{account}/")
    paths = {str(found.url).rstrip("/").rsplit("/", 1)[1] for found in principal.calendars()}
    assert {"calendar", "tasks"} <= paths


def test_a_calendar_is_created_renamed_and_deleted(client: Any) -> None:
    principal = client.principal()
    made = principal.make_calendar(name="Trips", cal_id="trips")
    assert made.get_display_name() == "Trips"
    made.set_properties([DisplayName("Journeys")])
    assert principal.calendar(cal_id="trips").get_display_name() == "Journeys"
    made.delete()
    assert "trips" not in {str(c.url).rstrip("/").rsplit("/", 1)[1] for c in principal.calendars()}


def test_an_event_is_saved_loaded_and_overwritten(calendar: Any) -> None:
    saved = calendar.save_event(event("round-trip", "First"))
    loaded = calendar.event_by_uid("round-trip")
    assert "SUMMARY:First" in loaded.data
    etag = loaded.get_property(GetEtag())
    loaded.data = loaded.data.replace("First", "Second")
    loaded.save()
    again = calendar.event_by_uid("round-trip")
    assert "SUMMARY:Second" in again.data
    assert again.get_property(GetEtag()) != etag
    saved.delete()
    with pytest.raises(error.NotFoundError):
        calendar.event_by_uid("round-trip")


def test_an_overwrite_with_an_old_etag_is_refused(
    shared_server: KalendsServer, account: str, calendar: Any
) -> None:
    path = f"/{account}/work/guarded.ics"
    first = shared_server.request("PUT", path, user=account, body=event("guarded", "1"))
    old = {"If-Match": first.headers["ETag"]}
    second = shared_server.request(
        "PUT", path, user=account, body=event("guarded", "2"), headers=old
    )
    assert second.status == 204
    third = shared_server.request(
        "PUT", path, user=account, body=event("guarded", "3"), headers=old
    )
    assert third.status == 412
    assert "SUMMARY:2" in calendar.event_by_uid("guarded").data


def test_search_by_time_range_finds_recurrences(calendar: Any) -> None:
    calendar.save_event(event("may", "In May", "20260510T080000Z"))
    calendar.save_event(event("june", "In June", "20260610T080000Z"))
    calendar.save_event(event("weekly", "Weekly", "20260105T080000Z", "RRULE:FREQ=WEEKLY"))
    found = calendar.search(
        event=True,
        start=dt.datetime(2026, 5, 10, tzinfo=UTC),
        end=dt.datetime(2026, 5, 12, tzinfo=UTC),
    )
    assert {item.icalendar_component["UID"] for item in found} == {"may", "weekly"}
    expanded = calendar.search(
        event=True,
        expand=True,
        start=dt.datetime(2026, 5, 1, tzinfo=UTC),
        end=dt.datetime(2026, 5, 29, tzinfo=UTC),
    )
    starts = sorted(
        item.icalendar_component.start
        for item in expanded
        if item.icalendar_component["UID"] == "weekly"
    )
    assert starts == [dt.datetime(2026, 5, day, 8, tzinfo=UTC) for day in (4, 11, 18, 25)]


def test_tasks_are_kept_and_completed(client: Any) -> None:
    tasks = client.principal().make_calendar(
        name="To do", cal_id="todo", supported_calendar_component_set=["VTODO"]
    )
    tasks.save_todo(todo("shopping", "Shopping"))
    (task,) = tasks.todos()
    assert task.icalendar_component["SUMMARY"] == "Shopping"
    task.complete()
    assert tasks.todos() == []
    assert len(tasks.todos(include_completed=True)) == 1


def test_sync_tokens_report_changes_and_deletions(calendar: Any) -> None:
    kept = calendar.save_event(event("kept", "Kept"))
    going = calendar.save_event(event("going", "Going"))
    state = calendar.objects_by_sync_token(load_objects=True)
    assert len(list(state)) == 2
    calendar.save_event(event("new", "New"))
    kept.data = event("kept", "Changed")
    kept.save()
    going.delete()
    updated, deleted = state.sync()
    assert {item.icalendar_component["UID"] for item in updated} == {"new", "kept"}
    assert [str(item.url).rsplit("/", 1)[1] for item in deleted] == ["going.ics"]
    assert state.sync() == ([], [])


def test_an_event_moves_to_another_calendar(
    shared_server: KalendsServer, account: str, calendar: Any
) -> None:
    calendar.save_event(event("mover", "Mover"))
    moved = shared_server.request(
        "MOVE",
        f"/{account}/work/mover.ics",
        user=account,
        headers={"Destination": f"{shared_server.url}{account}/calendar/mover.ics"},
    )
    assert moved.status == 201
    with pytest.raises(error.NotFoundError):
        calendar.event_by_uid("mover")
    there = shared_server.request("GET", f"/{account}/calendar/mover.ics", user=account)
    assert there.status == 200
    feed = shared_server.request("GET", f"/feeds/{account}.ics", user=account).text
    assert feed.count("UID:mover") == 1


def test_an_address_book_keeps_cards(shared_server: KalendsServer, account: str) -> None:
    body = """<D:mkcol xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"><D:set><D:prop>
        <D:resourcetype><D:collection/><C:addressbook/></D:resourcetype>
        <D:displayname>Friends</D:displayname></D:prop></D:set></D:mkcol>"""
    book = f"/{account}/friends/"

    def ask(method: str, path: str, body: str, **headers: str) -> tuple[int, str]:
        answer = shared_server.request(method, path, user=account, body=body, headers=headers)
        return answer.status, answer.text

    assert ask("MKCOL", book, body)[0] == 201
    text = card("ada", "Ada Lovelace")
    assert ask("PUT", f"{book}ada.vcf", text)[0] == 201
    assert ask("GET", f"{book}ada.vcf", "") == (200, text)
    multiget = f"""<C:addressbook-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">
        <prop><getetag/><C:address-data/></prop><href>{book}ada.vcf</href>
        </C:addressbook-multiget>"""
    status, found = ask("REPORT", book, multiget, Depth="1")
    assert status == 207
    assert "FN:Ada Lovelace" in found
    query = """<C:addressbook-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav">
        <prop><C:address-data/></prop><C:filter><C:prop-filter name="FN">
        <C:text-match>Lovelace</C:text-match></C:prop-filter></C:filter></C:addressbook-query>"""
    status, found = ask("REPORT", book, query, Depth="1")
    assert status == 207
    assert "UID:ada" in found
    assert ask("PUT", f"{book}event.ics", event("misplaced"))[0] in (403, 409, 415)
    assert ask("DELETE", f"{book}ada.vcf", "")[0] in (200, 204)
    assert ask("GET", f"{book}ada.vcf", "")[0] == 404
