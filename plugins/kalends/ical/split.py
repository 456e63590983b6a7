"""Splitting of a file of calendars or cards into objects, one for each UID.

Parts that cannot be stored are reported with their line and reason.
"""

from __future__ import annotations

import re
import sys

from kalends.common import progress
from kalends.common.budget import Budget
from kalends.errors import IcalendarSyntaxError, ObjectRefusedError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property
from kalends.ical.encoding import BYTE_ORDER_MARK
from kalends.ical.file_objects import Group, Left, Part, SplitCalendar, derive_uid, ensure_uid
from kalends.ical.limits import (
    FILE_OF_A_REQUEST,
    FILE_OF_AN_ADMINISTRATOR,
    USUAL_LIMITS,
    FileLimits,
    ObjectLimits,
)
from kalends.ical.recover import (
    ComponentLines,
    RejectedPart,
    decode_part,
    find_calendars,
    find_components,
    parse_component,
    split_octets,
)
from kalends.ical.sniff import describe_foreign_file
from kalends.ical.timezones.resolve import by_tzid
from kalends.ical.validate import CalendarObject, read_card
from kalends.limit_names import Limit

_FIRST_BEGIN = re.compile(rb"^BEGIN:[ \t]*([A-Z0-9-]+)", re.IGNORECASE | re.MULTILINE)


def split_file(
    data: bytes,
    *,
    allowed: frozenset[str] | None = None,
    limits: ObjectLimits = USUAL_LIMITS,
    size: FileLimits = FILE_OF_AN_ADMINISTRATOR,
    budget: Budget | None = None,
) -> SplitCalendar:
    """Split a file of calendars or of cards into objects.

    The first component decides which of the two it is. Lines may also end with CR alone, as on old
    Macs.

    Args:
        data: the octets of the file.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.
        size: the limits of the file.
        budget: the steps that all objects together may take; any number if not given.
    """
    data = data.removeprefix(BYTE_ORDER_MARK)
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    if why := describe_foreign_file(data):
        return SplitCalendar(
            "VCALENDAR", refused=[RejectedPart(1, "", why, "C:supported-calendar-data")]
        )
    begin = _FIRST_BEGIN.search(data)
    if why := _describe_excess(data, size):
        space = "CR" if begin and begin[1].upper() == b"VCARD" else "C"
        kind = "VADDRESSBOOK" if space == "CR" else "VCALENDAR"
        return SplitCalendar(
            kind, refused=[RejectedPart(1, "", why, f"{space}:max-resource-size", Limit.FILE)]
        )
    if begin and begin[1].upper() == b"VCARD":
        return split_cards(data, limits=limits, size=size, budget=budget)
    return split_calendar(data, allowed=allowed, limits=limits, size=size, budget=budget)


def _describe_excess(data: bytes, size: FileLimits) -> str | None:
    """Return the reason why a file is too large to be split, or None."""
    for found, most, unit in (
        (len(data), size.octets, "octets"),
        (data.count(b"\n"), size.lines, "lines"),
        (data.count(b"\nBEGIN:"), size.components, "components"),
    ):
        if found > most:
            return f"it has more than {most:,} {unit}: divide it, or use kalends import"
    return None


