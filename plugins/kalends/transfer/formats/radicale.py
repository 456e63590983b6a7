"""Radicale's file store (``multifilesystem``): ``collection-root/USER/CALENDAR/NAME.ics``.

A folder is a collection; its properties are JSON in ``.Radicale.props``, and every file whose name
neither begins with a dot nor ends with ``~`` is an object of that name.
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
    entries,
)

ROOT = "collection-root"
PROPS = ".Radicale.props"
TAGS = ("", "VCALENDAR", "VADDRESSBOOK", "VSUBSCRIBED")


def find(folder: Path) -> FolderContents:
    """The collections of a store.

    Args:
        folder: Radicale's ``filesystem_folder``, or the ``collection-root`` in it.

    Raises:
        FolderError: there is no such store.
    """
    root = folder / ROOT
    if not root.is_dir():
        root = folder
    if not root.is_dir():
        raise FolderError(f"{folder}: no such folder")
    if root.name != ROOT and not _is_store(root):
        raise FolderError(f"{folder}: no store of Radicale; it has no folder {ROOT}")
    found = FolderContents()
    for home in entries(root, found):
        if home.is_dir():
            _read(home, home.name, found)
        else:
            found.refused.append(RejectedFile(home, None, "stands in no calendar or address book"))
    return found


def _is_store(root: Path) -> bool:
    return any(root.glob(f"*/*/{PROPS}"))


def _read(folder: Path, path: str, found: FolderContents) -> None:
    props = _props(folder / PROPS, found)
    if props is None:
        return
    inside = list(entries(folder, found))
    files = tuple(ObjectFile(one, one.name) for one in inside if one.is_file())
    is_home = not props.get("tag")
    if is_home:
        why = "stands in no calendar or address book"
        found.refused.extend(RejectedFile(file.path, None, why) for file in files)
        files = ()
    found.collections.append(FolderCollection(path, folder, props, files, is_home))
    for one in inside:
        if one.is_dir():
            _read(one, f"{path}/{one.name}", found)


def _props(path: Path, found: FolderContents) -> dict[str, str] | None:
    """The properties; None if they cannot be read, which is noted."""
    try:
        read = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        found.refused.append(RejectedFile(path, error.lineno, f"not JSON: {error.msg}"))
        return None
    except (OSError, UnicodeDecodeError) as error:
        found.refused.append(RejectedFile(path, None, f"cannot be read: {error}"))
        return None
    if not isinstance(read, dict) or read.get("tag", "") not in TAGS:
        found.refused.append(RejectedFile(path, 1, "holds no properties of a collection"))
        return None
    # Radicale takes a null for a property that is not there, and nothing else than text.
    props = {key: value for key, value in read.items() if value is not None}
    wrong = [key for key, value in props.items() if not isinstance(value, str)]
    if wrong:
        found.refused.append(RejectedFile(path, 1, f"the value of {wrong[0]!r} is no text"))
        return None
    return props
