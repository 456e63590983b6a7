"""``kalends user add | passwd | remove``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from kalends.authn import account_editing
from kalends.authn.account_editing import ALL, LOGINS, AccountError, Credentials, UserFiles, edited
from kalends.authn.apache import editing
from kalends.cli.user import terminal
from kalends.cli.user.installation import UserCommandContext, installation
from kalends.cli.user.terminal import say, shown
from kalends.common.names import refusal_of_name
from kalends.config.settings import Settings
from kalends.store import account_data
from kalends.store.account_data import AccountData


def add(given: argparse.Namespace) -> int:
    """Make an account."""
    name: str = given.name
    with installation(given.config) as there:
        refusal = editing.refusal_of_spelling(name) or refusal_of_name(
            name, there.built.named_feeds()
        )
        if refusal:
            raise AccountError(f"{name!r} cannot be an account: {refusal}")
        _require_absent(name, UserFiles(there.settings, LOGINS))
        found = _asked_credentials(there.settings, name)
        with edited(there.settings, LOGINS) as files:
            _require_absent(name, files)
            files.put({name: found})
        say(f"added {shown(name)} to {listed(files.written)}")
        say_what_is_new(files)
        home = there.data_of(name).collections
        if home:
            say(f"note: it has a home from before, with {_counted(home)}")
    return 0


def passwd(given: argparse.Namespace) -> int:
    """Change a password, in both files."""
    name: str = given.name
    with installation(given.config) as there:
        _require_present(name, UserFiles(there.settings, LOGINS))
        found = _asked_credentials(there.settings, name)
        with edited(there.settings, LOGINS) as files:
            _require_present(name, files)
            files.put({name: found})
        say(f"changed the password of {shown(name)} in {listed(files.written)}")
        say_what_is_new(files)
    return 0


def remove(given: argparse.Namespace) -> int:
    """End an account, and what it has if that is wanted."""
    name: str = given.name
    with installation(given.config) as there:
        require_utf8(name)
        data = there.data_of(name)
        files = UserFiles(there.settings, ALL)
        if name not in files.names() and not files.groups_of(name):
            if not data:
                raise AccountError(f"there is no account {name!r}")
            if not given.data:
                raise AccountError(f"{name!r} has left the files; --data removes what it had")
        if given.data:
            _confirm(name, data, yes=given.yes)
        with edited(there.settings, ALL) as files:
            groups = files.groups_of(name)
            files.take_out(name)
        if files.written:
            say(f"removed {shown(name)} from {listed(files.written)}")
        if groups:
            say(f"it was in {listed(sorted(map(shown, groups)))}")
        for realm in files.other_realms(name):
            say(f"note: {files.paths['htdigest']} still has it in the realm {shown(realm)}")
        if there.store:
            _end_data(there, name, data, remove=given.data)
    return 0


def say_what_is_new(files: UserFiles) -> None:
    """Name the files that were made."""
    for path in files.made:
        status = path.stat()
        say(
            f"note: made {path} with mode {status.st_mode & 0o777:04o}; "
            "the account that Kalends runs as has to be able to read it"
        )


def listed(things: Sequence[object]) -> str:
    """Things as one names them in a sentence."""
    *most, last = map(str, things)
    return f"{', '.join(most)} and {last}" if most else last


def require_utf8(name: str) -> None:
    """Refuse a name that no account can have, because nobody could look for it in the store.

    Raises:
        AccountError: it came in other bytes than UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        raise AccountError(f"{name!r} is not UTF-8") from None


def _require_absent(name: str, files: UserFiles) -> None:
    if name in files.names():
        raise AccountError(
            f"there is an account {name!r} already; `kalends user passwd` changes it"
        )


def _require_present(name: str, files: UserFiles) -> None:
    if name not in files.names():
        raise AccountError(f"there is no account {name!r}; `kalends user add` makes one")


def _asked_credentials(settings: Settings, name: str) -> Credentials:
    password = terminal.asked_password(name)
    refusal = account_editing.refusal_of_password(settings, password)
    if refusal:
        raise AccountError(refusal)
    return account_editing.credentials(settings, name, password)


def _confirm(name: str, data: AccountData, *, yes: bool) -> None:
    if yes:
        return
    if not terminal.is_there():
        raise AccountError("--data removes calendars for ever: without a terminal it wants --yes")
    if data.collections:
        say(f"{shown(name)} has {_counted(data.collections)}.")
    if not terminal.confirmed("Remove the account and all its calendars for ever?"):
        raise AccountError("nothing was removed")


def _counted(collections: Mapping[str, int]) -> str:
    """How much a home holds; the first of the collections is the home itself."""
    return f"{len(collections) - 1} collections and {sum(collections.values())} objects"


def _end_data(there: UserCommandContext, name: str, data: AccountData, *, remove: bool) -> None:
    assert there.store is not None
    if remove:
        data = account_data.remove_data(there.store, name)
        if data.collections:
            say(f"removed its home with {_counted(data.collections)}:")
        for path, count in list(data.collections.items())[1:]:
            say(f"    {shown(path)}: {count}")
        if data.secrets:
            say(f"removed its secret addresses of {listed(list(map(shown, data.secrets)))}")
    else:
        account_data.forget_outsider(there.store, name)
        if data.collections:
            say(f"its home stays, with {_counted(data.collections)}; --data removes it")
    there.built.catch_up()
