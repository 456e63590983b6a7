"""Kalends: a CalDAV and CardDAV server on Radicale, with Apache's user files and merged feeds."""

__version__ = "0.2.0.dev0"
