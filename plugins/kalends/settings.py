"""Kalends' own options: what the configuration file may say beyond Radicale's options."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Settings:
    """What the assembly needs to know, typed and checked.

    Attributes:
        path: the configuration file.
        hosts: where to listen: ``127.0.0.1:5232``, ``[::1]:5232`` or ``unix:/path/of/socket``.
        database: an SQLAlchemy URL.
        htpasswd: the user file.
        realm: what a login dialog shows, and the realm of HTTP Digest.
        first_collections: the properties of the collections that a new home begins with, by name.
        feeds: the feed definitions, or None for no feeds.
        feeds_folder: where composed and published feeds lie.
        workers: worker processes.
        threads: requests that one worker answers at a time.
        timeout: seconds that a request's header may take; the whole request ten times that.
        max_content_length: the largest body of a request, octets.
        max_resource_size: the largest calendar object, octets.
        trusted_proxies: addresses whose X- headers are believed; ``unix`` is a Unix socket.
        certificate: the TLS certificate chain (PEM), or None for plain http.
        key: its private key.
    """

    path: Path
    hosts: tuple[str, ...]
    database: str
    htpasswd: Path
    realm: str
    first_collections: Mapping[str, Mapping[str, str]]
    feeds: Path | None
    feeds_folder: Path
    workers: int
    threads: int
    timeout: int
    max_content_length: int
    max_resource_size: int
    trusted_proxies: frozenset[str]
    certificate: Path | None
    key: Path | None


def listeners(value: object) -> tuple[str, ...]:
    """``[server] hosts``: addresses to listen on, separated by commas.

    Raises:
        ValueError: one of them is neither ``host:port`` nor ``unix:/path``.
    """
    if isinstance(value, tuple):
        return value
    found = tuple(part.strip() for part in str(value).split(",") if part.strip())
    for part in found:
        if part.startswith("unix:/"):
            continue
        port = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):(\d{1,5})", part)
        if port is None or int(port[1]) > 65535:
            raise ValueError(f"{part!r} is neither HOST:PORT nor unix:/PATH")
    if not found:
        raise ValueError("names no address")
    return found


def names(value: object) -> frozenset[str]:
    """A list separated by commas."""
    if isinstance(value, frozenset):
        return value
    return frozenset(part.strip() for part in str(value).split(",") if part.strip())


def at_least_one(value: Any) -> int:
    """A whole number from 1 on.

    Raises:
        ValueError: it is less, or no number.
    """
    number = int(value)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number


class Option(NamedTuple):
    """One option: its place, its default as written in a file, its type, and what it is for."""

    section: str
    name: str
    default: str
    type: Callable[[Any], Any]
    help: str


OPTIONS = (
    Option(
        "server", "hosts", "127.0.0.1:5232", listeners, "HOST:PORT or unix:/PATH, comma-separated"
    ),
    Option("auth", "realm", "calendars", str, "what a login dialog shows; also the Digest realm"),
    Option(
        "auth", "htpasswd_filename", "/etc/kalends/users.htpasswd", str, "Apache's AuthUserFile"
    ),
    Option("storage", "database", "", str, "sqlite:////path/to/kalends.db"),
    Option("kalends", "feeds", "", str, "feed definitions (TOML); empty: no feeds"),
    Option("kalends", "feeds_folder", "", str, "where composed and published feeds lie"),
    Option("kalends", "workers", "2", at_least_one, "worker processes"),
    Option("kalends", "threads", "8", at_least_one, "requests one worker answers at a time"),
    Option(
        "kalends",
        "trusted_proxies",
        "",
        names,
        "addresses of proxies whose X- headers are believed; 'unix' for a Unix socket",
    ),
)
