"""Kalends' own options: what the configuration file may say beyond Radicale's options."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, NamedTuple

from kalends.config.settings import FILES, Proxy, ports
from kalends.config.tls import ciphersuite, protocol

_DIRECTORIES = (FILES, "ldap", "pam", "imap", "dovecot", "oauth2")

_SWITCHES = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def listeners(value: object) -> tuple[str, ...]:
    """``[server] hosts``: addresses to listen on, separated by commas.

    Raises:
        ValueError: one of them is neither ``host:port`` nor ``unix:/path``.
    """
    if isinstance(value, tuple):
        return value
    found = tuple(_words(value))
    for part in found:
        if part.startswith("unix:/"):
            continue
        port = re.fullmatch(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):(\d{1,5})", part)
        if port is None or int(port[1]) > 65535:
            raise ValueError(f"{part!r} is neither HOST:PORT nor unix:/PATH")
    if not found:
        raise ValueError("names no address")
    return found


def tcp_listeners(value: object) -> tuple[str, ...]:
    """``feeds_hosts``, ``admin_hosts``: TCP addresses to listen on, separated by commas; or none.

    Raises:
        ValueError: one of them is not ``host:port``.
    """
    found = listeners(value) if value else ()
    for part in found:
        if not ports([part]) - {0}:
            raise ValueError(f"{part!r} has no port that tells it from others")
    return found


def log_format(value: object) -> str:
    """``[logging] format``: ``text`` or ``json``.

    Raises:
        ValueError: it is neither.
    """
    found = str(value).lower()
    if found not in ("text", "json"):
        raise ValueError(f"{value!r} is neither text nor json")
    return found


def proxies(value: object) -> frozenset[Proxy]:
    """``[kalends] trusted_proxies``: addresses, networks and ``unix``, separated by commas.

    Raises:
        ValueError: one of them is neither.
    """
    if isinstance(value, frozenset):
        return value
    found: set[Proxy] = set()
    for part in _words(value):
        try:
            found.add("unix" if part == "unix" else ip_network(part))
        except ValueError:
            raise ValueError(f"{part!r} is neither an address, a network nor 'unix'") from None
    return frozenset(found)


def outside_url(value: object) -> str:
    """``[kalends] public_url``: the address of the root for clients; a slash at its end goes.

    Raises:
        ValueError: it is no such address.
    """
    text = str(value).strip()
    if text and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", text):
        raise ValueError("must be such as https://dav.example.org/")
    return text.rstrip("/")


def schemes(value: object) -> tuple[str, ...]:
    """``[auth] schemes``: ``basic``, ``digest``, both in either order, or ``none``.

    Returns:
        the schemes as a 401 offers them: Digest comes first (RFC 7616 section 3.7).

    Raises:
        ValueError: it is something else.
    """
    if isinstance(value, tuple):
        return value
    given = _words(str(value).lower())
    if given == ["none"]:
        return ()
    if not given or len(set(given)) < len(given) or not set(given) <= {"basic", "digest"}:
        raise ValueError("takes 'basic', 'digest', 'digest, basic' or 'none'")
    return tuple(sorted(given, reverse=True))


def directories(value: object) -> tuple[str, ...]:
    """``[auth] directories``: who is asked whether a login is right, separated by commas.

    Raises:
        ValueError: one of them is unknown, or there is none.
    """
    if isinstance(value, tuple):
        return value
    found = tuple(_words(str(value).lower()))
    if not found or len(set(found)) < len(found) or not set(found) <= set(_DIRECTORIES):
        raise ValueError(f"takes one or more of {', '.join(_DIRECTORIES)}")
    return found


def switch(value: object) -> bool:
    """Yes or no.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool):
        return value
    found = _SWITCHES.get(str(value).lower())
    if found is None:
        raise ValueError(f"{value!r} is neither True nor False")
    return found


def _words(value: object) -> list[str]:
    return [part.strip() for part in str(value).split(",") if part.strip()]


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
    Option("server", "protocol", "", protocol, "such as TLSv1.3 or ALL -TLSv1; empty: OpenSSL's"),
    Option("server", "ciphersuite", "", ciphersuite, "OpenSSL cipher list; empty: OpenSSL's"),
    Option("auth", "realm", "calendars", str, "what a login dialog shows; also the Digest realm"),
    Option(
        "auth", "htpasswd_filename", "/etc/kalends/users.htpasswd", str, "Apache's AuthUserFile"
    ),
    Option("auth", "htdigest_filename", "", str, "Apache's AuthUserFile for Digest; empty: none"),
    Option("auth", "htgroup_filename", "", str, "Apache's AuthGroupFile; empty: none"),
    Option("auth", "directories", FILES, directories, "who has accounts: files, ldap, pam, imap …"),
    Option("auth", "schemes", "basic", schemes, "basic, digest, 'digest, basic', or none"),
    Option("auth", "basic_over_http", "True", switch, "whether Basic is taken over plain http"),
    Option(
        "auth",
        "basic_from_htdigest",
        "False",
        switch,
        "Basic also by the lines of htdigest_filename",
    ),
    Option("auth", "digest_without_qop", "False", switch, "accept Digest as of RFC 2069"),
    Option("auth", "nonce_folder", "", str, "key and counts of nonces; empty: by the database"),
    Option("storage", "database", "", str, "sqlite:////path/to/kalends.db"),
    Option("kalends", "feeds", "", str, "feed definitions (TOML); empty: no feeds"),
    Option("kalends", "feeds_folder", "", str, "where composed and published feeds lie"),
    Option("kalends", "remotes", "", str, "logins for other servers that feeds are brought to"),
    Option(
        "kalends",
        "feeds_hosts",
        "",
        tcp_listeners,
        "HOST:PORT for feeds alone over plain http, comma-separated",
    ),
    Option(
        "kalends",
        "admin_hosts",
        "",
        tcp_listeners,
        "HOST:PORT for /.health and /.metrics, comma-separated",
    ),
    Option(
        "kalends",
        "public_url",
        "",
        outside_url,
        "where Kalends is for its clients: https://dav.example.org/",
    ),
    Option("kalends", "workers", "2", at_least_one, "worker processes"),
    Option("kalends", "threads", "8", at_least_one, "requests one worker answers at a time"),
    Option(
        "kalends",
        "trusted_proxies",
        "",
        proxies,
        "addresses or networks of proxies whose X- headers are believed; 'unix' for a Unix socket",
    ),
    Option("logging", "format", "text", log_format, "text or json"),
    Option("logging", "file", "", str, "the log; empty: standard error"),
    Option("logging", "access_file", "", str, "answered requests; empty: standard output"),
)
