"""Composition of a version of a feed into a file, from scratch or from the previous version."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import BinaryIO, NamedTuple

from kalends.common import atomicfile, private, progress
from kalends.common.budget import Steps
from kalends.feeds.compose.content_digest import PartKey
from kalends.feeds.compose.diff import changed_uids, serialize_calendars
from kalends.feeds.compose.part_index import PartIndex, open_part_index
from kalends.feeds.compose.render import TAIL, render_head, render_object
from kalends.feeds.compose.select import UnreadableObject, VisibleObject, select_visible
from kalends.feeds.compose.timezones import ZoneDefinition, assign_names
from kalends.feeds.compose.whole import CARD, render_card, render_whole_head
from kalends.feeds.definitions.model import Feed
from kalends.store.feed_queries import CalendarState, FeedSnapshot
from kalends.store.objects.read import ObjectRow

PARTS = "parts.db"
"""The name of the index of the newest version, in the folder of the versions."""

_BLOCK = 1 << 18
_BATCH = 200
_FEW_CHANGES = 1000
"""The number of changed objects up to which splicing is always worthwhile."""


@dataclass(slots=True)
class ComposeResult:
    """The result of a composition.

    Attributes:
        content: the digest of the version's octets.
        unreadable: the objects omitted for the first time because they cannot be read.
    """

    content: str = ""
    unreadable: list[UnreadableObject] = field(default_factory=list)


def compose_feed(
    snapshot: FeedSnapshot,
    calendars: Sequence[CalendarState],
    feed: Feed,
    today: date,
    folder: Path,
    steps: Steps,
) -> ComposeResult:
    """Compose the version of a feed from its calendars into the file `version_name` of its digest.

    A version composed from the previous one equals one composed from scratch, octet for octet. If
    nothing changes in it, its file stays.

    Args:
        snapshot: the store at the moment of the version.
        calendars: the calendars that the feed merges, ordered by path.
        feed: the definition.
        today: the UTC date, which matters for a feed with a window.
        folder: the folder to write to, with the earlier versions of the feed.
        steps: what reading an object may cost.

    Raises:
        OSError: there is no space left, or the disk fails.
    """
    composition = _Composition(snapshot, calendars, feed, today, folder, steps)
    try:
        with open_part_index(folder / PARTS) as parts:
            composition.run(parts)
    except sqlite3.OperationalError as error:
        if "full" not in str(error):
            raise
        raise OSError(errno.ENOSPC, "no space left for a feed", str(folder)) from error
    else:
        if composition.is_new:
            target = folder / version_name(composition.result.content)
            atomicfile.move_into_place(composition.temporary, target, durable=False)
    finally:
        # After a failure the unfinished files must not occupy the disk.
        composition.temporary.unlink(missing_ok=True)
        composition.body.unlink(missing_ok=True)
    return composition.result


def version_name(content: str, coding: str = "") -> str:
    """Return the name of the file of a version.

    Args:
        content: the digest of its octets.
        coding: the content coding: ``gzip``, or empty for the text itself.
    """
    return f"{content}.{'gz' if coding else 'ics'}"


class _Text(NamedTuple):
    """The text of one object in a feed, and its entry in the index."""

    key: PartKey
    octets: bytes
    zones: Mapping[ZoneDefinition, bytes]
    leaving_date: date | None


class _Composition:
    """The composition of one version.

    Attributes:
        is_new: False if its octets are those of the previous version, whose file stays.
    """

    def __init__(
        self,
        snapshot: FeedSnapshot,
        calendars: Sequence[CalendarState],
        feed: Feed,
        today: date,
        folder: Path,
        steps: Steps,
    ) -> None:
        self._steps = steps
        self._snapshot = snapshot
        self._calendars = {calendar.id: calendar for calendar in calendars}
        self._paths = {calendar.id: calendar.path for calendar in calendars}
        self._feed = feed
        self._today = today
        self._folder = folder
        self.temporary = folder / "version.tmp"
        self.body = folder / "version.body"
        self.result = ComposeResult()
        self.is_new = True

    def run(self, parts: PartIndex) -> None:
        """Write the version to ``temporary``, unless its file exists, and record its parts."""
        before = parts.state
        known = parts.unreadable()
        if not (before and self._compose_from_previous(parts, before)):
            self._compose_from_scratch(parts)
        self.result.unreadable = [one for one in parts.unreadable() if one not in known]
        parts.record_version(
            version=version_name(self.result.content),
            day=self._today.isoformat(),
            calendars=serialize_calendars(self._calendars.values()),
            rules=self._rules(),
        )

    def _rules(self) -> str:
        """Return what decides how each object is shown, and if it can be read."""
        return repr((self._feed.rules, self._steps.object))

    def _compose_from_scratch(self, parts: PartIndex) -> None:
        shared = frozenset(self._snapshot.shared_uids(list(self._calendars)))
        names: Mapping[ZoneDefinition, str] = {}
        while True:
            parts.clear()
            with private.open_for_writing(self.body) as out:
                for copy in self._visible_objects(parts, shared):
                    text = _render(copy, names)
                    parts.add(text.key, text.octets, text.zones, text.leaving_date)
                    out.write(text.octets)
            found = assign_names(parts.zones())
            if all(names.get(zone, zone.tzid) == name for zone, name in found.items()):
                break
            # Only now it is known that two definitions share a TZID: repeat with their new names.
            names = found
        with private.open_for_writing(self.temporary) as out:
            opening = self._head(parts)
            out.write(opening)
            with self.body.open("rb") as source:
                shutil.copyfileobj(source, out, _BLOCK)
            out.write(b"" if self._feed.rules.components == CARD else TAIL)
        self.result.content = parts.content_digest(opening)
        parts.record_version(head=str(len(opening)))

    def _compose_from_previous(self, parts: PartIndex, before: Mapping[str, str]) -> bool:
        """Compose the version from the previous one; return False if that is not possible."""
        old = self._folder / before.get("version", "")
        if before.get("rules") != self._rules() or not old.is_file():
            return False
        if self._today.isoformat() < before.get("day", ""):  # the clock was put back
            return False
        uids = changed_uids(
            self._snapshot, parts, before["calendars"], self._calendars, self._today
        )
        if uids is None or (len(uids) > _FEW_CHANGES and len(uids) > parts.count() // 4):
            return False  # from scratch is as fast
        names = assign_names(parts.zones())
        edits = self._find_edits(parts, sorted(uids), names)
        now = assign_names(parts.zones())
        if any(names.get(zone, zone.tzid) != name for zone, name in now.items()):
            return False
        opening = self._head(parts)
        self.result.content = parts.content_digest(opening)
        self.is_new = version_name(self.result.content) != old.name
        if self.is_new:
            with old.open("rb") as source, private.open_for_writing(self.temporary) as out:
                out.write(opening)
                _splice(source, out, int(before["head"]), edits)
        parts.record_version(head=str(len(opening)))
        return True

    def _find_edits(
        self, parts: PartIndex, uids: Sequence[str], names: Mapping[ZoneDefinition, str]
    ) -> list[tuple[int, int, bytes]]:
        """Return the edits of the old body, in order: offset, length to delete, text to insert."""
        gone = parts.find(uids)
        parts.delete_records(uids)
        fresh: list[_Text] = []
        for first in range(0, len(uids), _BATCH):  # texts are small, objects are not
            some = uids[first : first + _BATCH]
            stored = self._snapshot.objects_with_uids(list(self._calendars), some)
            fresh += [_render(copy, names) for copy in self._select(parts, stored)]
        # All offsets are those of the old body, so they are computed before any change.
        offsets = parts.offsets({key for key, _ in gone} | {text.key for text in fresh})
        for key, _ in gone:
            parts.remove(key)
        for text in fresh:
            parts.add(text.key, text.octets, text.zones, text.leaving_date)
        edits = [(offsets[key], key, length, b"") for key, length in gone]
        edits += [(offsets[text.key], text.key, 0, text.octets) for text in fresh]
        edits.sort(key=lambda edit: (edit[0], edit[1], -edit[2]))
        return [(offset, length, octets) for offset, _, length, octets in edits]

    def _visible_objects(self, parts: PartIndex, shared: frozenset[str]) -> Iterator[VisibleObject]:
        """Yield all objects that the feed shows, in its order."""
        pending: dict[str, dict[int, VisibleObject]] = {}
        for calendar in sorted(self._calendars.values(), key=lambda c: c.path):
            for stored in self._snapshot.objects(calendar.id):
                progress.report()
                if stored.uid in shared:
                    if stored.uid not in pending:
                        copies = self._snapshot.objects_with_uids(
                            list(self._calendars), [stored.uid]
                        )
                        visible = self._select(parts, copies)
                        pending[stored.uid] = {copy.stored.id: copy for copy in visible}
                    copy = pending[stored.uid].pop(stored.id, None)
                else:
                    copy = next(iter(self._select(parts, [stored])), None)
                if copy:
                    yield copy

    def _select(self, parts: PartIndex, stored: Iterable[ObjectRow]) -> list[VisibleObject]:
        """Return the visible objects among all copies of some UIDs."""
        stored = list(stored)
        parts.record_shared(stored)
        found = select_visible(stored, self._paths, self._feed.rules, self._today, self._steps)
        for unreadable in found.unreadable:
            parts.record_unreadable(unreadable)
        return found.copies

    def _head(self, parts: PartIndex) -> bytes:
        if self._feed.rules.components == CARD:
            return b""
        zones = parts.zones()
        colors = {c.props.get("ICAL:calendar-color", "")[:7] for c in self._calendars.values()}
        shared = colors.pop() if len(colors) == 1 else ""
        color = self._feed.rules.color or (shared if _is_color(shared) else "")
        named = assign_names(zones)
        if self._feed.rules.whole:
            (calendar,) = self._calendars.values()
            return render_whole_head(calendar, color.upper(), zones, named)
        return render_head(self._feed.rules, color.upper(), zones, named)


def _render(copy: VisibleObject, names: Mapping[ZoneDefinition, str]) -> _Text:
    texts = {use.zone: use.text for use in copy.zones.values()}
    if copy.components:
        octets = render_object(copy, {zone: names.get(zone, zone.tzid) for zone in texts})
    else:
        octets = render_card(copy)
    return _Text(
        PartKey(copy.path, copy.stored.uid, copy.stored.id), octets, texts, copy.leaving_date
    )


def _is_color(text: str) -> bool:
    return (
        len(text) == 7 and text[0] == "#" and all(c in "0123456789abcdefABCDEF" for c in text[1:])
    )


def _splice(
    source: BinaryIO, out: BinaryIO, start: int, edits: Sequence[tuple[int, int, bytes]]
) -> None:
    """Copy the body and tail of the old version from ``start`` on, with the edits applied."""
    position = 0
    for offset, length, text in edits:
        _copy(source, out, start + position, offset - position)
        # A replacement has the same offset as the part that it replaces.
        position = max(position, offset + length)
        out.write(text)
    _copy(source, out, start + position, source.seek(0, os.SEEK_END) - start - position)


def _copy(source: BinaryIO, out: BinaryIO, start: int, length: int) -> None:
    """Copy a part of a file to the current position of another."""
    if hasattr(os, "copy_file_range"):  # the kernel copies, and other threads can run
        out.flush()
        with suppress(OSError):  # for example between file systems; copy by blocks then
            while length > 0:
                done = os.copy_file_range(source.fileno(), out.fileno(), length, start)
                if not done:
                    break
                start, length = start + done, length - done
    source.seek(start)
    while length > 0:
        block = source.read(min(_BLOCK, length))
        if not block:
            raise OSError(errno.EIO, "a version of a feed has become shorter", source.name)
        out.write(block)
        length -= len(block)
