"""Model of another server's folder, before anything in it is imported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from os import fsencode
from pathlib import Path

from kalends.errors import KalendsError


class FolderError(KalendsError):
    """A folder that cannot be imported or written, as a whole."""


@dataclass(frozen=True, slots=True)
class RejectedFile:
    """A file or folder that was not imported, with the line if there is one, and the reason."""

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
        href: the name of its only object; None if the file may hold any number of objects, which
            are then named by their UIDs.
    """

    path: Path
    href: str | None


@dataclass(frozen=True, slots=True)
class FolderCollection:
    """A home, calendar or address book in a folder.

    Attributes:
        path: its path in the store, without a slash at either end: ``alice/work``.
        source: the folder or file that it was read from.
        props: its properties under Radicale's names; ``tag`` is its kind, and missing in a home.
        is_home: whether it holds collections instead of objects.
    """

    path: str
    source: Path
    props: Mapping[str, str]
    files: tuple[ObjectFile, ...] = ()
    is_home: bool = False


@dataclass(slots=True)
class FolderContents:
    """The collections of a folder.

    Attributes:
        refused: files and folders that cannot be imported.
        notes: messages on everything that is skipped on purpose.
    """

    collections: list[FolderCollection] = field(default_factory=list)
    refused: list[RejectedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_entries(folder: Path, contents: FolderContents) -> Iterator[Path]:
    """List a folder by name, without hidden files, editors' backups and links to folders.

    A folder that cannot be listed is refused, and so is a name that is not UTF-8, because a URL
    cannot express it.

    Args:
        folder: the folder to list.
        contents: collects refused files and notes.
    """
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        contents.refused.append(RejectedFile(folder, None, error.strerror or "cannot be listed"))
        return
    for path in names:
        if path.name.startswith(".") or path.name.endswith("~"):
            continue
        try:
            fsencode(path.name).decode("utf-8")
        except UnicodeDecodeError:
            shown = path.with_name(ascii(path.name))
            contents.refused.append(RejectedFile(shown, None, "its name is not UTF-8"))
            continue
        if path.is_symlink() and path.is_dir():
            contents.notes.append(f"{path}: links to folders are not followed")
            continue
        yield path


def is_object_file(path: Path) -> bool:
    """Return True if a file has the suffix of a calendar or card file."""
    return path.suffix.lower() in (".ics", ".vcf") and path.is_file()
