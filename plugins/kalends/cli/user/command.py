"""``kalends user``: accounts and groups in Apache's user files, from the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from kalends.cli.user import accounts, import_apple, listing

Act = Callable[[argparse.Namespace], int]

_PASSWORD = "The password is asked for, or is the first line of standard input."  # noqa: S105 - help


def register(command: Callable[[str, Act, str], argparse.ArgumentParser]) -> None:
    """Add ``kalends user ACTION``.

    Args:
        command: makes a parser with ``--config`` for a command, by name, function and help.
    """
    user = command("user", listing.accounts, "Add, change, remove and list accounts and groups.")
    actions = user.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, act: Act, text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=text, description=text)
        # Without it here, what stands before the action counts.
        added.add_argument(
            "--config",
            type=Path,
            default=argparse.SUPPRESS,
            metavar="FILE",
            help="the configuration file",
        )
        added.set_defaults(run=act)
        return added

    add = action("add", accounts.add, f"Make an account. {_PASSWORD}")
    add.add_argument("name", metavar="NAME")
    passwd = action("passwd", accounts.passwd, f"Change a password. {_PASSWORD}")
    passwd.add_argument("name", metavar="NAME")
    remove = action("remove", accounts.remove, "End an account; without --data its calendars stay.")
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--data", action="store_true", help="remove its calendars as well")
    remove.add_argument("--yes", action="store_true", help="do not ask before calendars go")
    action("list", listing.accounts, "List the accounts: where they are, groups, homes.")
    groups = action("groups", listing.groups, "List the groups, or change who is in one.")
    groups.usage = (
        "%(prog)s [-h] [--config FILE] [GROUP | add GROUP NAME... | remove GROUP NAME...]"
    )
    groups.add_argument(
        "words", nargs="*", metavar="GROUP", help="which group; or what to change, as above"
    )
    importing = action(
        "import", import_apple.take_over, "Take over the accounts of Apple's Calendar Server."
    )
    importing.add_argument("file", type=Path, metavar="accounts.xml")
    importing.add_argument(
        "--replace", action="store_true", help="give accounts that exist the passwords of the file"
    )
