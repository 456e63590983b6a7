"""An object whose time zones are read once for all says what it says read whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

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
    ["BEGIN:VEVENT", *ZONES[0], "END:VEVENT"],  # in the wrong place
    ["begin:vevent", *ZONES[0], "End:vEvent"],
]
ODD = [
    ["BEGIN:VTIMEZONE", "TZID:Open"],
    ["END:VTIMEZONE"],
    ["BEGIN:VTIMEZONE ", "TZID:Blank", "END:VTIMEZONE "],
    ["begin:vtimezone", "tzid:small", "end:vtimezone"],
    ["BEGIN:VTIMEZONE", "no content line", "END:VTIMEZONE"],
    ["BEGIN:VTIMEZONE", "END:VTIMEZONE;X=1:", "END:VTIMEZONE"],
    ["BEGIN:VTIMEZONES", "TZID:Here", "END:VTIMEZONES"],
    ["BEGIN:VTIMEZONE", "X-NOTE:long" + "g" * 20_000, "END:VTIMEZONE"],
    ["END:VCALENDAR", "BEGIN:VCALENDAR"],
    ["", " "],
]


def text_of(head: list[str], parts: list[list[str]], end: str) -> str:
    return end.join([*head, *chain(*parts), "END:VCALENDAR", ""])


texts = st.builds(
    text_of,
    st.sampled_from([["BEGIN:VCALENDAR"], ["BEGIN:VCALENDAR", "X-A:1"], ["", "begin:vcalendar"]]),
    st.lists(st.sampled_from([*ZONES, *ZONES, *EVENTS, *EVENTS, *ODD]), max_size=5),
    st.sampled_from(["\r\n", "\n"]),
)


def contents(component: Component) -> Counter[str]:
    """What is in a component, but for where it stands."""
    return Counter("\n".join(child.lines()) for child in component.children)


def refusal_of(read: Callable[[str], object], text: str) -> str:
    try:
        read(text)
    except IcalendarSyntaxError as error:
        return str(error)
    return ""


@given(texts)
def test_read_apart_or_whole_it_is_the_same(text: str) -> None:
    refused = refusal_of(contentlines.parse, text)
    assert refusal_of(read_object, text) == refused
    if refused:
        return
    (whole, *_) = contentlines.parse(text)
    for _ in range(2):  # what the first reading has kept serves the second
        calendar, definitions = read_object(text)
        assert calendar.properties == whole.properties
        assert contents(calendar) == contents(whole)
        first: dict[str, Component] = {}
        for zone in whole.children:
            if zone.name == "VTIMEZONE":
                first.setdefault(zone.value("TZID"), zone)
        said = {tzid: contentlines.parse(found)[0] for tzid, found in definitions.items()}
        assert {tzid: [*zone.lines()] for tzid, zone in said.items()} == {
            tzid: [*zone.lines()] for tzid, zone in first.items() if zone.children
        }
