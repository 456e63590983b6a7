"""Any folder of calendars: ``USER/CALENDAR.ics``, ``USER/CALENDAR/NAME.ics``, cards likewise."""

from __future__ import annotations

from pathlib import Path

from kalends.common.names import GROUPS
from kalends.transfer.model import (
    FolderCollection,
    FolderContents,
    FolderError,
    ObjectFile,
    RejectedFile,
    entries,
    is_object_file,
)

_TAGS = {".ics": "VCALENDAR", ".vcf": "VADDRESSBOOK"}


def find(folder: Path) -> FolderContents:
    """The collections of a folder.

    Raises:
        FolderError: there is no such folder, or nothing of the kind in it.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder")
    found = FolderContents()
    for home in entries(folder, found):
        if not home.is_dir():
            why = "belongs to nobody: it should lie in a folder that is called as its account"
            found.refused.append(RejectedFile(home, None, why))
        elif home.name == GROUPS:
            for group in entries(home, found):
                _read_home(group, f"{GROUPS}/{group.name}", found)
        else:
            _read_home(home, home.name, found)
    if not found.collections and not found.refused:
        raise FolderError(f"{folder}: holds no USER/CALENDAR.ics and no USER/CALENDAR/*.ics")
    return found


def _read_home(home: Path, path: str, found: FolderContents) -> None:
    taken: set[str] = set()
    for inside in entries(home, found):
        if inside.is_dir():
            name, files = inside.name, _objects(inside, found)
        elif is_object_file(inside):
            name, files = inside.stem, (ObjectFile(inside, None),)
        else:
            found.refused.append(RejectedFile(inside, None, "is no .ics or .vcf file"))
            continue
        if not files:
            continue
        if name in taken:
            name = inside.name
        taken.add(name)
        tag = _TAGS[files[0].path.suffix.lower()]
        props = {"tag": tag}
        found.collections.append(FolderCollection(f"{path}/{name}", inside, props, files))


def _objects(folder: Path, found: FolderContents) -> tuple[ObjectFile, ...]:
    files = []
    for path in entries(folder, found):
        if is_object_file(path):
            files.append(ObjectFile(path, path.name))
        else:
            found.refused.append(RejectedFile(path, None, "is no .ics or .vcf file"))
    return tuple(files)
