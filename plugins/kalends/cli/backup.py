"""``kalends backup``: create, verify and restore a backup."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Self

from tqdm import tqdm

from kalends.app import container
from kalends.backup import archive
from kalends.backup.create import create_backup, keep_newest
from kalends.backup.restore import restore_backup
from kalends.cli.registration import AddCommand, UsageError
from kalends.config import loader
from kalends.config.options import parse_positive_number
from kalends.config.settings import Settings
from kalends.store.engine import open_database
from kalends.store.migrate import migrate
from kalends.store.snapshot_copy import is_sqlite_file, require_intact


def register(add_command: AddCommand) -> None:
    """Add the command ``backup``."""
    backup = add_command(
        "backup", _backup, "Back up the database, keys and settings; the server may be running."
    )
    backup.add_argument(
        "target",
        nargs="?",
        type=Path,
        metavar="FOLDER|FILE",
        help="the file to write, or a folder, in which the backup is named after the time",
    )
    backup.add_argument(
        "--keep", type=_number, metavar="N", help="keep only the newest N backups in FOLDER"
    )
    backup.add_argument(
        "--data-only", action="store_true", help="leave out the keys, settings and user files"
    )
    others = backup.add_mutually_exclusive_group()
    others.add_argument(
        "--restore",
        type=Path,
        metavar="FILE",
        help="restore a backup; stop the server first; the present database is kept beside it",
    )
    others.add_argument("--verify", type=Path, metavar="FILE", help="check a backup")


def _number(text: str) -> int:
    try:
        return parse_positive_number(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1") from None


def _backup(args: argparse.Namespace) -> int:
    if (args.restore or args.verify) and (args.target or args.keep or args.data_only):
        raise UsageError("--restore and --verify take a FILE and no other argument")
    if args.restore:
        return _restore(args)
    if args.verify:
        return _verify(args)
    if args.target is None:
        raise UsageError("name a FOLDER or a FILE to write the backup to")
    if args.keep and not args.target.is_dir():
        raise UsageError(f"--keep needs a FOLDER, and {args.target} is not a folder")
    with container.build(args.config) as built, _ProgressBars() as bars:
        file = create_backup(
            built.settings,
            built.database,
            args.target,
            data_only=args.data_only,
            progress=bars.update,
        )
    removed = keep_newest(args.target, args.keep) if args.keep else []
    size = file.stat().st_size
    note = f", {len(removed)} older ones removed" if removed else ""
    sys.stdout.write(f"{file}: {size:,} octets, read back and found complete{note}\n")
    return 0


def _verify(args: argparse.Namespace) -> int:
    file: Path = args.verify
    try:
        if is_sqlite_file(file):
            require_intact(file)
            sys.stdout.write(f"{file}: is a complete database\n")
            return 0
        about = archive.verify(file)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from None
    sys.stdout.write(f"{file}: is complete; made at {about.made} by Kalends {about.version}\n")
    for name, path in about.members.items():
        sys.stdout.write(f"  {name} from {path}\n")
    return 0


def _restore(args: argparse.Namespace) -> int:
    settings: Settings = loader.load(args.config).settings
    database = open_database(settings.database)
    try:
        if database.folder is None:
            migrate(database, settings.own_folder)
        result = restore_backup(settings, database, args.restore)
    finally:
        database.close()
    restored = result.restored
    moment = f" as of {result.backup.made}" if result.backup else ""
    sys.stdout.write(
        f"{database.name}: restored{moment}: {restored.collections} collections with "
        f"{restored.objects} objects\n"
    )
    if restored.kept:
        sys.stdout.write(f"the former database is kept as {restored.kept}\n")
    if result.restored_key:
        sys.stdout.write(f"the key of nonces was restored to {result.restored_key}\n")
    if result.settings:
        names = " ".join(result.settings)
        sys.stdout.write(
            "settings and user files were not changed; to unpack those of the backup: "
            f"tar -xzf {args.restore} {names}\n"
        )
    return 0


class _ProgressBars:
    """Progress bars on a terminal, one for each step."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, step: str, done: int, total: int) -> None:
        """Show the progress of a step."""
        bar = self._bar
        if bar is None or bar.desc != step:
            if bar is not None:
                bar.close()
            bar = tqdm(desc=step, total=total, disable=None, leave=False, unit_scale=True)
            bar.desc = step
            self._bar = bar
        bar.update(done - bar.n)
