"""Many files as one zip, piece by piece: nothing but the piece at hand is in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from unicodedata import normalize
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_BLOCK = 1 << 16
# What some file system takes for something else than a part of a name.
_ODD = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
# Octets of UTF-8; file systems take 255, with a number and a suffix.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file for the archive: its name, its time, its length in octets, and its content."""

    name: str
    changed: datetime
    length: int
    content: BinaryIO


class _Sink:
    """What `ZipFile` writes to: takes octets, and gives them away."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        """What was written since the last time."""
        data, self._pieces = b"".join(self._pieces), []
        return data


def zipped(entries: Iterable[ZipEntry]) -> Iterator[bytes]:
    """The octets of a zip file; each entry is read to its end before the next is asked for."""
    sink = _Sink()
    with ZipFile(sink, "w") as archive:  # type: ignore[call-overload] # it needs no more than this
        for entry in entries:
            info = ZipInfo(entry.name, entry.changed.timetuple()[:6])
            info.compress_type = ZIP_DEFLATED
            info.file_size = entry.length  # tells whether it needs the form for large files
            with archive.open(info, "w") as target:
                while block := entry.content.read(_BLOCK):
                    target.write(block)
                    if data := sink.taken():
                        yield data
    yield sink.taken()


def file_names(wanted: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """A name for each file that every file system takes and no other file has.

    Args:
        wanted: folder (or empty), name and suffix of each.
    """
    used: set[str] = set()
    for folder, name, suffix in wanted:
        stem = (f"{_plain(folder)}/" if folder else "") + _plain(name)
        found, number = stem + suffix, 1
        while _folded(found) in used:
            number += 1
            found = f"{stem} ({number}){suffix}"
        used.add(_folded(found))
        yield found


def _folded(name: str) -> str:
    """What is the same for names that some file system takes for one."""
    return normalize("NFC", name.casefold())


def _plain(name: str) -> str:
    """A name without what leads elsewhere or nowhere, and none of Windows' devices."""
    whole = _ODD.sub("-", normalize("NFC", name))
    # A character that is cut through is left out.
    plain = whole.encode()[:_LONGEST].decode(errors="ignore").strip(". ") or "unnamed"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain):
        return f"{plain}-"
    return plain
