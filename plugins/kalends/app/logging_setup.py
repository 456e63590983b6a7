"""The log: lines of text or JSON, each with the name of the request that it belongs to.

Before each line it is checked whether the file was renamed; then a new one is created. So programs
that rotate logs need not send a signal.
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
from kalends.app.middleware.request_id import current_request_id
from kalends.common.masking import mask_addresses
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
    """A formatter for lines of text, with the traceback below if there is one."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        name = current_request_id()
        record.request = f" [{name}]" if name else ""
        return mask_addresses(super().format(record))


class JsonFormatter(logging.Formatter):
    """A formatter for JSON objects of one line, including the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields: dict[str, Any] = _common_fields(record)
        name = current_request_id()
        if name:
            fields["request"] = name
        fields["message"] = mask_addresses(record.getMessage())
        if record.exc_info:
            fields["traceback"] = mask_addresses(self.formatException(record.exc_info))
        return json.dumps(fields)


def configure_logging(loaded: LoadedConfiguration) -> None:
    """Set up logging as ``[logging]`` configures it.

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
    """Send the log to a file, or to standard error.

    Args:
        form: ``text`` or ``json``.
        file: the log file, or None for standard error.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    formatter = JsonFormatter() if form == "json" else TextFormatter()
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(_handler(file, sys.stderr, formatter))
    root.setLevel(logging.WARNING)


def _common_fields(record: logging.LogRecord) -> dict[str, Any]:
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
