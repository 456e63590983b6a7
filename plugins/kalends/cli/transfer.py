"""``kalends import`` and ``kalends export``: files and whole stores, in and out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from kalends.app import container
from kalends.common.names import GROUPS, refusal_of_group, refusal_of_name
from kalends.errors import KalendsError
from kalends.ical.validate import CalendarObject
from kalends.store.objects.read import ObjectRow
from kalends.transfer.export_store import Exporter
from kalends.transfer.formats import apple, plain, radicale, xandikos
from kalends.transfer.import_file import ImportedUids, ImportResult, import_data
from kalends.transfer.import_store import Importer, ImportStoreResult
from kalends.transfer.model import FolderContents, ObjectFile

Act = Callable[[argparse.Namespace], int]
Command = Callable[[str, Act, str], argparse.ArgumentParser]


class TransferUsageError(KalendsError):
    """The words of the command do not fit together."""


_FOLDERS: dict[str, tuple[Callable[[Path], FolderContents], str]] = {
    "radicale": (radicale.find, "a whole store of Radicale: its filesystem_folder"),
    "xandikos": (xandikos.find, "a whole store of Xandikos: what it has after -d"),
    "apple": (apple.find, "calendarserver_export's files, or an old Calendar Server's Documents"),
    "folder": (plain.find, "a folder with USER/CALENDAR.ics or USER/CALENDAR/*.ics, cards too"),
}


def register(command: Command) -> None:
    """Add both commands.

    Args:
        command: makes a parser with ``--config`` for a command, by name, function and help.
    """
    bringing = command("import", _import, "Bring in .ics and .vcf files, or a whole store.")
    bringing.add_argument("files", nargs="*", type=Path, metavar="FILE")
    bringing.add_argument(
        "--into",
        metavar="USER/CALENDAR",
        help="for FILEs: or GROUPS/GROUP/CALENDAR; made if it is not there",
    )
    sources = bringing.add_mutually_exclusive_group()
    for name, (_, text) in _FOLDERS.items():
        sources.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=text)
    bringing.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="with a FOLDER: what is called OLD there (a GUID, say) is the account NEW here",
    )
    bringing.add_argument(
        "--dry-run", action="store_true", help="with a FOLDER: say what would be done, and do not"
    )
    giving = command("export", _export, "Write all collections of one moment into a new folder.")
    targets = giving.add_mutually_exclusive_group(required=True)
    targets.add_argument(
        "--radicale", type=Path, metavar="FOLDER", help="as a store that Radicale serves"
    )
    targets.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="as USER/CALENDAR.ics and USER/BOOK.vcf"
    )
    giving.add_argument(
        "--user",
        action="append",
        default=[],
        metavar="USER",
        help="this account alone (several times for several); GROUPS for all groups",
    )


def _import(given: argparse.Namespace) -> int:
    chosen = next((name for name in _FOLDERS if getattr(given, name)), None)
    if chosen is None:
        if not given.files or not given.into:
            raise TransferUsageError("import takes FILE... --into USER/CALENDAR, or a folder")
        if given.rename or given.dry_run:
            raise TransferUsageError("--rename and --dry-run go with a folder")
        return _import_files(given)
    if given.files or given.into:
        raise TransferUsageError(f"--{chosen} takes one folder, and no FILE or --into beside it")
    find, _ = _FOLDERS[chosen]
    found = _renamed(find(getattr(given, chosen)), given.rename)
    with container.build(given.config) as built:
        bringer = Importer(
            built.database,
            max_size=built.settings.max_resource_size,
            named_feeds=built.named_feeds(),
            keep=not given.dry_run,
            progress=_files_with_progress,
        )
        brought = bringer.bring(found)
        if not given.dry_run:
            built.catch_up()
    _tell(brought, dry=given.dry_run)
    return 1 if brought.refused else 0


def _renamed(found: FolderContents, words: list[str]) -> FolderContents:
    """What was found, under the names that the accounts have here."""
    names = {}
    for word in words:
        old, equals, new = word.partition("=")
        if not old or not equals or not new or "/" in new:
            raise TransferUsageError(f"--rename takes OLD=NEW, not {word!r}")
        names[old] = new
    homes = {one.path.partition("/")[0] for one in found.collections}
    unknown = sorted(names.keys() - homes)
    if unknown:
        raise TransferUsageError(f"--rename: the folder holds nothing of {unknown[0]!r}")
    for number, one in enumerate(found.collections):
        home, slash, rest = one.path.partition("/")
        found.collections[number] = replace(one, path=names.get(home, home) + slash + rest)
    return found


def _tell(brought: ImportStoreResult, *, dry: bool) -> None:
    for note in brought.notes:
        sys.stdout.write(f"note: {note}\n")
    for refused in brought.refused:
        sys.stderr.write(f"{refused}\n")
    sys.stdout.write(
        f"{'would be: ' if dry else ''}{brought.collections} collections made, "
        f"{brought.properties} given other properties; {brought.added} objects added, "
        f"{brought.changed} changed, {brought.unchanged} unchanged, {len(brought.refused)} "
        "refused\n"
    )


def _files_with_progress(files: list[ObjectFile], name: str) -> Iterable[ObjectFile]:
    return tqdm(files, desc=name, unit="file", disable=None, leave=False)


def _export(given: argparse.Namespace) -> int:
    def progress(rows: Iterable[ObjectRow], number: int, name: str) -> Iterable[ObjectRow]:
        return tqdm(rows, total=number, desc=name, unit="object", disable=None, leave=False)

    with container.build(given.config) as built:
        exporter = Exporter(built.database, given.user, progress)
        if given.radicale:
            result = exporter.write_radicale(given.radicale)
        else:
            result = exporter.write_files(given.folder)
    for note in result.notes:
        sys.stdout.write(f"note: {note}\n")
    sys.stdout.write(f"{result.collections} collections with {result.objects} objects written\n")
    return 0


def _import_files(given: argparse.Namespace) -> int:
    with container.build(given.config) as built:
        target = _target(given.into, built.named_feeds())
        imported: ImportedUids = {}
        outcomes = [_import_one(built, path, target, imported) for path in reversed(given.files)]
        outcomes.reverse()
        built.catch_up()
    refused = [line for outcome in outcomes for line in outcome.refused]
    for line in refused:
        sys.stderr.write(f"{line}\n")
    total = [sum(getattr(o.merged, name) for o in outcomes) for name in ("added", "changed")]
    unchanged = sum(outcome.merged.unchanged for outcome in outcomes)
    sys.stdout.write(
        f"{len(outcomes)} files: {total[0]} added, {total[1]} changed, {unchanged} unchanged, "
        f"{len(refused)} refused\n"
    )
    return 1 if refused else 0


def _target(raw: str, named_feeds: frozenset[str]) -> str:
    home, _, calendar = raw.strip("/").rpartition("/")
    if not home or calendar in (".", ".."):
        raise TransferUsageError(f"--into takes USER/CALENDAR, not {raw!r}")
    is_group = home.startswith(f"{GROUPS}/")
    name = home.removeprefix(f"{GROUPS}/")
    refusal = refusal_of_group(name) if is_group else refusal_of_name(name, named_feeds)
    if refusal:
        raise TransferUsageError(f"{name!r} has no home: {refusal}")
    return f"{home}/{calendar}"


def _import_one(
    built: container.Container, path: Path, target: str, imported: ImportedUids
) -> ImportResult:
    settings = built.settings

    def progress(found: Iterable[CalendarObject]) -> Iterable[CalendarObject]:
        return tqdm(found, desc=path.name, unit="object", disable=None, leave=False)

    try:
        return import_data(
            built.database,
            path.read_bytes(),
            path,
            target,
            max_size=settings.max_resource_size,
            first_collections=(
                settings.first_group_collections
                if target.startswith(f"{GROUPS}/")
                else settings.first_collections
            ),
            imported=imported,
            progress=progress,
        )
    except OSError as error:
        raise TransferUsageError(f"{path}: {error.strerror}") from None
