"""Gives what a command of root's has made to the user whom the folder belongs to: the server."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path


def hand_over(folder: Path, prefixes: tuple[str, ...] = ("",), *, deep: bool = False) -> None:
    """Give what belongs to root in a folder to the folder's owner, if we are root.

    A folder of root's own is left as it is, as are links: whoever owns the folder could have put
    them there for files of others.

    Args:
        folder: it need not exist.
        prefixes: how the names of what is ours begin.
        deep: whether everything below is ours too.
    """
    if os.geteuid() != 0 or not folder.is_dir():
        return
    for _, folders, files, here in os.fwalk(folder):
        owner = os.fstat(here)
        for name in (*folders, *files):
            if name.startswith(prefixes):
                # It has gone since, or nothing can be written: then nothing was made.
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
