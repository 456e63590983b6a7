"""Atomic replacement of files: a reader sees the old content or the new, never a part of it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 20


class HalfReplacedError(OSError):
    """Some of several files were replaced, and their old content could not be restored.

    Attributes:
        replaced: the files that have the new content.
    """

    def __init__(self, failure: OSError, replaced: list[Path]) -> None:
        super().__init__(failure.errno, failure.strerror, failure.filename)
        self.replaced = replaced


def replace(
    path: Path,
    content: bytes | BinaryIO,
    *,
    mode: int = 0o644,
    group: int = -1,
    force: bool = False,
) -> bool:
    """Write ``content`` to ``path`` durably; a file that already has it is left untouched.

    Args:
        path: the file, in an existing folder.
        content: octets, or a seekable file that is read from its beginning.
        mode: the permissions of the new file; by default others, such as a web server, may read it.
        group: the number of the new file's group, which is set if permitted; -1 for the default.
        force: whether to replace the file even if it already has the content; it is not read then.

    Returns:
        True if the file was replaced.

    Raises:
        OSError: the file could not be written; it still has the old content, and no temporary file
            is left.
    """
    source = BytesIO(content) if isinstance(content, bytes) else content
    if not force and _has_content(path, source):
        return False

    def set_attributes(descriptor: int, _: Path) -> None:
        with suppress(OSError):  # not permitted, or a group that is unknown in this namespace
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)

    with _temporary_file(path, source, set_attributes) as temporary:
        move_into_place(temporary, path)
    return True


def move_into_place(made: Path, path: Path, *, durable: bool = True) -> None:
    """Replace ``path`` with a file of the same folder, atomically.

    Args:
        made: the file with the new content; if that must be durable, the caller has synced it.
        path: the file to replace.
        durable: whether to sync the folder; not needed for a file that can be recreated.

    Raises:
        OSError: the file cannot be moved; ``path`` still has the old content.
    """
    made.replace(path)
    if durable:
        sync_folder(path.parent)


def replace_together(
    contents: Mapping[Path, bytes], before: Mapping[Path, bytes], mode: Callable[[Path, int], int]
) -> None:
    """Write several files durably: all of them, or none.

    A file keeps its owner, group, permissions and extended attributes, such as POSIX ACLs. A new
    file gets the owner and group of its folder as far as this is permitted.

    Args:
        contents: the new content by file; symbolic links are already resolved.
        before: the old content of those files that exist.
        mode: returns the permissions of a new file, given its path and its group.

    Raises:
        PermissionError: a file belongs to another user.
        HalfReplacedError: a failure could not be undone.
        OSError: a file could not be written; all files have their old content.
    """
    with ExitStack() as stack:
        temporaries = {}
        for path, content in contents.items():
            is_new = path not in before
            attributes = _attributes_of_folder(path, mode) if is_new else _attributes_of_file(path)
            with _errors_naming(path):
                temporaries[path] = stack.enter_context(
                    _temporary_file(path, BytesIO(content), attributes)
                )
        done: list[Path] = []
        for path, temporary in temporaries.items():
            try:
                with _errors_naming(path):
                    temporary.replace(path)
            except OSError as error:
                _restore(done, before, error)
                raise
            done.append(path)
    for folder in {path.parent for path in contents}:
        sync_folder(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock for a path during the block.

    The lock is a file beside the path, which is removed afterwards: the path itself is replaced,
    and network file systems cannot lock folders.

    Raises:
        OSError: the lock file cannot be created.
    """
    lock = path.with_name(f".{path.name}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        descriptor = os.open(lock, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_still(descriptor, lock):
                continue  # the previous holder has removed the file
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
            return
        finally:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable.

    Raises:
        OSError: the folder cannot be opened, or the disk failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _temporary_file(
    path: Path, source: BinaryIO, set_attributes: Callable[[int, Path], None]
) -> Iterator[Path]:
    """Create a synced file with this content beside ``path``; remove it unless it was renamed.

    Args:
        path: the file that it is to replace.
        source: the content.
        set_attributes: sets owner and permissions, given the descriptor and the path.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with open(handle, "wb") as target:  # noqa: PTH123 - mkstemp gives a descriptor
            source.seek(0)
            shutil.copyfileobj(source, target, _BLOCK)
            target.flush()
            set_attributes(target.fileno(), temporary)
            os.fsync(target.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _errors_naming(path: Path) -> Iterator[None]:
    """Let errors name the file that is to be replaced, not the temporary one."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _attributes_of_file(path: Path) -> Callable[[int, Path], None]:
    def set_attributes(descriptor: int, temporary: Path) -> None:
        old, new = path.stat(), os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except OSError:  # not permitted, or an owner that is unknown in this namespace
                why = "it belongs to another user: only its owner or root can replace it"
                raise PermissionError(errno.EPERM, why) from None
        shutil.copystat(path, temporary)
        os.utime(descriptor)

    return set_attributes


def _attributes_of_folder(
    path: Path, mode: Callable[[Path, int], int]
) -> Callable[[int, Path], None]:
    def set_attributes(descriptor: int, _: Path) -> None:
        folder = path.parent.stat()
        for owner in ((-1, folder.st_gid), (folder.st_uid, -1)):
            with suppress(PermissionError):  # the file then belongs to this process's user
                os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode(path, os.fstat(descriptor).st_gid))

    return set_attributes


def _restore(done: list[Path], before: Mapping[Path, bytes], failure: OSError) -> None:
    """Undo the replacements before the one that failed."""
    for path in done[::-1]:
        try:
            if path in before:
                content, attributes = BytesIO(before[path]), _attributes_of_file(path)
                with _temporary_file(path, content, attributes) as temporary:
                    temporary.replace(path)
            else:
                path.unlink()
        except OSError:
            raise HalfReplacedError(failure, done) from None
        done.remove(path)


def _is_still(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat(follow_symlinks=False))
    except FileNotFoundError:
        return False


def _has_content(path: Path, source: BinaryIO) -> bool:
    try:
        existing = path.open("rb")
    except FileNotFoundError:
        return False
    with existing:
        size = source.seek(0, os.SEEK_END)
        if os.fstat(existing.fileno()).st_size != size:
            return False
        source.seek(0)
        while block := existing.read(_BLOCK):
            if source.read(_BLOCK) != block:
                return False
    return True
