"""Folder of published files: permissions, atomic replacement, and a lock for writers."""

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

from kalends.common import atomicfile, private

VERSIONS = ".versions"
"""The folder of composed versions; never served."""

_DEFAULT_MODE = 0o755
"""The permissions of the folder, and of missing ones above it, if Kalends creates it: a web server
reads the files in it."""

_LISTABLE = 0o044
"""The permission for others to list a folder; withheld where the names in it are secrets."""

_PERMISSIONS = 0o777
"""A new folder inherits the special bits (set-group-ID) from its parent; chmod would clear them
where the process is not in the group."""

_NAME = ".name"


class PublicationFolder:
    """Files below one folder, for a web server to read.

    Files and folders in it get the permissions of the folder itself, whatever the umask, and its
    group if permitted: with 0755 everybody on the machine may read the files, with 2750 only
    members of its group. ``s/`` cannot be listed.

    Args:
        folder: the folder; created if it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def has_published(self) -> bool:
        """True if anything has ever been published here."""
        return (self._folder / _NAME).exists()

    def identity(self) -> str:
        """Return the name of this folder in the records, the same on each host that mounts it.

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
        """Keep other processes of this host from writing during the block.

        Raises:
            OSError: the folder cannot be created or written.
        """
        make_feeds_folder(self._folder)
        with private.open_for_writing(self._folder / ".publishing") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def is_valid(self, target: str) -> bool:
        """Return True if there is a file at ``target`` with the right permissions."""
        try:
            found = (self._folder / target).lstat()
            return stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == self._file_mode()
        except OSError:
            return False

    def repair(self, target: str) -> bool:
        """Repair the permissions of a file; return True if it exists and they are right now.

        Raises:
            OSError: the file cannot be examined.
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
        """Replace the file at ``target`` in one step, unless it has this content already.

        Raises:
            OSError: the file cannot be written; the old one stays.
        """
        path = self._folder / target
        for folder, mode in self._parents_of(path):
            folder.mkdir(mode & _PERMISSIONS, exist_ok=True)
            if not self._repair_permissions(folder, mode, stat.S_ISDIR):
                why = "its folder has wrong permissions and belongs to another user"
                raise PermissionError(errno.EPERM, why)
        group = self._folder.stat().st_gid
        force = not self.repair(target)
        atomicfile.replace(path, content, mode=self._file_mode(), group=group, force=force)

    def remove(self, target: str) -> None:
        """Remove the file at ``target``, and the folders that are empty then.

        Raises:
            OSError: the file cannot be removed.
        """
        path = self._folder / target
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
        with suppress(OSError):  # the folder is not empty
            for folder in list(path.relative_to(self._folder).parents)[:-1]:
                (self._folder / folder).rmdir()

    def _file_mode(self) -> int:
        return self._folder.stat().st_mode & 0o644 | 0o600

    def _parents_of(self, path: Path) -> Iterator[tuple[Path, int]]:
        """Yield the folders between this one and a file, top down, with their right permissions.

        A folder that is a symbolic link is left to whoever made it.
        """
        mode = stat.S_IMODE(self._folder.stat().st_mode)
        for folder in reversed(list(path.relative_to(self._folder).parents)[:-1]):
            found = self._folder / folder
            if not found.is_symlink():
                yield found, mode & ~_LISTABLE if folder == Path("s") else mode

    def _repair_permissions(self, path: Path, mode: int, is_kind: Callable[[int], bool]) -> bool:
        """Repair the permissions and group of a file or folder; return True if they are right now.

        A group that this process may not assign is ignored: `kalends check` reports it. Symbolic
        links are not followed, and files with more than one hard link are not changed: root must
        not change a file that somebody else has linked here.

        Raises:
            FileNotFoundError: it does not exist.
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


def make_feeds_folder(folder: Path) -> None:
    """Create the folder of published files, and in it ``.versions`` with permissions for us alone.

    Raises:
        OSError: the folder cannot be created.
    """
    private.make_folder(folder, _DEFAULT_MODE)
    hidden = folder / VERSIONS
    private.make_folder(hidden)
    if stat.S_IMODE(hidden.stat().st_mode) != private.FOLDER:
        with suppress(
            PermissionError
        ):  # it belongs to somebody else, who may have chosen other permissions
            hidden.chmod(private.FOLDER)
