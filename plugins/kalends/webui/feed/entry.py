"""An occurrence as it is shown: text and safe links, read from its component when needed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from kalends.feeds.compose.select import VisibleObject
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.recurrence.days import DAY, EPOCH
from kalends.webui.feed.occurrence import PageOccurrence, clamp, local_time
from kalends.webui.feed.periods import long_day, span_title
from kalends.webui.feed.timezone import hour_text

_LINK = re.compile(r"(?:https?://[^\s/]|mailto:[^\s]).*", re.IGNORECASE | re.DOTALL)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Direction overrides: a title must not change the direction of the text after it.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_MOST_LINKS = 10
_MOST_PEOPLE = 100
_MOST_CATEGORIES = 50
_LONGEST = 20_000


class Person(NamedTuple):
    """An attendee: a name, and the answer in words."""

    name: str
    answer: str


@dataclass(frozen=True, slots=True)
class Entry:
    """The details of an occurrence as they are shown; everything is text, unescaped.

    Attributes:
        key: the name of the object in addresses.
        at: the beginning, for addresses.
        replaces: the RECURRENCE-ID of an override: another may begin at the same time.
        color: the number of its colour.
        begin: in the reader's local time.
        finish: in the reader's local time; not later than ``begin`` if the clock was set back.
        is_instant: whether it has no duration.
        all_day: whether it takes whole days.
        links: addresses of http, https or mailto.
        kind: the component: ``VEVENT``, ``VTODO`` or ``VJOURNAL``.
        state: ``Cancelled``, ``Done``, ``Tentative`` or empty.
    """

    key: str
    at: str
    replaces: str
    color: int
    title: str
    begin: datetime
    finish: datetime
    is_instant: bool
    all_day: bool
    location: str
    description: str
    links: tuple[str, ...]
    categories: tuple[str, ...]
    organizer: str
    people: tuple[Person, ...]
    repeats: bool
    kind: str
    state: str
    calendar: str

    @property
    def is_off(self) -> bool:
        """True if it is cancelled or done."""
        return self.state in ("Cancelled", "Done")

    @property
    def last_day(self) -> datetime:
        """A time on its last day."""
        return max(self.begin, self.finish - timedelta(seconds=1))

    @property
    def when(self) -> str:
        """Its date and time, in words."""
        if self.all_day:
            return span_title(self.begin.date(), self.last_day.date())
        begin = f"{long_day(self.begin)}, {hour_text(self.begin)}"
        if self.is_instant:
            return begin
        until = "" if self.begin.date() == self.last_day.date() else f"{long_day(self.finish)}, "
        return f"{begin} – {until}{hour_text(self.finish)}"

    @property
    def tip(self) -> str:
        """Its tooltip: title, time and place, a line for each."""
        return "\n".join(filter(None, (self.title, self.when, self.location)))


def entry_of(
    occurrence: PageOccurrence, copy: VisibleObject, part: Component, color: int, calendar: str
) -> Entry:
    """Return the entry of an occurrence.

    Args:
        occurrence: the occurrence.
        copy: its object, as the feed shows it.
        part: the component that describes the occurrence.
        color: the number of its colour.
        calendar: the name of its calendar, or empty if the feed does not show it.
    """
    length = occurrence.finish - occurrence.begin
    begin = local_time(occurrence.begin)
    # An instant is stored as a second, so that time ranges include it.
    is_instant = length == 1
    finish = begin if is_instant else local_time(occurrence.finish - occurrence.set_back)
    return Entry(
        key=key_of(copy.uid),
        at=stamp(occurrence),
        replaces=part.value("RECURRENCE-ID").strip().upper(),
        color=color,
        title=_line(part, "SUMMARY") or "(no title)",
        begin=begin,
        finish=finish,
        is_instant=is_instant,
        all_day=occurrence.floating and occurrence.begin % DAY == 0 and length % DAY == 0,
        location=_line(part, "LOCATION"),
        description=_text(part, "DESCRIPTION"),
        links=_links(part),
        categories=_categories(part),
        organizer=_person(part.first("ORGANIZER")),
        people=_people(part),
        repeats=any(copy.components[0].first(name) for name in ("RRULE", "RDATE")),
        kind=part.name,
        state=_state(part),
        calendar=calendar,
    )


def _state(part: Component) -> str:
    status = part.value("STATUS").strip().upper()
    if status in ("CANCELLED", "TENTATIVE"):
        return status.capitalize()
    is_done = status == "COMPLETED" or part.first("COMPLETED") is not None
    return "Done" if is_done else ""


def key_of(uid: str) -> str:
    """Return the name of an object in addresses, from its UID in the feed."""
    return sha256(uid.encode()).hexdigest()[:16]


def stamp(occurrence: PageOccurrence) -> str:
    """Return an occurrence's beginning for an address: a UTC time, or a floating time or day."""
    start = clamp(occurrence.start)
    text = re.sub("[-:]", "", local_time(start).isoformat())
    if not occurrence.floating:
        return f"{text}Z"
    return text[:8] if start % DAY == 0 else text


def read_stamp(text: str) -> tuple[int, bool] | None:
    """Return the seconds in a text of ``stamp``, and whether they float; None if it is invalid."""
    form = "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d"
    try:
        moment = datetime.strptime(text.removesuffix("Z"), form)
    except ValueError:
        return None
    return (moment - EPOCH) // timedelta(seconds=1), not text.endswith("Z")


def is_safe(link: str) -> bool:
    """Return True if a page may link to an address: http, https or mailto."""
    return _LINK.fullmatch(link) is not None


def _clean(value: str) -> str:
    text = contentlines.unescape(value[: 4 * _LONGEST])
    return _DIRECTIONS.sub("", _CONTROL.sub(" ", text))[:_LONGEST]


def _text(part: Component, name: str) -> str:
    return _clean(part.value(name)).strip()


def _line(part: Component, name: str) -> str:
    return " ".join(_text(part, name).split())


def _links(part: Component) -> tuple[str, ...]:
    given = [p.value for p in part.properties if p.name in ("URL", "CONFERENCE")]
    some = (value for value in given[: 4 * _MOST_LINKS] if len(value) <= _LONGEST)
    links = (_CONTROL.sub("", value).strip() for value in some)
    return tuple(dict.fromkeys(link for link in links if is_safe(link)))[:_MOST_LINKS]


def _categories(part: Component) -> tuple[str, ...]:
    found = (
        " ".join(_clean(name).split())
        for prop in part.all("CATEGORIES")[:_MOST_CATEGORIES]
        for name in re.split(r"(?<!\\),", prop.value[:_LONGEST], maxsplit=_MOST_CATEGORIES)
    )
    return tuple(dict.fromkeys(name for name in found if name))


def _person(prop: Property | None) -> str:
    if prop is None:
        return ""
    address = prop.value[:_LONGEST].strip()
    named = prop.param("CN") or re.sub("^mailto:", "", address, flags=re.IGNORECASE)
    return " ".join(_clean(named).split())


_ANSWERS: Mapping[str, str] = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "maybe",
    "DELEGATED": "delegated",
}


def _people(part: Component) -> tuple[Person, ...]:
    found = []
    for prop in part.all("ATTENDEE")[:_MOST_PEOPLE]:
        answer = (prop.param("PARTSTAT") or "").upper()
        found.append(Person(_person(prop), _ANSWERS.get(answer, "")))
    return tuple(person for person in found if person.name)
