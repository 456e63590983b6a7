"""The store of Xandikos: a git repository with a work tree for each collection.

Collections are at ``PRINCIPAL/calendars/NAME`` and ``PRINCIPAL/contacts/NAME``. Their properties
are in ``.xandikos/config``, in older stores in a file ``.xandikos``. If there is neither, they are
in the section ``[xandikos]`` of the repository's own configuration, and the description is in
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
    is_object_file,
    list_entries,
)

_TAGS = {"calendar": "VCALENDAR", "addressbook": "VADDRESSBOOK", "subscription": "VSUBSCRIBED"}
_HOMES = ("calendars", "contacts")
# git writes this into the description of each new repository.
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
    """Find the collections of a store.

    Args:
        folder: the argument of ``-d`` that Xandikos was started with.

    Raises:
        FolderError: there is no such folder, or it is not a store of Xandikos.
    """
    if not folder.is_dir():
        raise FolderError(f"{folder}: there is no such folder")
    contents = FolderContents()
    _search(folder, folder, contents)
    if not contents.collections and not contents.refused:
        raise FolderError(f"{folder}: not a store of Xandikos: it holds no git repository")
    return contents


def _search(root: Path, folder: Path, contents: FolderContents) -> None:
    for inside in list_entries(folder, contents):
        if not inside.is_dir():
            continue
        if (inside / ".git").is_dir():
            _read(root, inside, contents)
            _search(root, inside, contents)
        elif (inside / "HEAD").is_file() and (inside / "objects").is_dir():
            why = "is a repository without a work tree; `git clone` it and import the clone"
            contents.refused.append(RejectedFile(inside, None, why))
        else:
            _search(root, inside, contents)


def _read(root: Path, folder: Path, contents: FolderContents) -> None:
    stored = _read_properties(folder, contents)
    kind = stored.get("type") or _guess_type(folder)
    if kind not in _TAGS:
        if kind not in ("", "principal"):
            contents.notes.append(f"{folder}: skipped, a {kind} cannot be imported")
        return
    tag = _TAGS[kind]
    names = _PROPERTIES[tag]
    props = {"tag": tag} | {name: stored[key] for key, name in names.items() if stored.get(key)}
    lost = sorted(stored.keys() - names.keys() - {"type"})
    if lost:
        contents.notes.append(f"{folder}: {', '.join(lost)} left out, Kalends does not store it")
    files = []
    for one in list_entries(folder, contents):
        if is_object_file(one):
            files.append(ObjectFile(one, one.name))
        elif not one.is_dir():
            contents.notes.append(f"{one}: skipped, it is not an .ics or .vcf file")
    path = _store_path(folder.relative_to(root).parts, {c.path for c in contents.collections})
    contents.collections.append(FolderCollection(path, folder, props, tuple(files)))


def _store_path(parts: tuple[str, ...], taken: set[str]) -> str:
    """Return ``user/work`` for ``user/calendars/work``, with a suffix if that is taken."""
    home = next((n for n, part in enumerate(parts) if part in _HOMES and n), None)
    if home is None:
        return "/".join(parts)
    path = "/".join((parts[home - 1], *parts[home + 1 :]))
    return f"{path}-{parts[home]}" if path in taken else path


def _guess_type(folder: Path) -> str:
    """Guess the type of a collection from its files, as Xandikos does; empty if unknown."""
    suffixes = {path.suffix.lower() for path in folder.iterdir()}
    if ".vcf" in suffixes:
        return "addressbook"
    return "calendar" if ".ics" in suffixes else ""


def _read_properties(folder: Path, contents: FolderContents) -> dict[str, str]:
    """Return the properties of a collection, by the names that Xandikos gives them."""
    for path in (folder / ".xandikos" / "config", folder / ".xandikos"):
        if path.is_file():
            parser = _parse_config(path, contents)
            stored = dict(parser.defaults())
            for section in ("calendar", "scheduling"):
                if parser.has_section(section):
                    stored |= dict(parser.items(section))
            return stored
    # git indents the lines of a section, which this parser would take for continuations.
    parser = _parse_config(folder / ".git" / "config", contents, indented=True)
    stored = dict(parser.items("xandikos")) if parser.has_section("xandikos") else {}
    if "calendar-order" in stored:
        stored["order"] = stored.pop("calendar-order")
    try:
        description = (folder / ".git" / "description").read_text("utf-8").strip()
    except OSError:
        description = ""
    if description and not description.startswith(_NO_DESCRIPTION):
        stored["description"] = description
    return {name: (value or "").strip('"') for name, value in stored.items()}


def _parse_config(
    path: Path, contents: FolderContents, *, indented: bool = False
) -> RawConfigParser:
    parser = RawConfigParser(strict=False, allow_no_value=True)
    try:
        text = path.read_text("utf-8")
        if indented:
            text = "\n".join(line.strip() for line in text.splitlines())
        parser.read_string(text)
    except (OSError, UnicodeDecodeError, ParserError) as error:
        first = str(error).partition("\n")[0]
        contents.refused.append(RejectedFile(path, None, f"cannot be read: {first}"))
        return RawConfigParser()
    return parser
