"""Input and output on the terminal."""

from __future__ import annotations

import sys
from getpass import getpass

from kalends.authn.account_editing import AccountError

_LONGEST_LINE = 8192


def print_line(text: str) -> None:
    """Print a line; escape characters that the terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def printable(name: str) -> str:
    """Return a name in printable form: user files may hold escape sequences for terminals."""
    return name if name.isprintable() else repr(name)


def quote_name(name: str) -> str:
    """Return a name in printable form, in quotation marks if it has spaces."""
    return printable(f'"{name}"' if " " in name else name)


def is_interactive() -> bool:
    """Return True if a person can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_password(name: str) -> bytes:
    """Ask twice for a new password, or read it from the first line of standard input.

    Raises:
        AccountError: no password was given, or two different ones.
    """
    if sys.stdin is None:
        raise AccountError("there is no standard input to read the password from")
    if not sys.stdin.isatty():
        line = sys.stdin.buffer.readline(_LONGEST_LINE)
        return line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        first = getpass(f"New password of {printable(name)}: ")
        second = getpass("Repeat the password: ")
    except EOFError:
        raise AccountError("no password was given; nothing was changed") from None
    except UnicodeDecodeError:
        raise AccountError(
            "the password is not in the encoding of the terminal; nothing was changed"
        ) from None
    if first != second:
        raise AccountError("the two passwords are different; nothing was changed")
    return first.encode("utf-8", "surrogateescape")


def confirm(question: str) -> bool:
    """Ask a question and return True if the answer is yes."""
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")