def split_calendar(
    data: bytes,
    *,
    allowed: frozenset[str] | None = None,
    limits: ObjectLimits = USUAL_LIMITS,
    size: FileLimits = FILE_OF_AN_ADMINISTRATOR,
    budget: Budget | None = None,
) -> SplitCalendar:
    """Split a file of one or several calendars into objects, without their METHOD.

    A bad component is reported and the others are still read. A component without a UID gets one
    that is derived from its content, so that the same file always results in the same objects.

    Args:
        data: the octets of the file.
        allowed: the component types that the calendar accepts; None for all.
        limits: the limits of objects.
        size: the limits of the file.
        budget: the steps that all objects together may take; any number if not given.
    """
    whole = SplitCalendar("VCALENDAR")
    left = Left(budget or Budget(sys.maxsize, limits.steps), size.objects)
    is_small = data.count(b"\nBEGIN:") <= FILE_OF_A_REQUEST.components
    text = split_octets(data)
    same_zones: dict[str, Component] = {}
    groups: dict[str, Group] = {}
    seen = False
    for header, components in find_calendars(text, whole.refused):
        seen = True
        whole.read_description(header)
        zones: dict[str, Component] = {}
        defined: list[Component] = []
        for block in components:
            progress.report()
            if len(block.text) > limits.octets:
                whole.refused.append(_too_large(block, limits, "C"))
                continue
            component = parse_component(block, whole.refused)
            if component is None:
                continue
            if component.name == "VTIMEZONE":
                # Of many calendars in one file, each often has the same zones.
                defined.append(same_zones.setdefault(block.text, component))
            else:
                uid = ensure_uid(component)
                group = groups.setdefault(uid, Group(uid, header, zones))
                name, identifier = component.name, component.value("RECURRENCE-ID")
                kept = component if is_small else None
                group.add(Part(name, identifier, component.line, block, kept), whole)
        zones.update(by_tzid((zone, zone) for zone in defined))
    if not seen and not whole.refused:
        whole.refused.append(RejectedPart(1, "", "no BEGIN:VCALENDAR", "C:valid-calendar-data"))
    pending = list(reversed(groups.values()))
    groups.clear()
    while pending:
        progress.report()
        pending.pop().finish(whole, allowed, limits, left)
    return whole


def split_cards(
    data: bytes,
    *,
    limits: ObjectLimits = USUAL_LIMITS,
    size: FileLimits = FILE_OF_AN_ADMINISTRATOR,
    budget: Budget | None = None,
) -> SplitCalendar:
    """Split a file into cards.

    A card without a UID gets one that is derived from its content.

    Args:
        data: the octets of the file.
        limits: the limits of objects.
        size: the limits of the file.
        budget: the steps that all cards together may take; any number if not given.
    """
    whole = SplitCalendar("VADDRESSBOOK")
    left = Left(budget or Budget(sys.maxsize, limits.steps), size.objects, "CR")
    text = split_octets(data)
    seen: dict[str, CalendarObject] = {}
    for block in find_components(text.split("\n"), 0):
        progress.report()
        if len(block.text) > limits.octets:
            whole.refused.append(_too_large(block, limits, "CR"))
            continue
        try:
            left.take(len(block.text), block.text.count("\n"))
        except ObjectRefusedError as error:
            whole.refused.append(
                RejectedPart(block.line, "", error.why, error.precondition, error.limit)
            )
            break
        try:
            part = decode_part(block.text)
            (card,) = contentlines.parse(part, vcard=True)
            if not card.value("UID").strip():
                card.properties.insert(0, Property("UID", "", derive_uid(card)))
                found = read_card(contentlines.serialize([card]), limits=limits)
            else:
                found = read_card(f"{part}\n".encode(), limits=limits)
        except (IcalendarSyntaxError, ObjectRefusedError) as error:
            line = block.line + (error.line or 1) - 1
            whole.refused.append(
                RejectedPart(line, "", error.why, "CR:valid-address-data", error.limit)
            )
            continue
        there = seen.setdefault(found.uid, found)
        if there is found:
            whole.objects.append(found)
        elif there.data.strip() != found.data.strip():
            why = "another card has the same UID"
            whole.refused.append(RejectedPart(block.line, found.uid, why, "CR:valid-address-data"))
    if not whole.objects and not whole.refused:
        whole.refused.append(RejectedPart(1, "", "no BEGIN:VCARD", "CR:valid-address-data"))
    return whole


def _too_large(block: ComponentLines, limits: ObjectLimits, space: str) -> RejectedPart:
    """Refuse a component before it is decoded, which may take four times its memory."""
    why = f"larger than {limits.octets} octets"
    return RejectedPart(block.line, "", why, f"{space}:max-resource-size", Limit.OBJECT_OCTETS)
