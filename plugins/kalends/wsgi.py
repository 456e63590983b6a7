"""The WSGI entry: ``create_app(config_path)``, and ``application`` for servers that want a name."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from kalends.app.logging_setup import configure_logging
from kalends.app.stack import ApplicationStack
from kalends.common.wsgi import Environ, StartResponse
from kalends.config import loader
from kalends.store.engine import open_database

_lock = threading.Lock()
_served: ApplicationStack | None = None


def create_app(config_path: str | os.PathLike[str]) -> ApplicationStack:
    """Create Kalends as one WSGI application.

    Its background work (publishing feeds) starts with the first request, or with ``start()``:
    after the server has forked its workers.

    Args:
        config_path: the configuration file.

    Raises:
        KalendsError: the configuration or the store cannot be used.
    """
    loaded = loader.load(Path(config_path))
    return ApplicationStack(loaded, open_database(loaded.settings.database))


def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request by the application of ``KALENDS_CONFIG``, created at the first one."""
    global _served
    if _served is None:
        with _lock:
            if _served is None:
                path = Path(os.environ["KALENDS_CONFIG"])
                configure_logging(loader.load(path))
                _served = create_app(path)
    return _served(environ, start_response)
