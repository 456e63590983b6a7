"""The web server of `kalends serve` with an application that does nothing, to measure its own cost.

Usage: empty.py CONFIGURATION
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kalends.config import loader
from kalends.server import arbiter, sockets


class Nothing:
    """A WSGI application that answers everything with an empty 207."""

    def start(self) -> None:
        """Do nothing (the server calls this in each worker)."""

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], Any]
    ) -> Iterable[bytes]:
        start_response("207 Multi-Status", [("Content-Length", "0")])
        return [b""]


class EmptyServer(arbiter.Server):
    """The server with its own options, and with `Nothing` as its application."""

    def load(self) -> Any:
        return Nothing()


def main() -> None:
    """Serve until a signal stops the server."""
    loaded = loader.load(Path(sys.argv[1]))
    EmptyServer(loaded, sockets.open_listeners(loaded.settings), lambda url: "").run()


if __name__ == "__main__":
    main()
