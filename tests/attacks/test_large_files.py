"""Files of many calendar objects whose reading grows faster than they do: bounded, or refused."""

from __future__ import annotations

import cProfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kalends.ical.limits import FILE_OF_A_REQUEST
from kalends.ical.split import split_file
from support import nasty
from support.installation import NAMES, Client, Installation

START = "DTSTART:20260601T100000Z"
TOO_LARGE = f"{{{NAMES['C']}}}max-resource-size"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with Installation(tmp_path_factory.mktemp("files"), feeds="").client() as client:
        client("PROPFIND", "/alice/")
        yield client


def with_uid(number: int, *lines: str) -> str:
    return nasty.event(START, *lines).replace("UID:nasty", f"UID:{number}")


def of_many_overrides(number: int) -> bytes:
    overrides = (nasty.event(f"RECURRENCE-ID:{day}", START) for day in nasty.days(number))
    return nasty.calendar(nasty.event(START, "RRULE:FREQ=DAILY"), *overrides)


def of_many_zones(number: int) -> bytes:
    zones = (f"BEGIN:VTIMEZONE\r\nTZID:Z{n}\r\nEND:VTIMEZONE\r\n" for n in range(number))
    return nasty.calendar(*zones, *map(with_uid, range(number)))


def of_many_lines_outside(number: int) -> bytes:
    return nasty.calendar(*["BEGIN:VEVENT\r\nX\r\nEND:VEVENT\r\n"] * number) + b"x\r\n" * number


@pytest.mark.parametrize("file", [of_many_overrides, of_many_zones, of_many_lines_outside])
def test_twice_the_file_is_twice_the_work(file: object) -> None:
    assert callable(file)
    calls = []
    for number in (400, 800):
        with cProfile.Profile() as profile:
            split_file(file(number))
        calls.append(sum(entry.callcount for entry in profile.getstats()))
    assert calls[1] < 2.5 * calls[0]


def test_the_copies_of_a_large_zone_are_bounded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kalends.dav.methods.put.FILE_OF_A_REQUEST", replace(FILE_OF_A_REQUEST, objects=1_000_000)
    )
    large = nasty.zone(nasty.observance("X-A:" + "x" * 50_000))
    events = [with_uid(n).replace("DTSTART:", "DTSTART;TZID=Z:") for n in range(30)]
    answer = client("PUT", "/alice/copies/", nasty.calendar(large, *events))
    assert (answer.status, answer.precondition()) == (413, TOO_LARGE)
    assert "divide it" in (answer.xml().findtext(".//{urn:x-kalends}why") or "")
    assert client("PUT", "/alice/copies/", nasty.calendar(large, *events[:10])).status == 201


def test_the_steps_of_all_objects_of_a_file_are_those_of_a_request(
    tmp_path: Path,
) -> None:
    installation = Installation(tmp_path, feeds="")
    installation.write(kalends__max_object_steps="100000", kalends__max_request_steps="100000")
    events = [with_uid(n, "RRULE:FREQ=DAILY") for n in range(300)]
    with installation.client() as client:
        client("PROPFIND", "/alice/")
        answer = client("PUT", "/alice/steps/", nasty.calendar(*events))
        assert (answer.status, answer.precondition()) == (413, TOO_LARGE)
        assert client("PROPFIND", "/alice/steps/").status == 404
        assert client("PUT", "/alice/steps/", nasty.calendar(*events[:2])).status == 201


def test_copies_and_letters_of_a_request_take_little_memory() -> None:
    large = nasty.zone(nasty.observance("X-A:" + "x" * 9_000_000))
    events = [with_uid(n).replace("DTSTART:", "DTSTART;TZID=Z:") for n in range(300)]
    letters = nasty.calendar(nasty.event(START, "SUMMARY:" + "\U0001f600" * 6_000_000))
    for data in (nasty.calendar(large, *events), letters):
        tracemalloc.start()
        try:
            whole = split_file(data, size=FILE_OF_A_REQUEST)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert whole.refused
        assert peak < 150_000_000
