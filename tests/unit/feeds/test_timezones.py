"""Time zones of a feed: equality of rules, generated definitions, and names."""

from __future__ import annotations

from datetime import datetime
from itertools import permutations
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.feeds.compose.timezones import (
    ZoneDefinition,
    assign_names,
    definition_digest,
    resolve_tzid,
)
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.timezones import iana
from kalends.ical.timezones.iana import equivalent_since, iana_definition

STANDARD = "BEGIN:STANDARD\nDTSTART:19701025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\n"
DAYLIGHT = "BEGIN:DAYLIGHT\nDTSTART:19700329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\n"


def definition(*rules: str, tzid: str = "Here", own: str = "") -> Component:
    ended = "".join(f"{rule}END:{rule[6:14]}\n" for rule in rules)
    return contentlines.parse(f"BEGIN:VTIMEZONE\nTZID:{tzid}\n{own}{ended}END:VTIMEZONE\n")[0]


def test_order_names_and_comments_do_not_change_the_digest() -> None:
    plain = definition_digest(definition(STANDARD, DAYLIGHT))
    noted = "X-LIC-LOCATION:Europe/Berlin\nLAST-MODIFIED:20260101T000000Z\nTZURL:http://x.example\n"
    assert definition_digest(definition(DAYLIGHT, STANDARD)) == plain
    assert definition_digest(definition(STANDARD, DAYLIGHT, tzid="There", own=noted)) == plain
    assert definition_digest(definition(STANDARD + "COMMENT:x\n", DAYLIGHT)) == plain


@pytest.mark.parametrize(
    "other",
    [
        (STANDARD,),
        (STANDARD.replace("+0100", "+0130"), DAYLIGHT),
        (STANDARD.replace("1025", "1026"), DAYLIGHT),
        (STANDARD + "RRULE:FREQ=YEARLY\n", DAYLIGHT),
    ],
)
def test_different_rules_have_different_digests(other: tuple[str, ...]) -> None:
    assert definition_digest(definition(*other)) != definition_digest(
        definition(STANDARD, DAYLIGHT)
    )


@pytest.mark.parametrize(
    "tzid", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
)
def test_a_generated_definition_has_the_offsets_of_its_zone(tzid: str) -> None:
    made = iana_definition(tzid)
    assert made is not None
    assert made.value("TZID") == tzid
    read = icalendar.Timezone.from_ical(contentlines.serialize([made]))
    assert isinstance(read, icalendar.Timezone)
    zone, expected = read.to_tz(lookup_tzid=False), ZoneInfo(tzid)
    for year in (1975, 1999, 2026, 2036, 2060):
        for month in range(1, 13):
            local = datetime(year, month, 15, 12)
            assert local.replace(tzinfo=zone).utcoffset() == (
                local.replace(tzinfo=expected).utcoffset()
            ), local


def test_a_generated_definition_is_the_same_each_time() -> None:
    first = iana_definition("Europe/Berlin")
    iana._made.cache_clear()
    second = iana_definition("Europe/Berlin")
    assert first is not second
    assert first == second


@pytest.mark.parametrize("tzid", ["", "Nowhere/Atall", "../../etc/passwd", "/etc/passwd", "a\0b"])
def test_an_unknown_zone_has_no_definition(tzid: str) -> None:
    assert iana_definition(tzid) is None


def test_a_windows_name_is_known_and_keeps_its_name() -> None:
    made = iana_definition("W. Europe Standard Time")
    berlin = iana_definition("Europe/Berlin")
    assert made is not None
    assert berlin is not None
    assert made.value("TZID") == "W. Europe Standard Time"
    assert definition_digest(made) == definition_digest(berlin)


def test_the_smallest_digest_keeps_the_name() -> None:
    zones = [
        ZoneDefinition("Here", "b" * 16),
        ZoneDefinition("Here", "a" * 16),
        ZoneDefinition("There", "c" * 16),
    ]
    for order in permutations(zones):
        assert assign_names(order) == {
            zones[0]: f"Here-{'b' * 16}",
            zones[1]: "Here",
            zones[2]: "There",
        }


