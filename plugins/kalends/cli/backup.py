"""``kalends backup``: taking one, looking at one, and going back to one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from kalends.app import container
from kalends.backup import archive, create, restore
from kalends.config import loader
from kalends.config.options import at_least_one
from kalends.config.settings import Settings
from kalends.errors import KalendsError
from kalends.store.engine import open_database
from kalends.store.migrate import migrate
from kalends.store.snapshot_copy import is_copy, require_whole

Act = Callable[[argparse.Namespace], int]


class BackupUsageError(KalendsError):
    """The words of the command do not fit together."""


def register(command: Callable[[str, Act, str], argparse.ArgumentParser]) -> None:
    """Add the command.

    Args:
        command: makes a parser with ``--config`` for a command, by name, function and help.
    """
    backup = command("backup", _backup, "Back up database, keys and settings while it serves.")
    backup.add_argument(
        "target",
        nargs="?",
        type=Path,
        metavar="FOLDER|FILE",
        help="where to: a folder, in which it is called by its time, or a name",
    )
    backup.add_argument(
        "--keep", type=_number, metavar="N", help="remove all but the newest N in FOLDER"
    )
    backup.add_argument(
        "--data-only", action="store_true", help="the database without keys, settings, user files"
    )
    others = backup.add_mutually_exclusive_group()
    others.add_argument(
        "--restore",
        type=Path,
        metavar="FILE",
        help="go back to a backup; the server must be stopped, and what is there now is kept",
    )
    others.add_argument("--verify", type=Path, metavar="FILE", help="see whether a backup is whole")


def _number(text: str) -> int:
    try:
        return at_least_one(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on") from None


def _backup(given: argparse.Namespace) -> int:
    if (given.restore or given.verify) and (given.target or given.keep or given.data_only):
        raise BackupUsageError("--restore and --verify take a FILE and nothing else")
    if given.restore:
        return _restore(given)
    if given.verify:
        return _verify(given)
    if given.target is None:
        raise BackupUsageError("backup takes a FOLDER, or a FILE to write")
    if given.keep and not given.target.is_dir():
        raise BackupUsageError(f"--keep takes a FOLDER, and {given.target} is none")
    with container.build(given.config) as built, _Bars() as bars:
        file = create.make(
            built.settings,
            built.database,
            given.target,
            data_only=given.data_only,
            progress=bars.tell,
        )
    removed = create.keep_newest(given.target, given.keep) if given.keep else []
    size = file.stat().st_size
    also = f", {len(removed)} older ones removed" if removed else ""
    sys.stdout.write(f"{file}: {size:,} octets, read back and found whole{also}\n")
    return 0


def _verify(given: argparse.Namespace) -> int:
    file: Path = given.verify
    try:
        if is_copy(file):
            require_whole(file)
            sys.stdout.write(f"{file}: a whole database\n")
            return 0
        about = archive.verify(file)
    except OSError as error:
        raise BackupUsageError(f"{file}: {error.strerror}") from None
    sys.stdout.write(f"{file}: whole; of {about.made}, by Kalends {about.version}\n")
    for name, place in about.members.items():
        sys.stdout.write(f"  {name} from {place}\n")
    return 0


def _restore(given: argparse.Namespace) -> int:
    settings: Settings = loader.load(given.config).settings
    database = open_database(settings.database)
    try:
        if database.folder is None:
            migrate(database, settings.own_folder)
        done = restore.put_back(settings, database, given.restore)
    finally:
        database.close()
    restored = done.restored
    of = f" of {done.about.made}" if done.about else ""
    sys.stdout.write(
        f"{database.name}: restored{of}: {restored.collections} collections with "
        f"{restored.objects} objects\n"
    )
    if restored.kept:
        sys.stdout.write(f"what was there is kept as {restored.kept}\n")
    if done.key_made:
        sys.stdout.write(f"the key of nonces is back at {done.key_made}\n")
    if done.settings:
        names = " ".join(done.settings)
        sys.stdout.write(
            "settings and user files stay as they are; those of the backup come out with: "
            f"tar -xzf {given.restore} {names}\n"
        )
    return 0


class _Bars:
    """A progress bar for each thing that is done, where a person looks on."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def tell(self, what: str, done: int, of: int) -> None:
        """Show how far it has come."""
        bar = self._bar
        if bar is None or bar.desc != what:
            if bar is not None:
                bar.close()
            bar = tqdm(desc=what, total=of, disable=None, leave=False, unit_scale=True)
            bar.desc = what
            self._bar = bar
        bar.update(done - bar.n)
