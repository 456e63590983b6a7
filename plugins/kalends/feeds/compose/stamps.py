"""Finalization of components for a feed: time stamps, categories, alarms."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from kalends.feeds.compose.visibility import VisibleObject
from kalends.feeds.definitions.model import Rules
from kalends.ical import contentlines
from kalends.ical.client_quirks import drop_unreadable
from kalends.ical.contentlines import Component, Property
from kalends.store.objects.read import ObjectRow

_STAMP = re.compile(r"\d{8}T\d{6}Z")


def last_modified(component: Component, stored: ObjectRow) -> str:
    """Return the later of the client's LAST-MODIFIED and the time of the last write.

    Subscribers compare it with the value they had before.
    """
    moment = _moment(stored)
    own = component.value("LAST-MODIFIED").strip()
    return max(own, moment) if _STAMP.fullmatch(own) else moment


def finalize(copy: VisibleObject, rules: Rules) -> None:
    """Add stamps to the components of an object, and remove what the feed does not include."""
    copy.components = [_finalized(component, copy, rules) for component in copy.components]


def _finalized(component: Component, copy: VisibleObject, rules: Rules) -> Component:
    gone = {"UID"} if rules.whole else {"UID", "LAST-MODIFIED"}
    if rules.private != "show":
        gone.add("RELATED-TO")  # the related event may be hidden, and its UID must stay so
    kept = [prop for prop in component.properties if prop.name not in gone]
    if not any(prop.name == "DTSTAMP" for prop in kept):
        kept.insert(0, Property("DTSTAMP", "", _moment(copy.stored)))
    if not rules.whole:
        kept.append(Property("LAST-MODIFIED", "", last_modified(component, copy.stored)))
    if rules.categories:
        kept.append(Property("CATEGORIES", "", contentlines.escape(copy.path.rpartition("/")[2])))
    children = component.children
    if not rules.alarms:
        children = [child for child in children if child.name != "VALARM"]
    return drop_unreadable(Component(component.name, kept, children, component.line))


def _moment(stored: ObjectRow) -> str:
    return _stamp(stored.changed // 1_000_000)


@lru_cache(maxsize=64)
def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ")
