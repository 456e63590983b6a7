"""Xandikos' store: a git repository with a work tree for each collection.

Collections lie at ``PRINCIPAL/calendars/NAME`` and ``PRINCIPAL/contacts/NAME``. What they are
called stands in ``.xandikos/config``, in older stores in a file ``.xandikos``, and where there is
neither, in the section ``[xandikos]`` of the repository's own configuration, the description in
``.git/description``.
"""

from __future__ import annotations

from configparser import Error as ParserError
from configparser import RawConfigParser
from pathlib import Path

from kalends.transfer.model import (
    FolderCollection,
    FolderContents,
    FolderError,
    ObjectFile,
    RejectedFile,
    entries,
    is_object_file,
)

_TAGS = {"calendar": "VCALENDAR", "addressbook": "VADDRESSBOOK", "subscription": "VSUBSCRIBED"}
_HOMES = ("calendars", "contacts")
# What git writes into the description of every new repository.
_NO_DESCRIPTION = "Unnamed repository"
_PROPERTIES = {
    "VCALENDAR": {
        "displayname": "D:displayname",
        "description": "C:calendar-description",
        "color": "ICAL:calendar-color",
        "order": "ICAL:calendar-order",
        "timezone": "C:calendar-timezone",
        "refreshrate": "ICAL:refreshrate",
    },
    "VADDRESSBOOK": {
        "displayname": "D:displayname",
        "description": "CR:addressbook-description",
        "color": "{http://inf-it.com/ns/ab/}addressbook-color",
    },
    "VSUBSCRIBED": {
        "displayname": "D:displayname",
        "color": "ICAL:calendar-color",
        "order": "ICAL:calendar-order",
        "source": "CS:source",
        "refreshrate": "ICAL:refreshrate",
    },
}


def find(folder: Path) -> FolderContents:
    """The collections of a store.

    Args:
        folder: what Xandikos was started with as ``-d``.

    Raises:
        FolderError: there is no such store.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: no such folder")
    found = FolderContents()
    _search(folder, folder, found)
    if not found.collections and not found.refused:
        raise FolderError(f"{folder}: no store of Xandikos; no folder in it is a git repository")
    return found


def _search(root: Path, folder: Path, found: FolderContents) -> None:
    for inside in entries(folder, found):
        if not inside.is_dir():
            continue
        if (inside / ".git").is_dir():
            _read(root, inside, found)
            _search(root, inside, found)
        elif (inside / "HEAD").is_file() and (inside / "objects").is_dir():
            why = "is a repository without a work tree; `git clone` makes one that can be read"
            found.refused.append(RejectedFile(inside, None, why))
        else:
            _search(root, inside, found)


def _read(root: Path, folder: Path, found: FolderContents) -> None:
    said = _said(folder, found)
    kind = said.get("type") or _kind_of(folder)
    if kind not in _TAGS:
        if kind not in ("", "principal"):
            found.notes.append(f"{folder}: a {kind} is passed over")
        return
    tag = _TAGS[kind]
    names = _PROPERTIES[tag]
    props = {"tag": tag} | {name: said[key] for key, name in names.items() if said.get(key)}
    lost = sorted(said.keys() - names.keys() - {"type"})
    if lost:
        found.notes.append(f"{folder}: {', '.join(lost)} left out: Kalends has no place for it")
    files = []
    for one in entries(folder, found):
        if is_object_file(one):
            files.append(ObjectFile(one, one.name))
        elif not one.is_dir():
            found.notes.append(f"{one}: passed over: it is no .ics or .vcf file")
    path = _path_of(folder.relative_to(root).parts, {c.path for c in found.collections})
    found.collections.append(FolderCollection(path, folder, props, tuple(files)))


def _path_of(parts: tuple[str, ...], taken: set[str]) -> str:
    """``user/calendars/work`` is ``user/work``; two that would meet are told apart."""
    home = next((n for n, part in enumerate(parts) if part in _HOMES and n), None)
    if home is None:
        return "/".join(parts)
    path = "/".join((parts[home - 1], *parts[home + 1 :]))
    return f"{path}-{parts[home]}" if path in taken else path


def _kind_of(folder: Path) -> str:
    """What a collection without a stated type is, by its files as for Xandikos, or empty."""
    suffixes = {path.suffix.lower() for path in folder.iterdir()}
    if ".vcf" in suffixes:
        return "addressbook"
    return "calendar" if ".ics" in suffixes else ""


def _said(folder: Path, found: FolderContents) -> dict[str, str]:
    """What the store says of a collection, by Xandikos' own names."""
    for path in (folder / ".xandikos" / "config", folder / ".xandikos"):
        if path.is_file():
            parser = _parsed(path, found)
            said = dict(parser.defaults())
            for section in ("calendar", "scheduling"):
                if parser.has_section(section):
                    said |= dict(parser.items(section))
            return said
    # git indents the lines of a section, which for this parser would continue the one before.
    parser = _parsed(folder / ".git" / "config", found, indented=True)
    said = dict(parser.items("xandikos")) if parser.has_section("xandikos") else {}
    if "calendar-order" in said:
        said["order"] = said.pop("calendar-order")
    try:
        description = (folder / ".git" / "description").read_text("utf-8").strip()
    except OSError:
        description = ""
    if description and not description.startswith(_NO_DESCRIPTION):
        said["description"] = description
    return {name: (value or "").strip('"') for name, value in said.items()}


def _parsed(path: Path, found: FolderContents, *, indented: bool = False) -> RawConfigParser:
    parser = RawConfigParser(strict=False, allow_no_value=True)
    try:
        text = path.read_text("utf-8")
        if indented:
            text = "\n".join(line.strip() for line in text.splitlines())
        parser.read_string(text)
    except (OSError, UnicodeDecodeError, ParserError) as error:
        first = str(error).partition("\n")[0]
        found.refused.append(RejectedFile(path, None, f"cannot be read: {first}"))
        return RawConfigParser()
    return parser
