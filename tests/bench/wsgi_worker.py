"""Kalends' gunicorn worker with a time limit short enough for `wsgi_facts.py`."""

from __future__ import annotations

from kalends.server.worker import BoundedWorker


class ShortWorker(BoundedWorker):
    """A worker that allows a second for a header."""

    header_seconds = 1.0
