"""The command ``kalends``. An error that the user can fix is one line, never a traceback."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from kalends import __version__
from kalends.cli import backup, feed, transfer
from kalends.cli.registration import Handler
from kalends.cli.user import command as user
from kalends.errors import KalendsError

DEFAULT_CONFIGURATION = "/etc/kalends/kalends.ini"


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with 0, with 1 after an error line, or with 2 for wrong usage."""
    # A command reports errors as one line on standard error; only the server logs as well.
    for name in ("kalends", "radicale"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    parser = _parser()
    args = parser.parse_args(arguments)
    try:
        status: int = args.run(args)
    except KalendsError as error:
        sys.stderr.write(f"kalends: {error}\n")
        status = 1
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
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

    def add_command(name: str, handler: Handler, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument(
            "--config",
            type=Path,
            default=Path(os.environ.get("KALENDS_CONFIG", DEFAULT_CONFIGURATION)),
            metavar="FILE",
            help=f"the configuration file (default: KALENDS_CONFIG or {DEFAULT_CONFIGURATION})",
        )
        added.set_defaults(run=handler)
        return added

    serve = add_command("serve", _serve, "Start the server, in the foreground.")
    serve.add_argument(
        "--demo",
        type=Path,
        metavar="FOLDER",
        help="create a demo configuration with an account 'demo' in FOLDER and serve it",
    )
    add_command("check", _check, "Check the installation and list its problems.")
    transfer.register(add_command)
    feed.register(add_command)
    user.register(add_command)
    backup.register(add_command)
    return parser


def _serve(args: argparse.Namespace) -> int:
    # No other command needs the pages, their templates and the web server.
    from kalends.app import container
    from kalends.app.logging_setup import configure_logging
    from kalends.cli import demo
    from kalends.config import loader
    from kalends.server import arbiter, sockets

    path = demo.prepare(args.demo) if args.demo else args.config
    loaded = loader.load(path)
    # Errors are reported here, once, before the first worker starts.
    with container.opened(loaded) as built:
        listeners = sockets.open_listeners(loaded.settings)
        built.require_readable()
        built.migrate()
    configure_logging(loaded)

    def announce(url: str) -> str:
        return demo.announcement(args.demo, url) if args.demo else ""

    arbiter.serve(loaded, listeners, announce)
    return 0


def _check(args: argparse.Namespace) -> int:
    from kalends.cli.check.installation import check_installation

    has_problems = False
    for problem in check_installation(args.config):
        sys.stdout.write(f"{problem}\n")
        has_problems = True
    if not has_problems:
        sys.stdout.write("all is well\n")
    return 1 if has_problems else 0
