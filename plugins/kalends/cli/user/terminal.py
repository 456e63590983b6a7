"""What people are asked and told."""

from __future__ import annotations

import sys
from getpass import getpass

from kalends.authn.account_editing import AccountError

_LONGEST_LINE = 8192


def say(text: str) -> None:
    """Print a line; what the terminal cannot show is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def shown(name: str) -> str:
    """A name as it can be printed: user files may hold escape sequences for terminals."""
    return name if name.isprintable() else repr(name)


def word(name: str) -> str:
    """A name as one of several on a line."""
    return shown(f'"{name}"' if " " in name else name)


def is_there() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def asked_password(name: str) -> bytes:
    """A new password: asked for twice, or else the first line of standard input.

    Raises:
        AccountError: nobody gave one.
    """
    if sys.stdin is None:
        raise AccountError("there is no standard input to take a password from")
    if not sys.stdin.isatty():
        line = sys.stdin.buffer.readline(_LONGEST_LINE)
        return line.removesuffix(b"\n").removesuffix(b"\r")
    try:
        first = getpass(f"New password of {shown(name)}: ")
        second = getpass("The same once more: ")
    except EOFError:
        raise AccountError("no password was given") from None
    except UnicodeDecodeError:
        raise AccountError("the password is not in the terminal's encoding") from None
    if first != second:
        raise AccountError("these are two different passwords; nothing was changed")
    return first.encode("utf-8", "surrogateescape")


def confirmed(question: str) -> bool:
    """Whether a person says yes."""
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:
        answer = ""
    return answer.strip().lower() in ("y", "yes")
