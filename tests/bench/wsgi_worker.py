"""Kalends' own gunicorn worker with limits short enough to be watched by `wsgi_facts.py`."""

from __future__ import annotations

from kalends.server.worker import BoundedWorker


class ShortWorker(BoundedWorker):
    """A second for a header, ten for the whole of a request."""

    header_seconds = 1.0
