"""Time zones of a feed: what counts as the same rules, generated definitions, and their names."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends import icaltext
from kalends.icaltext import Component
from kalends.icsfeed.zones import Zone, digest_of, iana_definition, names_of

STANDARD = "BEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
DAYLIGHT = "BEGIN:DAYLIGHT\nDTSTART:19700329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"


def definition(*rules: str, tzid: str = "Here", own: str = "") -> Component:
    ended = "".join(f"{rule}END:{rule[6:14]}\n" for rule in rules)
    return icaltext.parse(f"BEGIN:VTIMEZONE\nTZID:{tzid}\n{own}{ended}END:VTIMEZONE\n")[0]


def test_order_names_and_comments_are_no_rules() -> None:
    plain = digest_of(definition(STANDARD, DAYLIGHT))
    noted = "X-LIC-LOCATION:Europe/Berlin\nLAST-MODIFIED:20260101T000000Z\nTZURL:http://x.example\n"
    assert digest_of(definition(DAYLIGHT, STANDARD)) == plain
    assert digest_of(definition(STANDARD, DAYLIGHT, tzid="There", own=noted)) == plain
    assert digest_of(definition(STANDARD + "COMMENT:x\n", DAYLIGHT)) == plain


@pytest.mark.parametrize(
    "other",
    [
        (STANDARD,),
        (STANDARD.replace("+0100", "+0130"), DAYLIGHT),
        (STANDARD.replace("1025", "1026"), DAYLIGHT),
        (STANDARD + "RRULE:FREQ=YEARLY\n", DAYLIGHT),
    ],
)
def test_other_rules_are_told_apart(other: tuple[str, ...]) -> None:
    assert digest_of(definition(*other)) != digest_of(definition(STANDARD, DAYLIGHT))


@pytest.mark.parametrize(
    "tzid", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_a_generated_definition_says_what_the_zone_says(tzid: str) -> None:
    made = iana_definition(tzid)
    assert made is not None
    assert made.value("TZID") == tzid
    read = icalendar.Timezone.from_ical(icaltext.serialize([made]))
    assert isinstance(read, icalendar.Timezone)
    zone, expected = read.to_tz(lookup_tzid=False), ZoneInfo(tzid)
    for year in (1975, 1999, 2026, 2036):
        for month in range(1, 13):
            local = datetime(year, month, 15, 12)
            assert local.replace(tzinfo=zone).utcoffset() == (
                local.replace(tzinfo=expected).utcoffset()
            ), local


def test_a_generated_definition_is_the_same_each_time() -> None:
    first = iana_definition("Europe/Berlin")
    iana_definition.cache_clear()
    second = iana_definition("Europe/Berlin")
    assert first is not second
    assert first == second


@pytest.mark.parametrize("tzid", ["", "Nowhere/Atall", "../../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_zone_that_nobody_knows_has_no_definition(tzid: str) -> None:
    assert iana_definition(tzid) is None


def test_a_windows_name_is_known_and_keeps_its_name() -> None:
    made = iana_definition("W. Europe Standard Time")
    berlin = iana_definition("Europe/Berlin")
    assert made is not None
    assert berlin is not None
    assert made.value("TZID") == "W. Europe Standard Time"
    assert digest_of(made) == digest_of(berlin)


def test_the_smallest_digest_keeps_the_name() -> None:
    zones = [Zone("Here", "b" * 16), Zone("Here", "a" * 16), Zone("There", "c" * 16)]
    for order in permutations(zones):
        assert names_of(order) == {
            zones[0]: "Here-bbbbbbbb",
            zones[1]: "Here",
            zones[2]: "There",
        }


@given(
    st.sets(st.builds(Zone, st.sampled_from(["A", "B"]), st.text("0123", min_size=16, max_size=16)))
)
def test_names_tell_definitions_apart(zones: set[Zone]) -> None:
    distinct = {(zone.tzid, zone.digest[:8]) for zone in zones}
    names = names_of(zones)
    assert set(names) == zones
    if len(distinct) == len(zones):
        assert len(set(names.values())) == len(zones)


def test_a_definition_covers_the_years_it_promises() -> None:
    made = iana_definition("Europe/Berlin")
    assert made is not None
    begins = min(rule.value("DTSTART") for rule in made.children)
    assert begins.startswith("1970")
    ends = max(rdate for rule in made.children for rdate in rule.value("RDATE").split(","))
    assert ends.startswith(str(datetime(2037, 1, 1, tzinfo=UTC).year))
