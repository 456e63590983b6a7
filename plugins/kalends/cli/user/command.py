"""``kalends user``: the parser of its actions."""

from __future__ import annotations

import argparse
from pathlib import Path

from kalends.cli.registration import AddCommand, Handler
from kalends.cli.user import accounts, import_apple, listing

_PASSWORD = "The password is prompted for, or read from the first line of standard input."  # noqa: S105 - help


def register(add_command: AddCommand) -> None:
    """Add the command ``user`` with its actions."""
    user = add_command(
        "user", listing.list_accounts, "Add, change, remove and list accounts and groups."
    )
    actions = user.add_subparsers(metavar="ACTION", required=True)

    def add_action(name: str, handler: Handler, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text)
        # Without a default of its own, it would hide a --config before the action.
        added.add_argument(
            "--config",
            type=Path,
            default=argparse.SUPPRESS,
            metavar="FILE",
            help="the configuration file",
        )
        added.set_defaults(run=handler)
        return added

    add = add_action("add", accounts.add_account, f"Add an account. {_PASSWORD}")
    add.add_argument("name", metavar="NAME")
    passwd = add_action("passwd", accounts.change_password, f"Change a password. {_PASSWORD}")
    passwd.add_argument("name", metavar="NAME")
    remove = add_action(
        "remove",
        accounts.remove_account,
        "Remove an account; its calendars stay, unless --data is given.",
    )
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--data", action="store_true", help="remove its calendars as well")
    remove.add_argument("--yes", action="store_true", help="remove the calendars without asking")
    add_action(
        "list", listing.list_accounts, "List the accounts with their files, groups and homes."
    )
    groups = add_action(
        "groups", listing.list_or_change_groups, "List the groups, or change the members of one."
    )
    groups.usage = (
        "%(prog)s [-h] [--config FILE] [GROUP | add GROUP NAME... | remove GROUP NAME...]"
    )
    groups.add_argument(
        "words", nargs="*", metavar="GROUP", help="the group to list, or a change as above"
    )
    importing = add_action(
        "import", import_apple.import_accounts, "Import the accounts of Apple's Calendar Server."
    )
    importing.add_argument("file", type=Path, metavar="accounts.xml")
    importing.add_argument(
        "--replace",
        action="store_true",
        help="also set the passwords of accounts that exist already",
    )
