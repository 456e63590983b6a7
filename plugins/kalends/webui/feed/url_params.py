"""The parameters in the address of a page, and links to other views of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from kalends.errors import KalendsError
from kalends.ical.timezones.resolve import iana_zone

VIEWS = ("month", "week", "day", "agenda")

FIRST_YEAR, LAST_YEAR = 1900, 2199
"""The years that a page can show."""

_MOST_FIELDS = 30
_KEY = re.compile(r"[0-9a-f]{16}")
_AT = re.compile(r"\d{8}(?:T\d{6}Z?)?")


class BadQueryError(KalendsError):
    """Invalid parameters in an address; the message is for the reader of the page."""


@dataclass(frozen=True, slots=True)
class PageParams:
    """The parameters of a page.

    Attributes:
        view: one of ``VIEWS``.
        day: the day that the view holds, or None for today.
        zone: the time zone, or None for the feed's own.
        unknown_zone: the name that was given for a time zone and is not known, or empty.
        embed: whether the page is shown in a frame of another page.
        skip: how many entries of an agenda's first day were on the page before.
        event: the key of one event, or empty.
        at: when the event begins, as ``entry.stamp`` writes it.
        replaces: the RECURRENCE-ID of the occurrence that it replaces, or empty.
    """

    view: str = "month"
    day: date | None = None
    zone: ZoneInfo | None = None
    embed: bool = False
    skip: int = 0
    event: str = ""
    at: str = ""
    replaces: str = ""
    unknown_zone: str = ""

    def link(self, **changes: Any) -> str:
        """Return the query of this page with some fields changed, without its event and skip."""
        other = replace(self, **{"skip": 0, "event": "", "at": "", "replaces": "", **changes})
        fields = {
            "view": other.view,
            "date": other.day.isoformat() if other.day else "",
            "event": other.event,
            "at": other.at,
            "replaces": other.replaces,
            "skip": str(other.skip or ""),
            **other.lasting,
        }
        return "?" + urlencode({name: value for name, value in fields.items() if value})

    @property
    def lasting(self) -> Mapping[str, str]:
        """The fields that stay the same from view to view, for a form."""
        zone = {"tz": self.zone.key} if self.zone else {}
        return {**zone, "embed": "1"} if self.embed else zone


def is_supported(day: date) -> bool:
    """Return True if a page can show a day."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def parse_query(text: str) -> PageParams:
    """Read the query of an address; unknown fields are ignored.

    Raises:
        BadQueryError: the value of a field is not valid.
    """
    fields = _fields(text)
    view = fields.get("view", "month")
    if view not in VIEWS:
        raise BadQueryError(f"There is no view “{_short(view)}”: it can be {', '.join(VIEWS)}.")
    event, at = fields.get("event", ""), fields.get("at", "")
    if event and not (_KEY.fullmatch(event) and _AT.fullmatch(at)):
        raise BadQueryError("The address of the event is incomplete.")
    skip = fields.get("skip", "0")
    if not re.fullmatch(r"[0-9]{1,6}", skip):
        raise BadQueryError(f"“{_short(skip)}” is not a number of events.")
    # Not an error: the page's script asks for the reader's zone by the name that the system gives.
    tz = fields.get("tz", "")
    zone = iana_zone(tz) if 0 < len(tz) <= 64 else None
    return PageParams(
        view=view,
        day=_day(fields["date"]) if "date" in fields else None,
        zone=zone,
        unknown_zone="" if zone else _short(tz),
        embed=_is_embedded(fields),
        skip=int(skip),
        event=event,
        at=at if event else "",
        replaces=fields.get("replaces", "") if event else "",
    )


def lasting_params(text: str) -> PageParams:
    """Return the lasting parameters of an address that ``parse_query`` refuses."""
    try:
        return PageParams(embed=_is_embedded(_fields(text)))
    except BadQueryError:
        return PageParams()


def _fields(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, max_num_fields=_MOST_FIELDS, errors="replace"))
    except ValueError:
        raise BadQueryError("The address has too many fields.") from None


def _is_embedded(fields: Mapping[str, str]) -> bool:
    return fields.get("embed", "0") not in ("0", "no", "false")


def _day(text: str) -> date:
    match = re.fullmatch(r"(\d{4})-(\d\d?)(?:-(\d\d?))?", text.strip(), re.ASCII)
    if match is None:
        raise BadQueryError(f"“{_short(text)}” is not a date; dates are written as in 2026-11-26.")
    year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise BadQueryError(f"Only the years from {FIRST_YEAR} to {LAST_YEAR} can be shown.")
    try:
        return date(year, month, day)
    except ValueError:
        raise BadQueryError(f"There is no day {_short(text)}.") from None


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
