"""Files that are replaced whole: a reader sees the old content or the new, and never a part."""

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
    """Some of several files were replaced and could not be put back.

    Attributes:
        replaced: these hold the new content.
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
    anew: bool = False,
) -> bool:
    """Make ``path`` hold ``content``, durably; a file that holds it already is left untouched.

    Args:
        path: the file, in a folder that exists.
        content: octets, or a seekable file that is read from its beginning.
        mode: the permissions of the new file; by default others, such as a web server, may read.
        group: the number of the new file's group, where we may give it that; -1 for whichever.
        anew: also replace a file that holds it already, and need not be one that we can read.

    Returns:
        whether the file was replaced.

    Raises:
        OSError: it could not be written; the old content stands, and nothing else is left behind.
    """
    source = BytesIO(content) if isinstance(content, bytes) else content
    if not anew and _holds(path, source):
        return False

    def dress(descriptor: int, _: Path) -> None:
        with suppress(OSError):  # not permitted, or a group that this namespace does not know
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, mode)

    with _beside(path, source, dress) as temporary:
        move_into_place(temporary, path)
    return True


def move_into_place(made: Path, path: Path, *, durable: bool = True) -> None:
    """Let a file that was made beside ``path`` take its place, in one step.

    Args:
        made: the new content; whoever needs it to be durable has synced it.
        durable: True if the name must be on the disk afterwards; not for what can be made again.

    Raises:
        OSError: it cannot be moved; the old content stands.
    """
    made.replace(path)
    if durable:
        sync_folder(path.parent)


def replace_together(
    contents: Mapping[Path, bytes], before: Mapping[Path, bytes], mode: Callable[[Path, int], int]
) -> None:
    """Make several files hold these contents, durably: all of them, or none.

    A file keeps its owner, group, permissions and extended attributes (POSIX ACLs are such). One
    that is new belongs to whom its folder belongs, as far as we may give it away.

    Args:
        contents: the new content of each file; symbolic links have been followed.
        before: the content of those files that exist.
        mode: the permissions of a new file, by its path and its group.

    Raises:
        PermissionError: a file belongs to somebody else.
        HalfReplacedError: a failure could not be undone.
        OSError: something could not be written; all files are as they were.
    """
    with ExitStack() as stack:
        temporaries = {}
        for path, content in contents.items():
            dress = _like_the_old(path) if path in before else _like_its_folder(path, mode)
            with _naming(path):
                temporaries[path] = stack.enter_context(_beside(path, BytesIO(content), dress))
        done: list[Path] = []
        for path, temporary in temporaries.items():
            try:
                with _naming(path):
                    temporary.replace(path)
            except OSError as error:
                _put_back(done, before, error)
                raise
            done.append(path)
    for folder in {path.parent for path in contents}:
        sync_folder(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let nobody else in who locks the same path, for as long as the block.

    The lock is a file beside it, which is gone afterwards: the path itself is replaced, and a file
    server locks no folders.

    Raises:
        OSError: there can be no file beside it.
    """
    lock = path.with_name(f".{path.name}.lock")
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        descriptor = os.open(lock, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_still(descriptor, lock):
                continue  # whoever had it has taken it away
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
        OSError: the folder cannot be opened, or its disk failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _beside(path: Path, source: BinaryIO, dress: Callable[[int, Path], None]) -> Iterator[Path]:
    """A file with this content beside ``path``, on the disk; gone after the block unless renamed.

    Args:
        dress: gives it owner and permissions, by its descriptor and path.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with open(handle, "wb") as target:  # noqa: PTH123 - mkstemp gives a descriptor
            source.seek(0)
            shutil.copyfileobj(source, target, _BLOCK)
            target.flush()
            dress(target.fileno(), temporary)
            os.fsync(target.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let a failure name the file that was to be replaced, not the one beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _like_the_old(path: Path) -> Callable[[int, Path], None]:
    def dress(descriptor: int, temporary: Path) -> None:
        old, new = path.stat(), os.fstat(descriptor)
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            try:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            except OSError:  # not permitted, or an owner that this namespace does not know
                why = "it belongs to somebody else, and only its owner or root can replace it"
                raise PermissionError(errno.EPERM, why) from None
        shutil.copystat(path, temporary)
        os.utime(descriptor)

    return dress


def _like_its_folder(path: Path, mode: Callable[[Path, int], int]) -> Callable[[int, Path], None]:
    def dress(descriptor: int, _: Path) -> None:
        folder = path.parent.stat()
        for owner in ((-1, folder.st_gid), (folder.st_uid, -1)):
            with suppress(PermissionError):  # then it belongs to whoever makes it
                os.fchown(descriptor, *owner)
        os.fchmod(descriptor, mode(path, os.fstat(descriptor).st_gid))

    return dress


def _put_back(done: list[Path], before: Mapping[Path, bytes], failure: OSError) -> None:
    """Undo the replacements that were done before one failed."""
    for path in done[::-1]:
        try:
            if path in before:
                with _beside(path, BytesIO(before[path]), _like_the_old(path)) as temporary:
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


def _holds(path: Path, source: BinaryIO) -> bool:
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