def test_the_iana_definition_keeps_its_name_beside_others() -> None:
    berlin = iana_definition("Europe/Berlin")
    assert berlin is not None
    known = ZoneDefinition("Europe/Berlin", definition_digest(berlin))
    other = ZoneDefinition("Europe/Berlin", "0" * 16)
    assert assign_names([other, known])[known] == "Europe/Berlin"
    assert assign_names([other]) == {other: "Europe/Berlin"}


digests = st.text("0a", min_size=16, max_size=16)
tzids = st.recursive(
    st.sampled_from(["A", "Europe/Berlin", ""]),
    lambda inner: st.builds("{}-{}".format, inner, digests),
)


@given(st.sets(st.builds(ZoneDefinition, tzids, digests)))
def test_names_are_unique_even_for_malicious_tzids(
    zones: set[ZoneDefinition],
) -> None:
    names = assign_names(zones)
    assert set(names) == zones
    assert len(set(names.values())) == len(zones)


def test_a_generated_definition_begins_in_1970_and_has_no_end() -> None:
    made = iana_definition("Europe/Berlin")
    assert made is not None
    begins = min(rule.value("DTSTART") for rule in made.children)
    assert begins.startswith("1970")
    rules = {rule.value("RRULE") for rule in made.children} - {""}
    assert rules == {"FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"}


def berlin(first: str, until: str = "") -> str:
    """Return Berlin as Google, Apple and others write it: from some year on, by today's rules."""
    return (
        f"BEGIN:VTIMEZONE\nTZID:Europe/Berlin\nBEGIN:DAYLIGHT\nTZOFFSETFROM:+0100\n"
        f"TZOFFSETTO:+0200\nTZNAME:GMT+2\nDTSTART:{first}0329T020000\n"
        f"RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU{until}\nEND:DAYLIGHT\nBEGIN:STANDARD\n"
        f"TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nTZNAME:GMT+1\nDTSTART:{first}1025T030000\n"
        f"RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU{until}\nEND:STANDARD\nEND:VTIMEZONE\n"
    )


@pytest.mark.parametrize(
    ("text", "since"),
    [
        # Until 1995 summer time ended in September.
        (berlin("1970"), "19951030"),
        (berlin("2020"), "20200330"),
        (berlin("1970", ";UNTIL=20300101T000000Z"), "99999999"),
        (berlin("1970").replace("+0200", "+0300"), "99999999"),
        (berlin("1970").replace("YEARLY", "SECONDLY"), "99999999"),
        (berlin("1970").replace("19701025T030000", "nothing"), "99999999"),
    ],
)
def test_the_day_since_which_a_definition_is_equivalent_to_iana(text: str, since: str) -> None:
    assert equivalent_since(contentlines.parse(text)[0], "Europe/Berlin") == since


def test_definitions_of_several_programs_for_one_zone_become_one() -> None:
    google, short = (berlin(first) for first in ("1970", "2020"))
    known = iana_definition("Europe/Berlin")
    for own in (google, short, ""):
        use = resolve_tzid("Europe/Berlin", own, "20260105", is_private=False)
        assert use is not None
        assert use.definition == known
    old = resolve_tzid("Europe/Berlin", google, "19800105", is_private=False)
    assert old is not None
    assert definition_digest(old.definition) == definition_digest(contentlines.parse(google)[0])


def test_the_zone_of_a_hidden_event_discloses_only_its_rules() -> None:
    noted = STANDARD + "TZNAME:Hidden\nCOMMENT:Hidden\nX-HIDDEN:1\n"
    own = "\n".join(definition(noted, DAYLIGHT).lines())
    use = resolve_tzid("Hidden place", own, "20260105", is_private=True)
    assert use is not None
    assert "hidden" not in "\n".join([use.zone.tzid, *use.definition.lines()]).lower()
    vendor = resolve_tzid("/hidden/Europe/Berlin", "", "20260105", is_private=True)
    assert vendor is not None
    assert vendor.zone.tzid == "Zone"
