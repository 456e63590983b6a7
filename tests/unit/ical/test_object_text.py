"""Parsing an object with cached time zones gives the same result as parsing all of its text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.object_text import read_object

RULE = ["BEGIN:STANDARD", "DTSTART:19700101T000000", "TZOFFSETFROM:+0100", "END:STANDARD"]
ZONES = [
    ["BEGIN:VTIMEZONE", f"TZID:{name}", *rules, "END:VTIMEZONE"]
    for name in ("Here", "There")
    for rules in (RULE, [*RULE, *RULE], [])
]
EVENTS = [
    ["BEGIN:VEVENT", "UID:1", "DTSTART;TZID=Here:20260101T090000", "END:VEVENT"],
    ["BEGIN:VEVENT", "UID:1", "DESCRIPTION:END:VTIMEZONE", " BEGIN:VTIMEZONE", "END:VEVENT"],
    ["BEGIN:VEVENT", *ZONES[0], "END:VEVENT"],  # a misplaced VTIMEZONE
    ["begin:vevent", *ZONES[0], "End:vEvent"],
]
ODD = [
    ["BEGIN:VTIMEZONE", "TZID:Open"],
    ["END:VTIMEZONE"],
    ["BEGIN:VTIMEZONE ", "TZID:Blank", "END:VTIMEZONE "],
    ["begin:vtimezone", "tzid:small", "end:vtimezone"],
    ["BEGIN:VTIMEZONE", "not a content line", "END:VTIMEZONE"],
    ["BEGIN:VTIMEZONE", "END:VTIMEZONE;X=1:", "END:VTIMEZONE"],
    ["BEGIN:VTIMEZONES", "TZID:Here", "END:VTIMEZONES"],
    ["BEGIN:VTIMEZONE", "X-NOTE:long" + "g" * 20_000, "END:VTIMEZONE"],
    ["END:VCALENDAR", "BEGIN:VCALENDAR"],
    ["", " "],
]


def joined(head: list[str], parts: list[list[str]], end: str) -> str:
    return end.join([*head, *chain(*parts), "END:VCALENDAR", ""])


texts = st.builds(
    joined,
    st.sampled_from([["BEGIN:VCALENDAR"], ["BEGIN:VCALENDAR", "X-A:1"], ["", "begin:vcalendar"]]),
    st.lists(st.sampled_from([*ZONES, *ZONES, *EVENTS, *EVENTS, *ODD]), max_size=5),
    st.sampled_from(["\r\n", "\n"]),
)


def nested(component: Component) -> Counter[str]:
    """Return the nested components, in any order."""
    return Counter("\n".join(child.lines()) for child in component.children)


def error_of(read: Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except IcalendarSyntaxError as error:
        return str(error)
    return ""


@given(texts)
def test_cached_and_uncached_parsing_agree(text: str) -> None:
    error = error_of(contentlines.parse, text)
    assert error_of(lambda text: read_object(text, Budget()), text) == error
    if error:
        return
    (whole, *_) = contentlines.parse(text)
    for _ in range(2):  # the second time from the cache
        calendar, definitions = read_object(text, Budget())
        assert calendar.properties == whole.properties
        assert nested(calendar) == nested(whole)
        first: dict[str, Component] = {}
        for zone in whole.children:
            if zone.name == "VTIMEZONE":
                first.setdefault(zone.value("TZID"), zone)
        parsed = {tzid: contentlines.parse(found)[0] for tzid, found in definitions.items()}
        assert {tzid: [*zone.lines()] for tzid, zone in parsed.items()} == {
            tzid: [*zone.lines()] for tzid, zone in first.items() if zone.children
        }
