"""Radicale's file store (``multifilesystem``): ``collection-root/USER/CALENDAR/NAME.ics``.

A folder is a collection, with its properties as JSON in ``.Radicale.props``. Every other file is an
object named after the file, unless that name begins with a dot or ends with ``~``.
"""

from __future__ import annotations

import json
from pathlib import Path

from kalends.transfer.model import (
    FolderCollection,
    FolderContents,
    FolderError,
    ObjectFile,
    RejectedFile,
    list_entries,
)

ROOT = "collection-root"
PROPS = ".Radicale.props"
ALIASES = "{urn:x-kalends}aliases"
"""The property in an export that holds the former names of a collection, as a JSON list."""

TAGS = ("", "VCALENDAR", "VADDRESSBOOK", "VSUBSCRIBED")


def find(folder: Path) -> FolderContents:
    """Find the collections of a store.

    Args:
        folder: Radicale's ``filesystem_folder``, or the ``collection-root`` in it.

    Raises:
        FolderError: there is no such folder, or it is not a store of Radicale.
    """
    root = folder / ROOT
    if not root.is_dir():
        root = folder
    if not root.is_dir():
        raise FolderError(f"{folder}: there is no such folder")
    if root.name != ROOT and not _is_store(root):
        raise FolderError(f"{folder}: not a store of Radicale: it has no folder {ROOT}")
    contents = FolderContents()
    for home in list_entries(root, contents):
        if home.is_dir():
            _read(home, home.name, contents)
        else:
            contents.refused.append(
                RejectedFile(home, None, "is not in a calendar or address book")
            )
    return contents


def _is_store(root: Path) -> bool:
    return any(root.glob(f"*/*/{PROPS}"))


def _read(folder: Path, path: str, contents: FolderContents) -> None:
    props = _props(folder / PROPS, contents)
    if props is None:
        return
    inside = list(list_entries(folder, contents))
    files = tuple(ObjectFile(one, one.name) for one in inside if one.is_file())
    is_home = not props.get("tag")
    if is_home:
        why = "is not in a calendar or address book"
        contents.refused.extend(RejectedFile(file.path, None, why) for file in files)
        files = ()
    contents.collections.append(FolderCollection(path, folder, props, files, is_home))
    for one in inside:
        if one.is_dir():
            _read(one, f"{path}/{one.name}", contents)


def _props(path: Path, contents: FolderContents) -> dict[str, str] | None:
    """Return the properties of a collection, or None after refusing a file that is damaged."""
    try:
        read = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        contents.refused.append(RejectedFile(path, error.lineno, f"is not JSON: {error.msg}"))
        return None
    except (OSError, UnicodeDecodeError) as error:
        contents.refused.append(RejectedFile(path, None, f"cannot be read: {error}"))
        return None
    if not isinstance(read, dict) or read.get("tag", "") not in TAGS:
        contents.refused.append(
            RejectedFile(path, 1, "does not hold the properties of a collection")
        )
        return None
    # Radicale ignores a property whose value is null, and accepts nothing else but text.
    props = {key: value for key, value in read.items() if value is not None}
    wrong = [key for key, value in props.items() if not isinstance(value, str)]
    if wrong:
        contents.refused.append(RejectedFile(path, 1, f"the value of {wrong[0]!r} is not text"))
        return None
    return props
