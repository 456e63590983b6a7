"""Plain folders of files: ``USER/CALENDAR.ics`` or ``USER/CALENDAR/NAME.ics``, or ``.vcf``."""

from __future__ import annotations

from pathlib import Path

from kalends.common.names import GROUPS
from kalends.transfer.model import (
    FolderCollection,
    FolderContents,
    FolderError,
    ObjectFile,
    RejectedFile,
    is_object_file,
    list_entries,
)

_TAGS = {".ics": "VCALENDAR", ".vcf": "VADDRESSBOOK"}


def find(folder: Path) -> FolderContents:
    """Find the collections of a folder.

    Raises:
        FolderError: the folder does not exist, or holds no such files.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: there is no such folder")
    contents = FolderContents()
    for home in list_entries(folder, contents):
        if not home.is_dir():
            why = "does not belong to an account: move it into a folder named after one"
            contents.refused.append(RejectedFile(home, None, why))
        elif home.name == GROUPS:
            for group in list_entries(home, contents):
                _read_home(group, f"{GROUPS}/{group.name}", contents)
        else:
            _read_home(home, home.name, contents)
    if not contents.collections and not contents.refused:
        raise FolderError(f"{folder}: holds no USER/CALENDAR.ics and no USER/CALENDAR/*.ics")
    return contents


def _read_home(home: Path, path: str, contents: FolderContents) -> None:
    taken: set[str] = set()
    for inside in list_entries(home, contents):
        if inside.is_dir():
            name, files = inside.name, _objects(inside, contents)
        elif is_object_file(inside):
            name, files = inside.stem, (ObjectFile(inside, None),)
        else:
            contents.refused.append(RejectedFile(inside, None, "is not an .ics or .vcf file"))
            continue
        if not files:
            continue
        if name in taken:
            name = inside.name
        taken.add(name)
        tag = _TAGS[files[0].path.suffix.lower()]
        props = {"tag": tag}
        contents.collections.append(FolderCollection(f"{path}/{name}", inside, props, files))


def _objects(folder: Path, contents: FolderContents) -> tuple[ObjectFile, ...]:
    files = []
    for path in list_entries(folder, contents):
        if is_object_file(path):
            files.append(ObjectFile(path, path.name))
        else:
            contents.refused.append(RejectedFile(path, None, "is not an .ics or .vcf file"))
    return tuple(files)
