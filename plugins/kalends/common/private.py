"""Folders and files with permissions of their own, whatever the umask.

Everything that Kalends makes is for its own account alone, except for published files and the
folders above them (`feeds.publish.folder`), user files, logs and sockets, whose makers say so.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

FILE = 0o600
FOLDER = 0o700

_PERMISSIONS = 0o777


def make_folder(folder: Path, mode: int = FOLDER) -> None:
    """Create a folder, and the folders above it that are missing, unless it exists.

    Args:
        folder: the folder.
        mode: the permissions of all that are created.

    Raises:
        OSError: it cannot be created, or there is a file of that name.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent, mode)
    try:
        folder.mkdir(mode)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        # Only if the umask has withheld something: this would clear a set-group-ID bit where the
        # process is not in the group.
        if folder.stat().st_mode & _PERMISSIONS != mode:
            folder.chmod(mode)


def open_for_writing(path: Path) -> BinaryIO:
    """Open a file for writing, empty; if it is new, it is for its owner alone.

    Raises:
        OSError: it cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, FILE), "wb")


def create_if_missing(path: Path) -> None:
    """Create an empty file for its owner alone, unless it exists or cannot be created."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with suppress(OSError):  # the next open reports the reason
        os.close(os.open(path, flags, FILE))


def open_lock(path: Path, guarded: Path) -> int:
    """Open a file to lock it, with the permissions of the file that it guards if it is new.

    So each account that may use that file finds the lock. Reading suffices for a lock.

    Args:
        path: the file to lock, which stays empty.
        guarded: the file that it guards, which may be missing.

    Returns:
        the descriptor.

    Raises:
        OSError: it cannot be opened.
    """
    try:
        mode = stat.S_IMODE(guarded.stat().st_mode) & 0o666
    except OSError:
        mode = FILE
    return os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, mode)
