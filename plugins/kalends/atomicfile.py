"""Files that are replaced whole: a reader sees the old content or the new, and never a part."""

from __future__ import annotations

import os
import shutil
import tempfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 20


def replace(path: Path, content: bytes | BinaryIO, *, mode: int = 0o644) -> bool:
    """Make ``path`` hold ``content``, durably; a file that holds it already is left untouched.

    Args:
        path: the file, in a folder that exists.
        content: octets, or a seekable file that is read from its beginning.
        mode: the permissions of the new file; by default others, such as a web server, may read.

    Returns:
        whether the file was replaced.

    Raises:
        OSError: it could not be written; the old content stands, and nothing else is left behind.
    """
    source = BytesIO(content) if isinstance(content, bytes) else content
    if _holds(path, source):
        return False
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with open(handle, "wb") as target:  # noqa: PTH123 - mkstemp gives a descriptor
            source.seek(0)
            shutil.copyfileobj(source, target, _BLOCK)
            target.flush()
            os.fchmod(target.fileno(), mode)
            os.fsync(target.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return True


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
