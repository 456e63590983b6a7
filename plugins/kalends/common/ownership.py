"""Change of ownership for files that a command run by root has created for the server."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def hand_over(folder: Path, prefixes: tuple[str, ...] = ("",), *, deep: bool = False) -> None:
    """Give root's files in a folder to the owner of the folder, if this process is root's.

    Links are left unchanged, because the owner of the folder could have created them to get files
    of other users.

    Args:
        folder: the folder, which need not exist.
        prefixes: the prefixes of the names of our files.
        deep: whether to include everything below.
    """
    if os.geteuid() != 0 or not folder.is_dir():
        return
    for _, folders, files, here in os.fwalk(folder):
        owner = os.fstat(here)
        for name in (*folders, *files):
            if name.startswith(prefixes):
                # The file was removed meanwhile, or the file system is read-only, and then no file
                # was created.
                with suppress(OSError):
                    _give(name, here, owner)
        if not deep:
            break


def _give(name: str, here: int, owner: os.stat_result) -> None:
    entry = os.stat(name, dir_fd=here, follow_symlinks=False)
    is_alone = stat.S_ISREG(entry.st_mode) and entry.st_nlink == 1
    if entry.st_uid == 0 and (is_alone or stat.S_ISDIR(entry.st_mode)):
        group = -1 if entry.st_gid else owner.st_gid
        os.chown(name, owner.st_uid, group, dir_fd=here, follow_symlinks=False)
