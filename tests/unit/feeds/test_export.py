"""Export of a calendar as one file: each object keeps its meaning, also after an import."""

from __future__ import annotations

from collections.abc import Iterable

from kalends.feeds.export import StoredText, export_calendar
from kalends.ical.split import split_file
from support.expansions import expand_with_icalendar

ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:{0}\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\n"
    "TZOFFSETFROM:{1}\r\nTZOFFSETTO:{1}\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


def zoned(uid: str, tzid: str, zones: str = "") -> bytes:
    """Return an object whose time refers to a time zone."""
    return (
        f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\n{zones}BEGIN:VEVENT\r\nUID:{uid}"
        f'\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID="{tzid}":20260705T090000\r\n'
        f"DURATION:PT1H\r\nSUMMARY:{uid}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def export(objects: Iterable[bytes]) -> bytes:
    """Return objects as one calendar, of which none is left out."""
    texts = (StoredText(f"{number}.ics", data) for number, data in enumerate(objects))
    left_out: list[str] = []
    whole = export_calendar(texts, "", "", lambda *told: left_out.extend(told))
    assert not left_out
    return whole


def starts(data: bytes) -> dict[str, str]:
    """Return the start of each event, by its summary."""
    return {summary: start for start, _, summary in expand_with_icalendar(data.decode())}


def test_a_zone_with_a_comma_in_its_name_survives_export_and_import() -> None:
    defined = ZONE.format(r"East\, West", "+0300")
    objects = [zoned("a", "East, West", defined), zoned("b", r"East\, West", defined)]
    whole = export(objects)
    assert starts(whole) == {"a": "2026-07-05T06:00:00Z", "b": "2026-07-05T06:00:00Z"}
    back = [one.data for one in split_file(whole).objects]
    assert all(defined.encode() in data for data in back)
    assert export(back) == whole


def test_an_object_without_a_definition_never_gets_that_of_another_object() -> None:
    objects = [
        zoned("odd", "Europe/Berlin", ZONE.format("Europe/Berlin", "+0500")),
        zoned("bare", "Europe/Berlin"),
        zoned("own", "Here", ZONE.format("Here", "+0300")),
        zoned("lost", "Here"),
    ]
    whole = export(objects)
    for data in (whole, export([o.data for o in split_file(whole).objects])):
        assert starts(data) == {
            "odd": "2026-07-05T04:00:00Z",
            "bare": "2026-07-05T07:00:00Z",
            "own": "2026-07-05T06:00:00Z",
            "lost": "2026-07-05T09:00:00",
        }
        assert data == whole


def test_a_definition_equivalent_to_iana_keeps_its_name_beside_an_undefined_use() -> None:
    fixed = ZONE.format("Etc/GMT-3", "+0300")
    objects = [zoned("a", "Etc/GMT-3", fixed), zoned("b", "Etc/GMT-3")]
    whole = export(objects)
    assert starts(whole) == {"a": "2026-07-05T06:00:00Z", "b": "2026-07-05T06:00:00Z"}
    assert whole.count(b"BEGIN:VTIMEZONE") == 1
    assert b"\r\nTZID:Etc/GMT-3\r\n" in whole


def test_export_of_an_imported_export_is_unchanged() -> None:
    definitions = [ZONE.format("Here", f"+0{hours}00") for hours in (3, 4, 5)]
    objects = [zoned(str(n), "Here", zone) for n, zone in enumerate(definitions)]
    whole = export(objects)
    back = [one.data for one in split_file(whole).objects]
    assert export(back) == whole
    # The same holds beside an object that was never exported.
    mixed = export([*back[1:], objects[0]])
    assert starts(mixed) == starts(whole)
    assert mixed.count(b"BEGIN:VTIMEZONE") == 3
