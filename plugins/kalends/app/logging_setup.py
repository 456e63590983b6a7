"""What the log looks like: lines for people or JSON, each with the request that it belongs to.

Files are looked at before each line: one that was renamed is left alone and a new one begun, so
that whoever rotates logs need tell us nothing.
"""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, TextIO

from kalends.adapters.log import remove_tracebacks
from kalends.app import access_log
from kalends.app.middleware.request_id import current
from kalends.config.loader import LoadedConfiguration
from kalends.errors import ConfigurationError

_TEXT = "%(asctime)s %(process)d %(levelname)s %(name)s%(request)s: %(message)s"


class LogFile(WatchedFileHandler):
    """A log file that may be renamed at any time; only its owner and group may read it."""

    def _open(self) -> io.TextIOWrapper:
        def opener(path: str, flags: int) -> int:
            return os.open(path, flags | os.O_CLOEXEC, 0o640)

        return open(self.baseFilename, "a", encoding="utf-8", opener=opener)


class TextFormatter(logging.Formatter):
    """A line for a person, and a traceback below it if there is one."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        name = current()
        record.request = f" [{name}]" if name else ""
        return super().format(record)


class JsonFormatter(logging.Formatter):
    """One JSON object on one line, its traceback in it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        said: dict[str, Any] = _beginning(record)
        name = current()
        if name:
            said["request"] = name
        said["message"] = record.getMessage()
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)


def configure_logging(loaded: LoadedConfiguration) -> None:
    """Log as ``[logging]`` says.

    Raises:
        ConfigurationError: a log file cannot be written.
    """
    configuration, settings = loaded
    configure_handlers(settings.log_format, settings.log_file)
    access_log.configure(settings.log_format, settings.access_file)
    level = configuration.get("logging", "level").upper()
    for name in ("kalends", "radicale"):
        logging.getLogger(name).setLevel(level)
    if level not in ("DEBUG", "TRACE"):
        remove_tracebacks()


def configure_handlers(form: str, file: Path | None) -> None:
    """Let everything that is logged go to a file, or to standard error.

    Args:
        form: ``text`` or ``json``.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(_handler(file, sys.stderr, formatter))
    root.setLevel(logging.WARNING)


def _beginning(record: logging.LogRecord) -> dict[str, Any]:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return {
        "time": f"{moment}.{int(record.msecs):03d}Z",
        "level": record.levelname,
        "logger": record.name,
        "process": record.process,
    }


def _handler(file: Path | None, stream: TextIO, formatter: logging.Formatter) -> logging.Handler:
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(stream)
    else:
        try:
            handler = LogFile(file)
        except OSError as error:
            raise ConfigurationError(str(file), f"cannot be written: {error.strerror}") from None
    handler.setFormatter(formatter)
    return handler
