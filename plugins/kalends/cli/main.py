"""The command ``kalends``: every failure that a person can mend is one line, never a traceback."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from kalends import __version__
from kalends.cli import backup, feed, transfer
from kalends.cli.user import command as user
from kalends.errors import KalendsError

DEFAULT_CONFIGURATION = "/etc/kalends/kalends.ini"


def main(arguments: list[str] | None = None) -> None:
    """Run one command; the exit status is 0, or 1 with a line on standard error, or 2 for usage."""
    # A command says what is wrong in its one line; only a server logs as well.
    for name in ("kalends", "radicale"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        status: int = given.run(given)
    except KalendsError as error:
        sys.stderr.write(f"kalends: {error}\n")
        status = 1
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kalends",
        description="CalDAV and CardDAV for people who run Apache or nginx, with merged feeds.",
    )
    parser.add_argument("--version", action="version", version=f"kalends {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable[..., int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument(
            "--config",
            type=Path,
            default=Path(os.environ.get("KALENDS_CONFIG", DEFAULT_CONFIGURATION)),
            metavar="FILE",
            help=f"the configuration file (or KALENDS_CONFIG; otherwise {DEFAULT_CONFIGURATION})",
        )
        added.set_defaults(run=run)
        return added

    serve = command("serve", _serve, "Serve until stopped.")
    serve.add_argument(
        "--demo",
        type=Path,
        metavar="FOLDER",
        help="make a configuration with an account 'demo' in FOLDER and serve that",
    )
    command("check", _check, "Look the installation over and say what is wrong.")
    transfer.register(command)
    feed.register(command)
    user.register(command)
    backup.register(command)
    return parser


def _serve(given: argparse.Namespace) -> int:
    # No other command needs the pages, their templates and the web server.
    from kalends.app import container
    from kalends.app.logging_setup import configure_logging
    from kalends.cli import demo
    from kalends.config import loader
    from kalends.server import arbiter, sockets

    path = demo.prepare(given.demo) if given.demo else given.config
    loaded = loader.load(path)
    # What is wrong is said here, once, before the first worker starts.
    with container.opened(loaded) as built:
        listeners = sockets.open_listeners(loaded.settings)
        built.require_readable()
        built.migrate()
    configure_logging(loaded)

    def announce(url: str) -> str:
        return demo.announcement(given.demo, url) if given.demo else ""

    arbiter.serve(loaded, listeners, announce)
    return 0


def _check(given: argparse.Namespace) -> int:
    from kalends.cli.check.installation import problems

    found = False
    for problem in problems(given.config):
        sys.stdout.write(f"{problem}\n")
        found = True
    if not found:
        sys.stdout.write("all is well\n")
    return 1 if found else 0
