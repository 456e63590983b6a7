"""The folder of published files: who may read what is in it, and whose turn it is to write."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kalends import atomicfile

_OURS = 0o755
"""The permissions of the folder where we make it ourselves."""

_LIST = 0o044
"""What lets others list a folder: the names in it are secrets."""


_NAME = ".name"


class PublishedFiles:
    """Files below one folder, for a web server to read.

    What is below has the permissions of the folder itself, whatever the umask: with 0755 everybody
    on the machine may read the files, with 2750 only who is in its group. ``s/`` cannot be listed.

    Args:
        folder: where they lie; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def have_begun(self) -> bool:
        """Whether anything was ever published here."""
        return (self._folder / _NAME).exists()

    def owner(self) -> str:
        """What the records of this folder go by, on whatever host it is mounted.

        Raises:
            OSError: the folder cannot be written.
        """
        name = self._folder / _NAME
        with suppress(FileNotFoundError):
            return name.read_text("ascii")
        atomicfile.replace(name, secrets.token_hex(8).encode(), mode=0o600)
        return name.read_text("ascii")

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other process of this host write, for as long as the block.

        Raises:
            OSError: the folder cannot be made or written.
        """
        make_folder(self._folder)
        with (self._folder / ".publishing").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def stands(self, target: str) -> bool:
        """Whether there is a file at ``target``; its permissions are mended if need be."""
        path = self._folder / target
        try:
            found = path.stat()
        except FileNotFoundError:
            return False
        if stat.S_IMODE(found.st_mode) != self._file_mode():
            path.chmod(self._file_mode())
        return True

    def put(self, target: str, content: BinaryIO) -> None:
        """Let the file at ``target`` hold this, in one step; one that does is left untouched.

        Raises:
            OSError: it cannot be written; what stood there stands.
        """
        path = self._folder / target
        mode = stat.S_IMODE(self._folder.stat().st_mode)
        for folder in reversed(list(path.relative_to(self._folder).parents)[:-1]):
            made = self._folder / folder
            made.mkdir(exist_ok=True)
            wanted = mode & ~_LIST if folder == Path("s") else mode
            if stat.S_IMODE(made.stat().st_mode) != wanted:
                made.chmod(wanted)
        atomicfile.replace(path, content, mode=self._file_mode())

    def remove(self, target: str) -> None:
        """Take the file at ``target`` away, and the folders that are empty then.

        Raises:
            OSError: it cannot be taken away.
        """
        path = self._folder / target
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others lie there still
            for folder in list(path.relative_to(self._folder).parents)[:-1]:
                (self._folder / folder).rmdir()

    def _file_mode(self) -> int:
        return self._folder.stat().st_mode & 0o644 | 0o600


def make_folder(folder: Path) -> None:
    """Make the folder of published files, with what is nobody else's business in ``.versions``.

    Raises:
        OSError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
    else:
        folder.chmod(_OURS)
    hidden = folder / ".versions"
    with suppress(FileExistsError):
        hidden.mkdir(mode=0o700)
    if stat.S_IMODE(hidden.stat().st_mode) != 0o700:
        with suppress(PermissionError):  # somebody else's, who may have made it wider
            os.chmod(hidden, 0o700)  # noqa: PTH101 - Path.chmod follows the same, this is shorter
