"""The parts that all commands share: how they register themselves, and the usage error."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from kalends.errors import KalendsError

Handler = Callable[[argparse.Namespace], int]
"""Runs a command and returns its exit status."""

AddCommand = Callable[[str, Handler, str], argparse.ArgumentParser]
"""Adds a command, by name, handler and help text; returns its parser, which has ``--config``."""


class UsageError(KalendsError):
    """Arguments of a command that do not fit together."""
