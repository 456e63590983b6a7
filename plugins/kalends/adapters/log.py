"""Radicale's log as part of ours."""

from __future__ import annotations

import logging

from radicale.log import REMOVE_TRACEBACK_FILTER


def remove_tracebacks() -> None:
    """Keep Radicale from adding a traceback to a client's mistake.

    It logs a bug as text, with its traceback, so that nothing of it is lost.
    """
    logging.getLogger("radicale").addFilter(REMOVE_TRACEBACK_FILTER)
