"""Each limit of objects and cards: the most that it allows is stored, and one more refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from kalends.ical import limits
from support import nasty
from support.installation import NAMES, Answer, Client, Installation
from support.samples import card

START = "DTSTART:20260601T100000Z"
ZONED = "DTSTART;TZID=Z:20260601T100000"
DAILY = "RRULE:FREQ=DAILY"
ALARM = "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:PT0S\r\nEND:VALARM"
# The lines of an object with one event that starts at START; the end after the last one counts.
FRAME = 3 + 4 + 1 + 1
FILLER = [f"X-FILL:{'x' * 70}"] * 120
"""More octets than an object has that is too small to be counted."""


class Limited(NamedTuple):
    """A limit of objects.

    Attributes:
        most: how many there may be.
        of: returns an object with so many.
        precondition: what one more fails.
        status: its status.
    """

    most: int
    of: Callable[[int], bytes]
    precondition: str = "valid-calendar-data"
    status: int = 403


def one(*lines: str) -> bytes:
    return nasty.calendar(nasty.event(*lines))


def nested(depth: int) -> str:
    return "\r\n".join(["BEGIN:X-A"] * depth + ["END:X-A"] * depth)


def moved(number: int, params: str = "") -> bytes:
    overrides = (nasty.event(f"RECURRENCE-ID{params}:{day}", START) for day in nasty.days(number))
    return nasty.calendar(nasty.event(START, DAILY), *overrides)


def dates(name: str) -> Callable[[int], bytes]:
    return lambda number: one(START, DAILY, f"{name}:{','.join(nasty.days(number))}")


def zones(number: int) -> bytes:
    names = [f"Z{n}" for n in range(number)]
    return nasty.calendar(
        *(nasty.zone(nasty.observance(), tzid=name) for name in names), nasty.event(START)
    )


def zone_dates(number: int) -> bytes:
    listed = ",".join(text[:-1] for text in nasty.days(number))
    return nasty.in_zone(nasty.zone(nasty.observance(f"RDATE:{listed}")))


def tzids(number: int) -> list[str]:
    return [f"RDATE;TZID=Z{n}:20270101T000000" for n in range(number)]


LIMITS = {
    "lines": Limited(
        limits.MAX_LINES, lambda n: one(START, *["X:"] * (n - FRAME)), "max-resource-size", 413
    ),
    "physical lines": Limited(
        limits.MAX_PHYSICAL_LINES,
        lambda n: one(START, "X:" + "\r\n " * (n - FRAME - 1)),
        *("max-resource-size", 413),
    ),
    "components": Limited(
        limits.MAX_COMPONENTS,
        lambda n: one(START, *["BEGIN:X-A\r\nEND:X-A"] * (n - 2)),
        *("max-resource-size", 413),
    ),
    "depth": Limited(limits.MAX_DEPTH, lambda n: one(START, nested(n - 2))),
    "values": Limited(
        limits.MAX_PARAM_VALUES,
        lambda n: one(START, f"X-A;B={',' * (n - 1)}:x"),
        *("max-resource-size", 413),
    ),
    "parameters": Limited(
        limits.MAX_PARAM_VALUES,
        lambda n: one(START, f"X-A{';B=' * n}:x"),
        *("max-resource-size", 413),
    ),
    "characters of a UID": Limited(
        limits.MAX_UID, lambda n: one(START).replace(b"nasty", b"u" * n)
    ),
    "overrides": Limited(limits.MAX_OVERRIDES, moved, "max-instances"),
    "overrides of all that follow": Limited(
        limits.MAX_RANGE_OVERRIDES, lambda n: moved(n, ";RANGE=THISANDFUTURE"), "max-instances"
    ),
    "RDATE": Limited(limits.MAX_DATES, dates("RDATE"), "max-instances"),
    "EXDATE": Limited(limits.MAX_DATES, dates("EXDATE"), "max-instances"),
    "rules": Limited(limits.MAX_RULES, lambda n: one(START, *[DAILY] * n), "max-instances"),
    "alarms": Limited(limits.MAX_ALARMS, lambda n: one(START, *[ALARM] * n)),
    "attendees": Limited(
        limits.MAX_ATTENDEES,
        lambda n: one(START, *["ATTENDEE:mailto:a@example.org"] * n),
        "max-attendees-per-instance",
    ),
    "zones": Limited(limits.MAX_VTIMEZONES, zones),
    "names of zones": Limited(limits.MAX_TZIDS, lambda n: one(START, *FILLER, *tzids(n))),
    "names of zones in a small object": Limited(limits.MAX_TZIDS, lambda n: one(START, *tzids(n))),
    "observances": Limited(
        limits.MAX_ONSETS, lambda n: nasty.in_zone(nasty.zone(*[nasty.observance()] * n))
    ),
    "dates of a zone": Limited(limits.MAX_ONSETS, zone_dates),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("limits"), feeds="").client() as client:
        client("PROPFIND", "/alice/")
        yield client


def put(client: Client, data: bytes) -> Answer:
    return client("PUT", "/alice/calendar/limited.ics", data)


@pytest.mark.parametrize("name", LIMITS)
def test_the_most_is_stored_and_one_more_refused(client: Client, name: str) -> None:
    limit = LIMITS[name]
    client("DELETE", "/alice/calendar/limited.ics")
    assert put(client, limit.of(limit.most)).status == 201
    refused = put(client, limit.of(limit.most + 1))
    assert refused.status == limit.status
    assert refused.precondition() == f"{{{NAMES['C']}}}{limit.precondition}"
    why = refused.xml().findtext(".//{urn:x-kalends}why") or ""
    assert str(limit.most) in why


def test_the_longest_uid_of_a_card_is_stored_and_a_longer_one_refused(client: Client) -> None:
    path = "/alice/contacts/limited.vcf"
    assert client("PUT", path, card("u" * limits.MAX_UID, "Ann")).status == 201
    refused = client("PUT", path, card("u" * (limits.MAX_UID + 1), "Ann"))
    assert refused.status == 403
    assert refused.precondition() == f"{{{NAMES['CR']}}}valid-address-data"
    assert str(limits.MAX_UID) in (refused.xml().findtext(".//{urn:x-kalends}why") or "")
