"""``kalends user add | passwd | remove``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from kalends.authn import account_editing
from kalends.authn.account_editing import ALL, LOGINS, AccountError, Credentials, UserFiles, edited
from kalends.authn.apache import editing
from kalends.cli.user import terminal
from kalends.cli.user.installation import UserCommandContext, open_installation
from kalends.cli.user.terminal import print_line, printable
from kalends.common.names import refusal_of_name
from kalends.config.settings import Settings
from kalends.store import account_data
from kalends.store.account_data import AccountData


def add_account(args: argparse.Namespace) -> int:
    """Add an account to the user files."""
    name: str = args.name
    with open_installation(args.config) as context:
        refusal = editing.refusal_of_spelling(name) or refusal_of_name(
            name, context.built.named_feeds()
        )
        if refusal:
            raise AccountError(f"{name!r} cannot be the name of an account: {refusal}")
        _require_absent(name, UserFiles(context.settings, LOGINS))
        found = _ask_credentials(context.settings, name)
        with edited(context.settings, LOGINS) as files:
            _require_absent(name, files)
            files.put({name: found})
        print_line(f"added {printable(name)} to {join_words(files.written)}")
        report_new_files(files)
        home = context.data_of(name).collections
        if home:
            print_line(f"note: its former home is still there, with {_describe_size(home)}")
    return 0


def change_password(args: argparse.Namespace) -> int:
    """Change a password in both user files."""
    name: str = args.name
    with open_installation(args.config) as context:
        _require_present(name, UserFiles(context.settings, LOGINS))
        found = _ask_credentials(context.settings, name)
        with edited(context.settings, LOGINS) as files:
            _require_present(name, files)
            files.put({name: found})
        print_line(f"changed the password of {printable(name)} in {join_words(files.written)}")
        report_new_files(files)
    return 0


def remove_account(args: argparse.Namespace) -> int:
    """Remove an account, and with ``--data`` its home and secret addresses."""
    name: str = args.name
    with open_installation(args.config) as context:
        require_utf8(name)
        data = context.data_of(name)
        files = UserFiles(context.settings, ALL)
        if name not in files.names() and not files.groups_of(name):
            if not data:
                raise AccountError(f"there is no account {name!r}")
            if not args.data:
                raise AccountError(
                    f"{name!r} is not in the user files; --data removes its calendars"
                )
        if args.data:
            _confirm(name, data, yes=args.yes)
        with edited(context.settings, ALL) as files:
            groups = files.groups_of(name)
            files.take_out(name)
        if files.written:
            print_line(f"removed {printable(name)} from {join_words(files.written)}")
        if groups:
            print_line(f"it was in {join_words(sorted(map(printable, groups)))}")
        for realm in files.other_realms(name):
            print_line(
                f"note: {files.paths['htdigest']} still has it in the realm {printable(realm)}"
            )
        if context.store:
            _remove_data(context, name, data, remove=args.data)
    return 0


def report_new_files(files: UserFiles) -> None:
    """Print a note for each user file that was created."""
    for path in files.made:
        status = path.stat()
        print_line(
            f"note: created {path} with mode {status.st_mode & 0o777:04o}; "
            "make sure that the account that Kalends runs as can read it"
        )


def join_words(words: Sequence[object]) -> str:
    """Return words as a list in a sentence: ``a, b and c``."""
    *most, last = map(str, words)
    return f"{', '.join(most)} and {last}" if most else last


def require_utf8(name: str) -> None:
    """Refuse a name that the store cannot look up.

    Raises:
        AccountError: the name is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise AccountError(f"{name!r} is not UTF-8") from None


def _require_absent(name: str, files: UserFiles) -> None:
    if name in files.names():
        raise AccountError(
            f"the account {name!r} exists already; change its password with `kalends user passwd`"
        )


def _require_present(name: str, files: UserFiles) -> None:
    if name not in files.names():
        raise AccountError(f"there is no account {name!r}; add it with `kalends user add`")


def _ask_credentials(settings: Settings, name: str) -> Credentials:
    password = terminal.ask_password(name)
    refusal = account_editing.refusal_of_password(settings, password)
    if refusal:
        raise AccountError(refusal)
    return account_editing.credentials(settings, name, password)


def _confirm(name: str, data: AccountData, *, yes: bool) -> None:
    if yes:
        return
    if not terminal.is_interactive():
        raise AccountError(
            "--data removes calendars for ever; without a terminal, add --yes to confirm"
        )
    if data.collections:
        print_line(f"{printable(name)} has {_describe_size(data.collections)}.")
    if not terminal.confirm("Remove the account and all its calendars for ever?"):
        raise AccountError("nothing was removed")


def _describe_size(collections: Mapping[str, int]) -> str:
    """Return the size of a home in words; its first collection is the home itself."""
    return f"{len(collections) - 1} collections and {sum(collections.values())} objects"


def _remove_data(
    context: UserCommandContext, name: str, data: AccountData, *, remove: bool
) -> None:
    assert context.store is not None
    if remove:
        data = account_data.remove_account_data(context.store, name)
        if data.collections:
            print_line(f"removed its home with {_describe_size(data.collections)}:")
        for path, count in list(data.collections.items())[1:]:
            print_line(f"    {printable(path)}: {count}")
        if data.secrets:
            print_line(
                f"removed its secret addresses of {join_words(list(map(printable, data.secrets)))}"
            )
    else:
        account_data.forget_external_account(context.store, name)
        if data.collections:
            print_line(
                f"its home stays, with {_describe_size(data.collections)}; --data removes it"
            )
    context.built.catch_up()
