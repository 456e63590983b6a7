"""Parser for stored calendar objects that caches the time zone definitions they repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from kalends.common.bounded_cache import remembered
from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component
from kalends.ical.timezones.resolve import by_tzid

_BEGIN, _END, _LAST = "\nBEGIN:VTIMEZONE", "\nEND:VTIMEZONE", "\nEND:VCALENDAR"

# The longest definition that is cached, in characters; real ones have 4,000 at most.
_LONGEST_KEPT = 20_000
_KEPT = 8 << 20  # octets of definitions in one worker, several hundred usual ones


class ObjectText(NamedTuple):
    """A parsed calendar object.

    Attributes:
        calendar: its VCALENDAR. Its VTIMEZONEs are shared with other objects: do not change them.
        definitions: the text of each VTIMEZONE that has rules, by the TZIDs that refer to it.
    """

    calendar: Component
    definitions: Mapping[str, str]


def read_object(text: str, budget: Budget) -> ObjectText:
    """Parse a calendar object.

    Args:
        text: the object.
        budget: the steps that its reading may take.

    Raises:
        IcalendarSyntaxError: the text cannot be parsed or is empty.
        BudgetSpentError: the steps are not left.
    """
    rest, blocks = _split_off_zones(text)
    try:
        budget.draw(sum(map(len, blocks)) // 16)
        zones = [_parse_zone(block) for block in blocks]
    except IcalendarSyntaxError:  # its line number counts from the block: parse the whole text
        rest, zones = text, []
    parsed = contentlines.parse(rest, budget=budget)
    if not parsed:
        raise IcalendarSyntaxError(1, "it is empty")
    calendar = parsed[0]
    texts = [*zip(zones, blocks, strict=False)]
    texts += [(z, "\n".join(z.lines())) for z in calendar.children if z.name == "VTIMEZONE"]
    calendar.children[:0] = zones
    definitions = by_tzid((zone, block if zone.children else "") for zone, block in texts)
    return ObjectText(calendar, {tzid: found for tzid, found in definitions.items() if found})


def _split_off_zones(text: str) -> tuple[str, list[str]]:
    """Split off the VTIMEZONEs of a text and leave as many empty lines in their place."""
    blocks: list[str] = []
    if not text.startswith("BEGIN:VCALENDAR"):
        return text, blocks
    kept, position = [], 0
    depth, ended = 0, False
    while (begin := text.find(_BEGIN, position)) >= 0:
        end = text.find("\n", text.find(_END, begin) + 1)
        block = text[begin + 1 : end]
        kept.append(text[position : begin + 1])
        # A VTIMEZONE within another component or another calendar is not one of this calendar's.
        before = kept[-1].upper()
        depth += before.count("\nBEGIN:") - before.count("\nEND:")
        ended = ended or _LAST in before
        is_own = depth == 0 and not ended
        if not (end > begin and is_own and len(block) <= _LONGEST_KEPT):
            return text, []
        kept.append("\n" * block.count("\n"))
        blocks.append(block)
        position = end
    return "".join([*kept, text[position:]]), blocks


def octets_when_parsed(text: str) -> int:
    """Return about how much memory a text takes together with its components."""
    return 4 * len(text) + 400 * text.count("\n")


@remembered(_KEPT, lambda block: octets_when_parsed(block))
def _parse_zone(block: str) -> Component:
    parsed = contentlines.parse(block)
    if len(parsed) != 1 or parsed[0].name != "VTIMEZONE":
        raise IcalendarSyntaxError(1, "it is not a VTIMEZONE")
    return parsed[0]
