"""Kalends' own options, beyond Radicale's, and the parsers of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, NamedTuple

from kalends.common.budget import OBJECT_STEPS, REQUEST_STEPS
from kalends.config.settings import FILES, Proxy, tcp_ports
from kalends.config.tls import parse_ciphersuite, parse_protocol
from kalends.ical.limits import MAX_ALARMS, MAX_ATTENDEES, MAX_DATES, MAX_OVERRIDES

_DIRECTORIES = (FILES, "ldap", "pam", "imap", "dovecot", "oauth2")

_SWITCHES = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def parse_listeners(value: object) -> tuple[str, ...]:
    """Parse ``[server] hosts``: addresses to listen on, separated by commas.

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
        raise ValueError("names no address; set for example 127.0.0.1:5232")
    return found


def parse_tcp_listeners(value: object) -> tuple[str, ...]:
    """Parse ``feeds_hosts`` or ``admin_hosts``: TCP addresses separated by commas, or nothing.

    Raises:
        ValueError: one of them is not ``host:port`` with a port of 1 or more.
    """
    found = parse_listeners(value) if value else ()
    for part in found:
        if not tcp_ports([part]) - {0}:
            raise ValueError(f"{part!r} needs an explicit port, as in 127.0.0.1:8008")
    return found


def parse_log_format(value: object) -> str:
    """Parse ``[logging] format``: ``text`` or ``json``.

    Raises:
        ValueError: it is neither.
    """
    found = str(value).lower()
    if found not in ("text", "json"):
        raise ValueError(f"{value!r} is neither text nor json")
    return found


def parse_proxies(value: object) -> frozenset[Proxy]:
    """Parse ``[kalends] trusted_proxies``: addresses, networks and ``unix``, separated by commas.

    Raises:
        ValueError: one of them is none of these.
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


def parse_public_url(value: object) -> str:
    """Parse ``[kalends] public_url``: the address of the root for clients.

    Returns:
        the address without a slash at its end; empty if none is set.

    Raises:
        ValueError: it is not an http or https address, or has a query.
    """
    text = str(value).strip()
    if text and not re.fullmatch(r"https?://[^\s/?#@]+(?:/[^\s?#]*)?", text):
        raise ValueError("must be such as https://dav.example.org/")
    return text.rstrip("/")


def parse_schemes(value: object) -> tuple[str, ...]:
    """Parse ``[auth] schemes``: ``basic``, ``digest``, both in either order, or ``none``.

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


def parse_directories(value: object) -> tuple[str, ...]:
    """Parse ``[auth] directories``: the account sources, separated by commas.

    Raises:
        ValueError: one of them is unknown or named twice, or there is none.
    """
    if isinstance(value, tuple):
        return value
    found = tuple(_words(str(value).lower()))
    if not found or len(set(found)) < len(found) or not set(found) <= set(_DIRECTORIES):
        raise ValueError(f"takes one or more of {', '.join(_DIRECTORIES)}")
    return found


