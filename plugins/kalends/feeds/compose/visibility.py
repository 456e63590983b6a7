"""Visibility of one object in a feed: applied before anything else is read from the object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from kalends.common.budget import Budget
from kalends.errors import ObjectRefusedError
from kalends.feeds.compose.busy import reduce_to_busy
from kalends.feeds.compose.exclusions import exclude_override
from kalends.feeds.compose.timezones import ZoneUse, resolve_tzid
from kalends.feeds.definitions.model import Rules
from kalends.ical.contentlines import Component, Property
from kalends.ical.limits import MAX_TZIDS
from kalends.ical.object_text import read_object
from kalends.ical.timezones.resolve import vtimezones_of
from kalends.store.objects.read import ObjectRow

_ZONE_STEPS = 200


@dataclass(slots=True)
class VisibleObject:
    """One object as a feed shows it, with hidden data removed.

    Attributes:
        stored: the stored object.
        path: the path of its calendar.
        uid: the UID that it has in the feed.
        components: the components that are shown, the master first.
        zones: the time zone of each TZID that the components use.
        is_private: whether it is shown as busy, with a UID that discloses nothing.
        leaving_date: the first UTC date on which a feed with a window no longer shows it, or None.
    """

    stored: ObjectRow
    path: str
    uid: str
    components: list[Component]
    zones: dict[str, ZoneUse]
    is_private: bool
    leaving_date: date | None = None


def apply_visibility(
    stored: ObjectRow, path: str, rules: Rules, budget: Budget
) -> VisibleObject | None:
    """Return the visible part of an object, or None if nothing of it is visible.

    Args:
        stored: the object.
        path: the path of its calendar.
        rules: the rules of the feed.
        budget: the steps that the object's reading may take.

    Raises:
        IcalendarSyntaxError: the object cannot be parsed.
        UnicodeDecodeError: it is not UTF-8.
        ObjectRefusedError: the time of a hidden part cannot be determined, or it names too many
            time zones.
        BudgetSpentError: the steps are not left.
    """
    calendar, definitions = read_object(stored.data.decode("utf-8"), budget)
    levels = [
        (child, _level(child, rules))
        for child in sorted(calendar.children, key=_sort_key)
        if child.name in rules.components
    ]
    shown, whole = _without_hidden(levels, calendar, budget)
    if not shown:
        return None
    uid = stored.uid if whole else _busy_uid(path, stored.uid)
    copy = VisibleObject(stored, path, uid, shown, {}, is_private=not whole)
    _resolve_zones(copy, definitions, whole, budget)
    return copy


def _resolve_zones(
    copy: VisibleObject,
    definitions: Mapping[str, str],
    whole: Iterable[Component],
    budget: Budget,
) -> None:
    """Find the time zones of a copy; unknown ones are removed from its components.

    Args:
        copy: the copy.
        definitions: the texts of the object's VTIMEZONEs, by TZID.
        whole: the components that are shown in full.
        budget: the steps that the object's reading may take.
    """
    disclosed = {tzid for component in whole for tzid, _ in days_in_zones(component)}
    firsts = first_days(copy.components)
    if len(firsts) > MAX_TZIDS:  # an earlier version stored it
        raise ObjectRefusedError(None, f"it names more than {MAX_TZIDS} time zones")
    unknown: dict[str, str | None] = {}
    for tzid, first in sorted(firsts.items()):
        own = definitions.get(tzid, "")
        budget.draw(_ZONE_STEPS + len(own) // 8)
        use = resolve_tzid(tzid, own, first, is_private=tzid not in disclosed)
        if use is None:
            unknown[tzid] = None
        else:
            copy.zones[tzid] = use
    if unknown:
        # Floating times, which no other definition of that TZID may define.
        copy.components = [rename_tzids(component, unknown) for component in copy.components]


def _sort_key(component: Component) -> tuple[bool, str, str]:
    recurrence = component.first("RECURRENCE-ID")
    return recurrence is not None, recurrence.value if recurrence else "", component.name


def _without_hidden(
    levels: Sequence[tuple[Component, str]], calendar: Component, budget: Budget
) -> tuple[list[Component], list[Component]]:
    """Return the visible components, the master first, and those of them shown in full."""
    if not levels:
        return [], []
    least = "show"
    if levels[0][0].first("RECURRENCE-ID") is None:
        least = levels[0][1]
        if _is_hidden(levels[0][0], least) or (least == "busy" and levels[0][0].name != "VEVENT"):
            return [], []
    shown: list[Component] = []
    whole: list[Component] = []
    gone: list[Property] = []
    for component, own in levels:
        # An override is never more visible than its series.
        level = least if own == "show" else own
        if _is_hidden(component, level):
            level = "hide"
        if level == "show":
            shown.append(component)
            whole.append(component)
        elif level == "busy" and component.name == "VEVENT":
            shown.append(reduce_to_busy(component))
        elif recurrence := component.first("RECURRENCE-ID"):
            gone.append(recurrence)
    if gone and shown and shown[0].first("RECURRENCE-ID") is None:
        # Otherwise the master would show the occurrences that the hidden overrides replace.
        master: Component | None = shown.pop(0)
        zones = vtimezones_of(calendar)
        for recurrence in gone:
            master = master and exclude_override(master, recurrence, zones, budget)
        shown = [master, *shown] if master else shown
    return shown, whole


def _is_hidden(component: Component, level: str) -> bool:
    """Return True if nothing of a component is shown; cancelled is not busy (RFC 4791 7.10)."""
    is_cancelled = component.value("STATUS").strip().upper() == "CANCELLED"
    return level == "hide" or (level == "busy" and is_cancelled)


def _level(component: Component, rules: Rules) -> str:
    """Return ``show``, ``busy`` or ``hide``, by CLASS and the rules.

    An unknown CLASS is PRIVATE (RFC 5545 section 3.8.1.3). Only one CLASS is allowed; of several
    the strictest counts.
    """
    access = {prop.value.strip().upper() for prop in component.all("CLASS")} - {"", "PUBLIC"}
    if rules.private == "show" or not access:
        return "busy" if rules.busy else "show"
    return "busy" if access == {"CONFIDENTIAL"} else rules.private


def _busy_uid(path: str, uid: str) -> str:
    digest = sha256(f"{path}\0{uid}".encode()).hexdigest()
    return f"busy-{digest[:16]}"


def first_days(components: Iterable[Component]) -> dict[str, str]:
    """Return the TZIDs that components use, each with the first day of the times that name it."""
    found: dict[str, str] = {}
    for component in components:
        for tzid, day in days_in_zones(component):
            found[tzid] = min(found.get(tzid, day), day)
    return found


def days_in_zones(component: Component) -> Iterator[tuple[str, str]]:
    """Yield the TZIDs of all times that name a time zone, and their days, ``YYYYMMDD``."""
    for prop in component.properties:
        if prop.raw_params and (tzid := prop.param("TZID")):
            yield from ((tzid, text.strip()[:8]) for text in prop.value.split(","))
    for child in component.children:
        yield from days_in_zones(child)


def rename_tzids(component: Component, names: Mapping[str, str | None]) -> Component:
    """Return a component with its TZIDs replaced.

    Args:
        component: the component.
        names: the new TZID for each old one; None removes the reference.
    """
    properties = []
    for prop in component.properties:
        tzid = prop.param("TZID") if prop.raw_params else None
        if tzid is not None and tzid in names:
            prop = prop.with_param("TZID", names[tzid])
        properties.append(prop)
    children = [rename_tzids(child, names) for child in component.children]
    return Component(component.name, properties, children, component.line)
