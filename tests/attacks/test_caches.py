"""Memory that stays: no cache grows with the texts that clients send."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from support.installation import NAMES, Client, Installation, event

SPACES = " ".join(f'xmlns:{short}="{uri}"' for short, uri in NAMES.items())
ROUNDS = 8
MAY_STAY = 2_500_000
"""Octets: less than the texts of all rounds."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("caches")).client() as client:
        client("PROPFIND", "/alice/")
        yield client


def report(root: str, *content: str) -> str:
    return f"<{root} {SPACES}>{''.join(content)}</{root}>"


def zone(name: str, lines: int) -> str:
    return (
        f"BEGIN:VTIMEZONE\r\nTZID:{name}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
        "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\n"
        + "X-A:\r\n" * lines
        + "END:STANDARD\r\nEND:VTIMEZONE\r\n"
    )


def one_property(client: Client, number: int) -> None:
    body = report("D:propfind", f"<D:prop><D:{chr(97 + number) * 500_000}/></D:prop>")
    client("PROPFIND", "/alice/calendar/", body)


def hrefs(client: Client, number: int) -> None:
    href = f"<D:href>//{number}/{'%61' * 150_000}</D:href>"
    body = report("C:calendar-multiget", "<D:prop><D:getetag/></D:prop>", href)
    client("REPORT", "/alice/calendar/", body)


def encodings(client: Client, number: int) -> None:
    for n in range(5):
        name = f"x{number}-{n}-{'y' * 100_000}"
        client("PROPFIND", "/alice/", f'<?xml version="1.0" encoding="{name}"?><a/>')
        charset = {"Content-Type": f"text/xml; charset={name}"}
        client("PROPPATCH", "/alice/calendar/", "<a/>", headers=charset)


def definitions_of_zones(client: Client, number: int) -> None:
    text = event("zones", f"20260105T090000Z\r\nX-A;TZID=Z{number}:20260105T090000").decode()
    text = text.replace("BEGIN:VEVENT", zone(f"Z{number}", 3000) + "BEGIN:VEVENT")
    assert client("PUT", "/alice/calendar/zones.ics", text).status in (201, 204)
    client("GET", "/feeds/alice.ics")


def prefixes_of_proxies(client: Client, number: int) -> None:
    headers = {"X-Forwarded-For": f"{number}{'1' * 200_000}", "X-Forwarded-Host": "h" * 200_000}
    client("PROPFIND", "/alice/", headers=headers)


def paths(client: Client, number: int) -> None:
    long = "p" * 8000
    client("GET", f"/alice/calendar/{number}{long}")
    client("MOVE", "/alice/calendar/a", headers={"Destination": f"http://{number}/{long}"})


ATTACKS = (one_property, hrefs, encodings, definitions_of_zones, prefixes_of_proxies, paths)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_little_stays_of_what_clients_send(
    client: Client, attack: Callable[[Client, int], None]
) -> None:
    attack(client, ROUNDS)  # what each kind needs once
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(ROUNDS):
            attack(client, number)
        gc.collect()
        stays, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert stays < MAY_STAY
