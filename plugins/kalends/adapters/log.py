"""Radicale's log within ours."""

from __future__ import annotations

import logging

from radicale.log import REMOVE_TRACEBACK_FILTER


def remove_tracebacks() -> None:
    """Keep Radicale from adding a traceback to a client's mistake.

    It logs a bug as text, traceback included, so that nothing of that is lost.
    """
    logging.getLogger("radicale").addFilter(REMOVE_TRACEBACK_FILTER)
