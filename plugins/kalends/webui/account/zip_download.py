"""A zip archive as a stream: only the current block is in memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO
from unicodedata import normalize
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

_BLOCK = 1 << 16
# Characters with a special meaning in the names of some file system.
_SPECIAL = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
# Octets of UTF-8; file systems allow 255, including the number and the suffix.
_MAX_OCTETS = 200


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """A file for the archive: its name, its time, its length in octets, and its content."""

    name: str
    changed: datetime
    length: int
    content: BinaryIO


class _Sink:
    """A file for `ZipFile` to write to, whose octets can be taken out."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: there is no buffer below."""

    def take(self) -> bytes:
        """Return the octets that were written since the last call."""
        data, self._pieces = b"".join(self._pieces), []
        return data


def zipped(entries: Iterable[ZipEntry]) -> Iterator[bytes]:
    """Yield the octets of a zip file; each entry is read to its end before the next."""
    sink = _Sink()
    with ZipFile(sink, "w") as archive:  # type: ignore[call-overload] # it needs no more than this
        for entry in entries:
            info = ZipInfo(entry.name, entry.changed.timetuple()[:6])
            info.compress_type = ZIP_DEFLATED
            info.file_size = entry.length  # decides whether it needs the ZIP64 format
            with archive.open(info, "w") as target:
                while block := entry.content.read(_BLOCK):
                    target.write(block)
                    if data := sink.take():
                        yield data
    yield sink.take()


def file_names(wanted: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    """Yield a unique name for each file that every file system accepts.

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
    """Return a key that is equal for names that some file system treats as the same."""
    return normalize("NFC", name.casefold())


def _plain(name: str) -> str:
    """Return a name without special characters that is not one of Windows' devices."""
    whole = _SPECIAL.sub("-", normalize("NFC", name))
    # A character that is cut in the middle is left out.
    plain = whole.encode()[:_MAX_OCTETS].decode(errors="ignore").strip(". ") or "unnamed"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", plain):
        return f"{plain}-"
    return plain
