"""``kalends user import``: the accounts of Apple's Calendar Server."""

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
from kalends.cli.user.accounts import say_what_is_new
from kalends.cli.user.installation import UserCommandContext, installation
from kalends.cli.user.terminal import say
from kalends.common.names import refusal_of_name
from kalends.errors import ConfigurationError


def take_over(given: argparse.Namespace) -> int:
    """Make accounts of those of an accounts.xml, with their passwords, and groups of its groups."""
    with installation(given.config) as there:
        directory = _read(given.file)
        refused = dict(_refusals(there, directory))
        wanted = {n: p for n, p in directory.passwords.items() if n not in refused}
        if not given.replace:
            known = UserFiles(there.settings, LOGINS).names()
            wanted = {name: password for name, password in wanted.items() if name not in known}
        ready = {
            name: account_editing.credentials(there.settings, name, password.encode())
            for name, password in tqdm(
                wanted.items(), desc=given.file.name, unit="account", disable=None, leave=False
            )
        }
        groups = directory.groups if there.settings.htgroup else {}
        with edited(there.settings, ALL) as files:
            known = files.names()
            if not given.replace:  # somebody may have made one meanwhile
                ready = {name: found for name, found in ready.items() if name not in known}
            files.put(ready)
            for group, names in groups.items():
                if group not in refused:
                    files.join(group, [name for name in names if name not in refused])
    notes = [*directory.notes, *_differences(there, directory)]
    for note in notes:
        say(f"note: {note}")
    for name, why in refused.items():
        sys.stderr.write(f"{given.file}: {name!r} refused: {why}\n")
    replaced = len(ready.keys() & known)
    untouched = len(directory.passwords) - len(ready) - len(refused.keys() & directory.passwords)
    say(
        f"{len(ready) - replaced} accounts added, {replaced} replaced, {untouched} left as they "
        f"are, {len(refused)} refused, {len(groups.keys() - refused)} groups"
    )
    say_what_is_new(files)
    return 1 if refused else 0


def _read(path: Path) -> Directory:
    try:
        return parse_directory(path.read_bytes())
    except DirectoryXmlError as error:
        raise ConfigurationError(str(path), error.why, error.line) from None
    except OSError as error:
        raise ConfigurationError(str(path), error.strerror or "cannot be read") from None


def _refusals(there: UserCommandContext, directory: Directory) -> Iterator[tuple[str, str]]:
    """Which accounts and groups cannot be taken, and why."""
    named_feeds = there.built.named_feeds()
    for name, password in directory.passwords.items():
        why = (
            editing.refusal_of_spelling(name)
            or refusal_of_name(name, named_feeds)
            or account_editing.refusal_of_password(there.settings, password.encode())
        )
        if why:
            yield name, why
    for group in directory.groups:
        why = editing.refusal_of_spelling(group)
        if why:
            yield group, why


def _differences(there: UserCommandContext, directory: Directory) -> Iterator[str]:
    if directory.realm not in ("", there.settings.realm):
        yield (
            f"the realm is {there.settings.realm!r} here, and {directory.realm!r} in the file: "
            "clients that have kept the password for the old one ask for it again"
        )
    if directory.groups and not there.settings.htgroup:
        yield f"{len(directory.groups)} groups left out: [auth] names no htgroup_filename"
