"""``kalends user import``: import of the accounts of Apple's Calendar Server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from kalends.authn import account_editing
from kalends.authn.account_editing import ALL, LOGINS, UserFiles, edited
from kalends.authn.apache import editing
from kalends.authn.apple_accounts_xml import Directory, DirectoryXmlError, parse_directory
from kalends.cli.user.accounts import report_new_files
from kalends.cli.user.installation import UserCommandContext, open_installation
from kalends.cli.user.terminal import print_line
from kalends.common.names import refusal_of_name
from kalends.errors import ConfigurationError


def import_accounts(args: argparse.Namespace) -> int:
    """Import the accounts of an ``accounts.xml`` with their passwords, and its groups."""
    with open_installation(args.config) as context:
        directory = _read(args.file)
        refused = dict(_refusals(context, directory))
        wanted = {n: p for n, p in directory.passwords.items() if n not in refused}
        if not args.replace:
            known = UserFiles(context.settings, LOGINS).names()
            wanted = {name: password for name, password in wanted.items() if name not in known}
        ready = {
            name: account_editing.credentials(context.settings, name, password.encode())
            for name, password in tqdm(
                wanted.items(), desc=args.file.name, unit="account", disable=None, leave=False
            )
        }
        groups = directory.groups if context.settings.htgroup else {}
        with edited(context.settings, ALL) as files:
            known = files.names()
            if not args.replace:  # one may have been added meanwhile
                ready = {name: found for name, found in ready.items() if name not in known}
            files.put(ready)
            for group, names in groups.items():
                if group not in refused:
                    files.join(group, [name for name in names if name not in refused])
    notes = [*directory.notes, *_differences(context, directory)]
    for note in notes:
        print_line(f"note: {note}")
    for name, why in refused.items():
        sys.stderr.write(f"{args.file}: {name!r} refused: {why}\n")
    replaced = len(ready.keys() & known)
    untouched = len(directory.passwords) - len(ready) - len(refused.keys() & directory.passwords)
    print_line(
        f"{len(ready) - replaced} accounts added, {replaced} replaced, {untouched} left as they "
        f"are, {len(refused)} refused, {len(groups.keys() - refused)} groups"
    )
    report_new_files(files)
    return 1 if refused else 0


def _read(path: Path) -> Directory:
    try:
        return parse_directory(path.read_bytes())
    except DirectoryXmlError as error:
        raise ConfigurationError(str(path), error.why, error.line) from None
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "cannot be read") from None


def _refusals(context: UserCommandContext, directory: Directory) -> Iterator[tuple[str, str]]:
    """Yield the accounts and groups that cannot be imported, with the reason."""
    named_feeds = context.built.named_feeds()
    for name, password in directory.passwords.items():
        why = (
            editing.refusal_of_spelling(name)
            or refusal_of_name(name, named_feeds)
            or account_editing.refusal_of_password(context.settings, password.encode())
        )
        if why:
            yield name, why
    for group in directory.groups:
        why = editing.refusal_of_spelling(group)
        if why:
            yield group, why


def _differences(context: UserCommandContext, directory: Directory) -> Iterator[str]:
    if directory.realm not in ("", context.settings.realm):
        yield (
            f"the realm is {context.settings.realm!r} here, and {directory.realm!r} in the file: "
            "clients that saved the password for the old realm ask for it again"
        )
    if directory.groups and not context.settings.htgroup:
        yield f"{len(directory.groups)} groups left out: [auth] htgroup_filename is not set"
