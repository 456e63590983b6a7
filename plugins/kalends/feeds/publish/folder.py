"""The folder of published files: who may read what is in it, and whose turn it is to write."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kalends.common import atomicfile

_DEFAULT_MODE = 0o755
"""The permissions of the folder where we make it ourselves."""

_LISTABLE = 0o044
"""What lets others list a folder: the names in it are secrets."""

_PERMISSIONS = 0o777
"""The others of a new folder come from the one above it; to set them takes them from it where we
are not in its group."""

_NAME = ".name"


class PublicationFolder:
    """Files below one folder, for a web server to read.

    What is below has the permissions of the folder itself, whatever the umask, and its group as far
    as we may give it: with 0755 everybody on the machine may read the files, with 2750 only who is
    in its group. ``s/`` cannot be listed.

    Args:
        folder: where they lie; made if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def has_published(self) -> bool:
        """Whether anything was ever published here."""
        return (self._folder / _NAME).exists()

    def identity(self) -> str:
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
    def lock(self) -> Iterator[None]:
        """Let no other process of this host write, for as long as the block.

        Raises:
            OSError: the folder cannot be made or written.
        """
        make_folder(self._folder)
        with (self._folder / ".publishing").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def is_valid(self, target: str) -> bool:
        """Whether there is a file at ``target`` with the permissions that it should have."""
        try:
            found = (self._folder / target).lstat()
            return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == self._file_mode()
        except OSError:
            return False

    def repair(self, target: str) -> bool:
        """Whether there is a file at ``target`` as it should be; what can be mended of it is.

        Raises:
            OSError: it cannot be looked at.
        """
        path = self._folder / target
        try:
            folders_are_right = all(
                self._repair_permissions(folder, mode, stat.S_ISDIR)
                for folder, mode in self._parents_of(path)
            )
            return folders_are_right and self._repair_permissions(
                path, self._file_mode(), stat.S_ISREG
            )
        except FileNotFoundError:
            return False

    def put(self, target: str, content: BinaryIO) -> None:
        """Let the file at ``target`` hold this, in one step; one that does is left untouched.

        Raises:
            OSError: it cannot be written; what stood there stands.
        """
        path = self._folder / target
        for folder, mode in self._parents_of(path):
            folder.mkdir(mode & _PERMISSIONS, exist_ok=True)
            if not self._repair_permissions(folder, mode, stat.S_ISDIR):
                why = "its folder belongs to somebody else, and has other permissions"
                raise PermissionError(errno.EPERM, why)
        group = self._folder.stat().st_gid
        force = not self.repair(target)
        atomicfile.replace(path, content, mode=self._file_mode(), group=group, force=force)

    def remove(self, target: str) -> None:
        """Take the file at ``target`` away, and the folders that are empty then.

        Raises:
            OSError: it cannot be taken away.
        """
        path = self._folder / target
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        with suppress(OSError):  # others lie there still
            for folder in list(path.relative_to(self._folder).parents)[:-1]:
                (self._folder / folder).rmdir()

    def _file_mode(self) -> int:
        return self._folder.stat().st_mode & 0o644 | 0o600

    def _parents_of(self, path: Path) -> Iterator[tuple[Path, int]]:
        """The folders between ours and a file, from above, with the permissions they should have.

        One that is a link is its maker's business.
        """
        mode = stat.S_IMODE(self._folder.stat().st_mode)
        for folder in reversed(list(path.relative_to(self._folder).parents)[:-1]):
            made = self._folder / folder
            if not made.is_symlink():
                yield made, mode & ~_LISTABLE if folder == Path("s") else mode

    def _repair_permissions(self, path: Path, mode: int, is_kind: Callable[[int], bool]) -> bool:
        """Whether a file or folder has these permissions, now at least; and our folder's group.

        A group that we may not give it to is let be: `kalends check` tells of it. A link is not
        followed, and what has another name too is let be: what belongs to others is not ours to
        give, which counts where root does this.

        Raises:
            FileNotFoundError: it is not there.
        """
        group = self._folder.stat().st_gid
        found = path.lstat()
        has_another_name = stat.S_ISREG(found.st_mode) and found.st_nlink > 1
        if not is_kind(found.st_mode) or has_another_name:
            return False
        if (stat.S_IMODE(found.st_mode), found.st_gid) == (mode, group):
            return True
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except PermissionError:
            return False
        try:
            if found.st_gid != group:
                with suppress(OSError):  # not permitted, or a group that is unknown here
                    os.fchown(descriptor, -1, group)
            if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
                os.fchmod(descriptor, mode)
        except PermissionError:
            return False
        finally:
            os.close(descriptor)
        return True


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
        folder.chmod(_DEFAULT_MODE)
    hidden = folder / ".versions"
    with suppress(FileExistsError):
        hidden.mkdir(mode=0o700)
    if stat.S_IMODE(hidden.stat().st_mode) != 0o700:
        with suppress(PermissionError):  # somebody else's, who may have made it wider
            os.chmod(hidden, 0o700)  # noqa: PTH101 - Path.chmod follows the same, this is shorter
