"""What a folder of another server holds, before anything of it is read into the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import fsencode
from pathlib import Path

from kalends.errors import KalendsError


class FolderError(KalendsError):
    """A folder that holds nothing of the kind that it is said to hold."""


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """Something that was not taken: the file, the line in it if one can be named, and why."""

    path: Path
    line: int | None
    why: str

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{place}: {self.why}"


@dataclass(frozen=True, slots=True)
class ObjectFile:
    """A file of calendar objects or cards.

    Attributes:
        href: the name of its one object; None for a file of any number, named by their UIDs.
    """

    path: Path
    href: str | None


@dataclass(frozen=True, slots=True)
class FolderCollection:
    """A home, calendar or address book in a folder.

    Attributes:
        path: where it belongs, without a slash at either end: ``alice/work``.
        source: the folder or file that it was found in.
        props: its properties under Radicale's names, ``tag`` among them; without ``tag``, what
            its files hold decides.
        is_home: whether it holds collections instead of objects.
    """

    path: str
    source: Path
    props: Mapping[str, str]
    files: tuple[ObjectFile, ...] = ()
    is_home: bool = False


@dataclass(slots=True)
class FolderContents:
    """All that a folder holds.

    Attributes:
        notes: what was passed over on purpose, for a person.
    """

    collections: list[FolderCollection] = field(default_factory=list)
    refused: list[RejectedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def entries(folder: Path, found: FolderContents) -> Iterator[Path]:
    """What lies in a folder, by name, but for hidden files, editors' backups and links to folders.

    A name that is not UTF-8 is refused, since no address can have it; likewise a folder that cannot
    be listed.
    """
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        found.refused.append(RejectedFile(folder, None, error.strerror or "cannot be listed"))
        return
    for path in names:
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        try:
            fsencode(path.name).decode("utf-8")
        except UnicodeDecodeError:
            shown = path.with_name(ascii(path.name))
            found.refused.append(RejectedFile(shown, None, "its name is not UTF-8"))
            continue
        if path.is_symlink() and path.is_dir():
            found.notes.append(f"{path}: a link to a folder is not followed")
            continue
        yield path


def is_object_file(path: Path) -> bool:
    """Whether a file is called as calendars and cards are."""
    return path.suffix.lower() in (".ics", ".vcf") and path.is_file()