def parse_switch(value: object) -> bool:
    """Parse a switch: ``True``, ``yes``, ``on`` or ``1``, and their opposites.

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


def parse_positive_number(value: Any) -> int:
    """Parse a whole number of 1 or more.

    Raises:
        ValueError: it is less, or not a number.
    """
    number = int(value)
    if number < 1:
        raise ValueError("must be 1 or more")
    return number


def number_between(least: int, most: int) -> Callable[[Any], int]:
    """Return a parser of whole numbers from ``least`` to ``most``, which raises ValueError."""

    def parse(value: Any) -> int:
        text = str(value).strip()
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(text)

    return parse


class Option(NamedTuple):
    """One option of the configuration file.

    Attributes:
        section: its section.
        name: its name.
        default: its default, as written in a file.
        type: the parser of its values.
        help: a short description.
    """

    section: str
    name: str
    default: str
    type: Callable[[Any], Any]
    help: str


OPTIONS = (
    Option(
        "server",
        "hosts",
        "127.0.0.1:5232",
        parse_listeners,
        "HOST:PORT or unix:/PATH, comma-separated",
    ),
    Option(
        "server", "protocol", "", parse_protocol, "such as TLSv1.3 or ALL -TLSv1; empty: OpenSSL's"
    ),
    Option("server", "ciphersuite", "", parse_ciphersuite, "OpenSSL cipher list; empty: OpenSSL's"),
    Option("auth", "realm", "calendars", str, "name in login dialogs; also the Digest realm"),
    Option(
        "auth", "htpasswd_filename", "/etc/kalends/users.htpasswd", str, "Apache's AuthUserFile"
    ),
    Option("auth", "htdigest_filename", "", str, "Apache's AuthUserFile for Digest; empty: none"),
    Option("auth", "htgroup_filename", "", str, "Apache's AuthGroupFile; empty: none"),
    Option(
        "auth", "directories", FILES, parse_directories, "account sources: files, ldap, pam, imap …"
    ),
    Option("auth", "schemes", "basic", parse_schemes, "basic, digest, 'digest, basic', or none"),
    Option("auth", "basic_over_http", "True", parse_switch, "accept Basic over plain http"),
    Option(
        "auth",
        "basic_from_htdigest",
        "False",
        parse_switch,
        "accept Basic for accounts in htdigest_filename alone",
    ),
    Option("auth", "digest_without_qop", "False", parse_switch, "accept Digest as of RFC 2069"),
    Option("auth", "nonce_folder", "", str, "nonce key and counts; empty: the database's folder"),
    Option("storage", "database", "", str, "sqlite:////path/to/kalends.db"),
    Option(
        "storage",
        "max_collections",
        "250",
        parse_positive_number,
        "calendars and address books that programs may make in one home",
    ),
    Option("kalends", "feeds", "", str, "feed definitions (TOML); empty: no feeds"),
    Option("kalends", "feeds_folder", "", str, "folder of composed and published feeds"),
    Option(
        "kalends", "remotes", "", str, "logins for the servers that feeds are published to (TOML)"
    ),
    Option(
        "kalends",
        "feeds_hosts",
        "",
        parse_tcp_listeners,
        "HOST:PORT for feeds alone over plain http, comma-separated",
    ),
    Option(
        "kalends",
        "admin_hosts",
        "",
        parse_tcp_listeners,
        "HOST:PORT for /.health and /.metrics, comma-separated",
    ),
    Option(
        "kalends",
        "public_url",
        "",
        parse_public_url,
        "root address for clients: https://dav.example.org/",
    ),
    Option("kalends", "workers", "2", parse_positive_number, "worker processes"),
    Option(
        "kalends", "threads", "8", parse_positive_number, "requests one worker answers at a time"
    ),
    Option(
        "kalends",
        "max_xml_length",
        "4000000",
        parse_positive_number,
        "the largest XML of a request, such as a list of objects to fetch, in octets",
    ),
    *(
        Option("kalends", name, str(default), number_between(least, most), text)
        for name, default, least, most, text in (
            ("max_connections", 1_000, 10, 100_000, "open connections of a worker"),
            ("max_hrefs", 10_000, 100, 100_000, "objects that one request may name"),
            ("max_overrides", MAX_OVERRIDES, 100, 20_000, "changed occurrences of a series"),
            ("max_dates", MAX_DATES, 1_000, 200_000, "values of RDATE and EXDATE in an object"),
            ("max_alarms", MAX_ALARMS, 10, 10_000, "alarms of an event or task"),
            ("max_attendees", MAX_ATTENDEES, 100, 100_000, "attendees of an event or task"),
            ("max_object_steps", OBJECT_STEPS, 100_000, 20_000_000, "work on one object, in steps"),
            ("max_request_steps", REQUEST_STEPS, 100_000, 80_000_000, "work on one request"),
            ("stuck_seconds", 45, 10, 3_600, "without progress, a request is stuck"),
        )
    ),
    Option(
        "kalends",
        "trusted_proxies",
        "",
        parse_proxies,
        "addresses or networks of proxies whose X- headers are believed; 'unix' for a Unix socket",
    ),
    Option("logging", "format", "text", parse_log_format, "text or json"),
    Option("logging", "file", "", str, "the log; empty: standard error"),
    Option("logging", "access_file", "", str, "answered requests; empty: standard output"),
)
