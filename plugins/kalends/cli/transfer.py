"""``kalends import`` and ``kalends export``, for files and for whole stores."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from kalends.app import container
from kalends.cli.registration import AddCommand, UsageError
from kalends.common.names import GROUPS, refusal_of_group, refusal_of_name
from kalends.ical.validate import CalendarObject
from kalends.store.objects.read import ObjectRow
from kalends.transfer.export_store import Exporter
from kalends.transfer.formats import apple, plain, radicale, xandikos
from kalends.transfer.import_file import ImportedUids, ImportResult, import_data
from kalends.transfer.import_store import Importer, ImportStoreResult
from kalends.transfer.model import FolderContents, ObjectFile

_FOLDERS: dict[str, tuple[Callable[[Path], FolderContents], str]] = {
    "radicale": (radicale.find, "a store of Radicale: its filesystem_folder"),
    "xandikos": (xandikos.find, "a store of Xandikos: the folder of its option -d"),
    "apple": (
        apple.find,
        "files of calendarserver_export, or the Documents of an old server",
    ),
    "folder": (
        plain.find,
        "a folder with USER/CALENDAR.ics or USER/CALENDAR/*.ics, or .vcf",
    ),
}


def register(add_command: AddCommand) -> None:
    """Add the commands ``import`` and ``export``."""
    importing = add_command("import", _import, "Import .ics and .vcf files, or a whole store.")
    importing.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="an .ics or .vcf file to import"
    )
    importing.add_argument(
        "--into",
        metavar="USER/CALENDAR",
        help="the collection for FILEs, or GROUPS/GROUP/CALENDAR; created if it does not exist",
    )
    sources = importing.add_mutually_exclusive_group()
    for name, (_, text) in _FOLDERS.items():
        sources.add_argument(f"--{name}", type=Path, metavar="FOLDER", help=text)
    importing.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="with a FOLDER: import the collections of OLD (often a GUID) for the account NEW",
    )
    importing.add_argument(
        "--dry-run", action="store_true", help="with a FOLDER: only say what would be done"
    )
    exporting = add_command(
        "export", _export, "Export collections, all as of one moment, into a new folder."
    )
    targets = exporting.add_mutually_exclusive_group(required=True)
    targets.add_argument("--radicale", type=Path, metavar="FOLDER", help="as a store for Radicale")
    targets.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="as USER/CALENDAR.ics and USER/BOOK.vcf"
    )
    exporting.add_argument(
        "--user",
        action="append",
        default=[],
        metavar="USER",
        help="export only this account; may be repeated; GROUPS stands for all groups",
    )


def _import(args: argparse.Namespace) -> int:
    chosen = next((name for name in _FOLDERS if getattr(args, name)), None)
    if chosen is None:
        if not args.files or not args.into:
            raise UsageError("name FILE... --into USER/CALENDAR, or a folder to import")
        if args.rename or args.dry_run:
            raise UsageError("--rename and --dry-run need a folder, such as --radicale FOLDER")
        return _import_files(args)
    if args.files or args.into:
        raise UsageError(f"--{chosen} takes one folder, without FILE or --into")
    find, _ = _FOLDERS[chosen]
    contents = _rename_homes(find(getattr(args, chosen)), args.rename)
    with container.build(args.config) as built:
        importer = Importer(
            built.database,
            limits=built.settings.object_limits,
            named_feeds=built.named_feeds(),
            dry_run=args.dry_run,
            progress=_files_with_progress,
        )
        result = importer.run(contents)
        if not args.dry_run:
            built.catch_up()
    _print_result(result, dry_run=args.dry_run)
    return 1 if result.refused else 0


def _rename_homes(contents: FolderContents, words: list[str]) -> FolderContents:
    """Move collections to the accounts that ``--rename`` names."""
    names = {}
    for word in words:
        old, equals, new = word.partition("=")
        if not old or not equals or not new or "/" in new:
            raise UsageError(f"--rename takes OLD=NEW, not {word!r}")
        names[old] = new
    homes = {one.path.partition("/")[0] for one in contents.collections}
    unknown = sorted(names.keys() - homes)
    if unknown:
        raise UsageError(f"--rename: the folder has no account {unknown[0]!r}")
    for number, one in enumerate(contents.collections):
        home, slash, rest = one.path.partition("/")
        contents.collections[number] = replace(one, path=names.get(home, home) + slash + rest)
    return contents


def _print_result(result: ImportStoreResult, *, dry_run: bool) -> None:
    for note in result.notes:
        sys.stdout.write(f"note: {note}\n")
    for refused in result.refused:
        sys.stderr.write(f"{refused}\n")
    sys.stdout.write(
        f"{'dry run: ' if dry_run else ''}{result.collections} collections made, "
        f"{result.properties} got other properties; {result.added} objects added, "
        f"{result.changed} changed, {result.unchanged} unchanged, {len(result.refused)} "
        "refused\n"
    )


def _files_with_progress(files: list[ObjectFile], name: str) -> Iterable[ObjectFile]:
    return tqdm(files, desc=name, unit="file", disable=None, leave=False)


def _export(args: argparse.Namespace) -> int:
    def progress(rows: Iterable[ObjectRow], number: int, name: str) -> Iterable[ObjectRow]:
        return tqdm(rows, total=number, desc=name, unit="object", disable=None, leave=False)

    with container.build(args.config) as built:
        exporter = Exporter(built.database, args.user, progress)
        if args.radicale:
            result = exporter.write_radicale(args.radicale)
        else:
            result = exporter.write_files(args.folder)
    for note in result.notes:
        sys.stdout.write(f"note: {note}\n")
    sys.stdout.write(f"{result.collections} collections with {result.objects} objects written\n")
    return 0


def _import_files(args: argparse.Namespace) -> int:
    with container.build(args.config) as built:
        target = _target(args.into, built.named_feeds())
        imported: ImportedUids = {}
        outcomes = [_import_one(built, path, target, imported) for path in reversed(args.files)]
        outcomes.reverse()
        built.catch_up()
    for path, outcome in zip(args.files, outcomes, strict=True):
        if outcome.note:
            sys.stdout.write(f"note: {path}: {outcome.note}\n")
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
        raise UsageError(f"--into takes USER/CALENDAR, not {raw!r}")
    is_group = home.startswith(f"{GROUPS}/")
    name = home.removeprefix(f"{GROUPS}/")
    refusal = refusal_of_group(name) if is_group else refusal_of_name(name, named_feeds)
    if refusal:
        raise UsageError(f"{name!r} has no home: {refusal}")
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
            limits=settings.object_limits,
            first_collections=(
                settings.first_group_collections
                if target.startswith(f"{GROUPS}/")
                else settings.first_collections
            ),
            imported=imported,
            progress=progress,
        )
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
