"""PUT: accepted objects, their stored form, and refusals (RFC 4791 section 5.3.2)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.installation import NAMES, Client, Installation, event

C = f"{{{NAMES['C']}}}"
CR = f"{{{NAMES['CR']}}}"
CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Carol\r\nEND:VCARD\r\n"
TASK = event("t").replace(b"VEVENT", b"VTODO")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Installation(
        tmp_path, options={"server__max_content_length": "200000"}
    ).client() as client:
        yield client


def test_an_object_is_returned_as_it_was_sent(client: Client) -> None:
    odd = event("odd", "20260105T090000Z", "x-Mixed;P=a;p=b:one,two, three\\; four", "X-EMPTY:")
    odd = odd.replace(b"SUMMARY:Meeting\r\n", b"SUMMARY:Mee\r\n ting\r\n\tagain\r\n")
    first = client("PUT", "/alice/calendar/odd.ics", odd)
    assert first.status == 201
    again = client("GET", "/alice/calendar/odd.ics")
    assert again.body == odd
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Content-Type"] == "text/calendar; charset=utf-8"


def test_a_byte_order_mark_is_dropped(client: Client) -> None:
    answer = client("PUT", "/alice/calendar/a.ics", b"\xef\xbb\xbf" + event("a"))
    assert (answer.status, answer.headers.get("ETag")) == (201, None)
    assert client("GET", "/alice/calendar/a.ics").body == event("a")


@pytest.mark.parametrize(
    ("path", "body"),
    [("/alice/calendar/a.ics", event("a")), ("/alice/contacts/c.vcf", CARD)],
    ids=["event", "card"],
)
@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"Caf\xc3\r\n \xa9!", b"Caf\r\n \xc3\xa9!"),
        (b"\xe2\x82\n\t\xac \xf0\r\n \x9f\x92\x96", b"\n\t\xe2\x82\xac \r\n \xf0\x9f\x92\x96"),
    ],
)
def test_a_character_split_by_folding_is_repaired_and_no_etag_is_sent(
    client: Client, path: str, body: bytes, sent: bytes, kept: bytes
) -> None:
    answer = client("PUT", path, body.replace(b"Meeting", sent).replace(b"Carol", sent))
    assert (answer.status, answer.headers.get("ETag")) == (201, None)
    stored = client("GET", path)
    assert stored.body == body.replace(b"Meeting", kept).replace(b"Carol", kept)
    again = client("PUT", path, stored.body)
    assert (again.status, again.headers["ETag"]) == (204, stored.headers["ETag"])


def test_creating_is_201_and_overwriting_is_204(client: Client) -> None:
    assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
    over = client("PUT", "/alice/calendar/a.ics", event("a", summary="Other"))
    assert over.status == 204
    assert over.body == b""
    assert client("GET", "/alice/calendar/a.ics").headers["ETag"] == over.headers["ETag"]


@pytest.mark.parametrize(
    ("body", "precondition"),
    [
        (
            event("a").replace(b"VERSION:2.0", b"VERSION:2.0\r\nMETHOD:PUBLISH"),
            "valid-calendar-obj",
        ),
        (event("a", summary="bell\x07"), "valid-calendar-data"),
        (event("a").replace(b"Meeting", b"Tr\xe4ume"), "valid-calendar-data"),
        (b"", "valid-calendar-data"),
        (b"no calendar at all", "valid-calendar-data"),
        (event("a").replace(b"UID:a\r\n", b""), "valid-calendar-obj"),
        (TASK, "supported-calendar-component"),
        (event("a", "20260105T090000Z", "RRULE:FREQ=SECONDLY"), "max-instances"),
        (
            event("a", "20260105T090000Z", "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"),
            "",
        ),
        (event("a", "when it suits"), "valid-calendar-data"),
    ],
    ids=[
        "method",
        "control-character",
        "not-utf-8",
        "empty",
        "text",
        "no-uid",
        "task-in-event-calendar",
        "every-second",
        "never-matches",
        "no-time",
    ],
)
def test_an_invalid_object_is_refused_with_its_precondition(
    client: Client, body: bytes, precondition: str
) -> None:
    answer = client("PUT", "/alice/calendar/a.ics", body)
    assert answer.status == 403
    assert answer.xml().tag == "{DAV:}error"
    assert answer.precondition().startswith(f"{C}{precondition}")
    assert answer.why()
    assert client("GET", "/alice/calendar/a.ics").status == 404


def test_a_media_type_that_is_not_kept_is_refused(client: Client) -> None:
    """RFC 4791 section 5.3.2.1, RFC 6352 section 6.3.2.1."""
    for path, body, known, precondition in (
        ("/alice/calendar/m.ics", event("m"), "text/calendar", f"{C}supported-calendar-data"),
        ("/alice/contacts/m.vcf", CARD, "text/vcard", f"{CR}supported-address-data"),
    ):
        for kind in ("text/plain", "application/json", "text/xml; charset=utf-8", "nonsense"):
            answer = client("PUT", path, body, headers={"Content-Type": kind})
            assert (answer.status, answer.precondition()) == (403, precondition)
            assert client("GET", path).status == 404
        for kind in (known, f"{known.upper()};charset=utf-8", "application/octet-stream"):
            answer = client("PUT", path, body, headers={"Content-Type": kind})
            assert answer.status in (201, 204)


@pytest.mark.parametrize(
    ("value", "status"),
    [
        (":20260601T090000Z", 201),
        (";X-A=b:20260601T090000Z", 201),
        (":20260601T090000", 403),
        (";TZID=Europe/Berlin:20260601T090000", 403),
        (";VALUE=DATE:20260601", 403),
        (":yes", 403),
        (":", 403),
    ],
)
def test_an_alarm_was_acknowledged_at_a_time_in_utc(
    client: Client, value: str, status: int
) -> None:
    """RFC 9074 section 6.1."""
    alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT5M", "DESCRIPTION:A")
    lines = (*alarm, f"ACKNOWLEDGED{value}", "END:VALARM")
    answer = client("PUT", "/alice/calendar/alarm.ics", event("alarm", "20260601T090000Z", *lines))
    assert answer.status == status
    if status == 403:
        assert answer.precondition() == f"{C}valid-calendar-data"


def test_cards_go_into_address_books_and_events_into_calendars(client: Client) -> None:
    assert client("PUT", "/alice/contacts/c.vcf", CARD).status == 201
    assert client("GET", "/alice/contacts/c.vcf").body == CARD
    refused = client("PUT", "/alice/contacts/a.ics", event("a"))
    assert (refused.status, refused.precondition()) == (403, f"{CR}valid-address-data")
    assert client("PUT", "/alice/calendar/c.vcf", CARD).status == 403
    assert client("PUT", "/alice/tasks/t.ics", TASK).status == 201


def test_a_uid_is_unique_in_a_calendar(client: Client) -> None:
    client("PUT", "/alice/calendar/a.ics", event("a"))
    for path, body in (("b.ics", event("a")), ("a.ics", event("other"))):
        answer = client("PUT", f"/alice/calendar/{path}", body)
        assert answer.status == 409
        assert answer.precondition() == f"{C}no-uid-conflict"
        assert answer.xml()[0].findtext("D:href", "", NAMES) == "/alice/calendar/a.ics"
    assert client("GET", "/alice/calendar/a.ics").body == event("a")


@pytest.mark.parametrize(
    ("headers", "there", "status"),
    [
        ({"If-None-Match": "*"}, False, 201),
        ({"If-None-Match": "*"}, True, 412),
        ({"If-Match": "*"}, False, 412),
        ({"If-Match": "*"}, True, 204),
        ({"If-Match": "nothing"}, True, 412),
        ({"If-Match": '"wrong"'}, True, 412),
        ({"If-Match": "ETAG"}, True, 204),
        ({"If-Match": '"wrong", ETAG'}, True, 204),
        ({"If-Match": "W/ETAG"}, True, 412),
        ({"If-None-Match": "ETAG"}, True, 412),
        ({"If-None-Match": "W/ETAG"}, True, 412),
        ({"If-None-Match": '"wrong"'}, True, 204),
    ],
    ids=str,
)
def test_if_match_and_if_none_match_are_checked(
    client: Client, headers: dict[str, str], there: bool, status: int
) -> None:
    etag = client("PUT", "/alice/calendar/a.ics", event("a")).headers["ETag"] if there else ""
    sent = {name: value.replace("ETAG", etag) for name, value in headers.items()}
    answer = client("PUT", "/alice/calendar/a.ics", event("a", summary="New"), headers=sent)
    assert answer.status == status


def test_strict_preconditions_require_if_match(tmp_path: Path) -> None:
    options = {"storage__strict_preconditions": "True"}
    with Installation(tmp_path, options=options).client() as client:
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 201
        assert client("PUT", "/alice/calendar/a.ics", event("a")).status == 412


def test_a_chunked_body_is_read(client: Client) -> None:
    chunked = {
        "wsgi.input": io.BytesIO(event("a")),
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }
    assert client("PUT", "/alice/calendar/a.ics", environ=chunked).status == 201
    assert client("GET", "/alice/calendar/a.ics").body == event("a")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_413(client: Client, chunked: bool) -> None:
    large = event("a", summary="x" * 200_001)
    if chunked:
        given = {"wsgi.input": io.BytesIO(large), "HTTP_TRANSFER_ENCODING": "chunked"}
        answer = client("PUT", "/alice/calendar/a.ics", environ=given)
    else:
        answer = client("PUT", "/alice/calendar/a.ics", large)
    assert answer.status == 413


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": "1000"}, 400),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, 415),
        ({"HTTP_CONTENT_RANGE": "bytes 0-10/100"}, 400),
    ],
    ids=["ended-early", "negative-length", "compressed", "a-part"],
)
def test_an_unacceptable_body_is_refused(
    client: Client, environ: dict[str, object], status: int
) -> None:
    answer = client("PUT", "/alice/calendar/a.ics", event("a"), environ=environ)
    assert answer.status == status
    assert client("GET", "/alice/calendar/a.ics").status == 404


def test_a_put_into_another_users_home_is_refused(client: Client) -> None:
    client("PROPFIND", "/bob/", user="bob")
    assert client("PUT", "/bob/calendar/a.ics", event("a")).status == 403
    assert client("PUT", "/bob/new.ics", event("a")).status == 403
    assert client("PUT", "/", b"", headers={"If-Match": "nothing"}).status == 403
    assert client("PUT", "/alice/calendar/a.ics", event("a"), user="").status == 401


def test_a_put_without_a_parent_collection_is_a_conflict(client: Client) -> None:
    assert client("PUT", "/alice/nothing/a.ics", event("a")).status == 409


def test_a_put_needs_the_collection_above(client: Client) -> None:
    assert client("PUT", "/alice/no/such/a.ics", event("a")).status == 409


EXPORT = event("one").replace(b"END:VCALENDAR\r\n", event("two").split(b"EN\r\n", 1)[1])
NAMED = EXPORT.replace(b"VERSION:2.0", b"VERSION:2.0\r\nX-WR-CALNAME:Home")


def test_a_put_of_a_whole_calendar_creates_it(client: Client) -> None:
    assert client("PUT", "/alice/Home.ics", NAMED).status == 201
    found = client.props("/alice/Home.ics/", "D:displayname", "D:resourcetype", depth="1")
    assert found["/alice/Home.ics/"]["{DAV:}displayname"] == "Home"
    assert len(found) == 3


def test_an_existing_calendar_is_not_replaced(client: Client) -> None:
    client("PUT", "/alice/calendar/a.ics", event("a"))
    for path in ("/alice/calendar", "/alice/calendar/"):
        assert client("PUT", path, EXPORT).status == 403
    assert client("GET", "/alice/calendar/a.ics").status == 200


def test_a_calendar_marked_as_published_is_replaced(client: Client) -> None:
    client("PUT", "/alice/Home.ics", NAMED)
    marked = client(
        "PROPPATCH",
        "/alice/Home.ics/",
        '<propertyupdate xmlns="DAV:"><set><prop><published xmlns="urn:x-kalends">yes</published>'
        "</prop></set></propertyupdate>",
    )
    assert marked.status == 207
    before = client.props("/alice/Home.ics/", "D:getetag", depth="1")
    other = EXPORT.replace(b"UID:two", b"UID:three")
    # As iCal 2.0 publishes: the whole file, no If-Match, text/calendar.
    assert (
        client("PUT", "/alice/Home.ics", other, headers={"Content-Type": "text/calendar"}).status
        == 204
    )
    after = client.props("/alice/Home.ics/", "D:getetag", depth="1")
    kept = set(before) & set(after)
    assert len(before) == len(after) == 3
    assert len(kept) == 2
    broken = other.replace(b"DTSTART:20260105T090000Z", b"DTSTART:never")
    assert client("PUT", "/alice/Home.ics", broken).status == 403
    assert client.props("/alice/Home.ics/", "D:getetag", depth="1") == after


@pytest.mark.parametrize(
    ("body", "precondition"),
    [(TASK, "supported-calendar-component"), (CARD, "supported-calendar-data")],
    ids=["task", "card"],
)
def test_a_published_calendar_accepts_only_its_own_components(
    client: Client, body: bytes, precondition: str
) -> None:
    client("PUT", "/alice/calendar/a.ics", event("a"))
    mark = '<published xmlns="urn:x-kalends">yes</published>'
    patch = f'<propertyupdate xmlns="DAV:"><set><prop>{mark}</prop></set></propertyupdate>'
    assert client("PROPPATCH", "/alice/calendar/", patch).status == 207
    refused = client("PUT", "/alice/calendar/", body)
    assert (refused.status, refused.precondition()) == (403, f"{C}{precondition}")
    assert client("GET", "/alice/calendar/a.ics").body == event("a")


def test_a_put_of_a_whole_address_book_creates_it(client: Client) -> None:
    two = CARD + CARD.replace(b"UID:c", b"UID:d")
    assert client("PUT", "/alice/friends", two).status == 201
    assert len(client.props("/alice/friends/", "D:getetag", depth="1")) == 3


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_a_random_body_is_stored_or_refused(client: Client, body: bytes) -> None:
    wrapped = event("a").replace(b"SUMMARY:Meeting", b"SUMMARY:" + body)
    for sent in (body, wrapped):
        assert client("PUT", "/alice/calendar/a.ics", sent).status in (201, 204, 403)
    assert client("PUT", "/alice/contacts/a.vcf", body).status == 403
    assert client("PUT", "/alice/whole", body).status == 403
