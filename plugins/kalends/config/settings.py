"""Typed and checked settings from the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from kalends.config.listener_roles import Roles
from kalends.config.tls import TlsSettings
from kalends.ical.limits import ObjectLimits

Proxy = IPv4Network | IPv6Network | Literal["unix"]
"""A proxy in front: a network, often of a single address, or ``unix`` for a Unix socket."""

FILES = "files"
"""The name of the user files in ``[auth] directories``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that the container is built from.

    Attributes:
        path: the configuration file.
        hosts: where to listen: ``127.0.0.1:5232``, ``[::1]:5232`` or ``unix:/path/of/socket``.
        database: an SQLAlchemy URL.
        htpasswd: the user file, or None.
        htdigest: the user file for HTTP Digest, or None.
        htgroup: the group file, or None.
        directories: the account sources that verify logins: `FILES` for the files above, and the
            names of Radicale's login types.
        ldap_secret: the file with the password of Kalends' own login to LDAP, or None.
        has_ldap_password: True if that password is in the configuration file itself.
        realm: the name in login dialogs, and the realm of HTTP Digest.
        schemes: the schemes that a 401 offers, the preferred first: ``digest``, ``basic``; empty
            if the web server in front does all logins.
        basic_over_http: True if HTTP Basic is accepted over plain http.
        basic_from_htdigest: True if HTTP Basic is accepted for accounts in the digest file alone.
        digest_without_qop: True if responses of RFC 2069 are accepted.
        nonce_folder: the folder of this host's nonce key and nonce counts; None for the folder of
            the database.
        first_collections: the properties of each collection of a new home, by its name.
        first_group_collections: the same for the calendars of a group.
        feeds: the feed definitions, or None for no feeds.
        feeds_folder: the folder of composed and published feeds.
        remotes: the file of logins for the servers that feeds are published to, or None.
        feeds_hosts: the addresses to listen on for feeds alone, such as ``0.0.0.0:8008``.
        admin_hosts: the addresses for ``/.health`` and ``/.metrics``, such as ``127.0.0.1:5233``.
        public_url: the address of the root for clients, such as ``https://dav.example.org``,
            without a slash at its end; empty if it is not set.
        workers: the number of worker processes.
        threads: the number of requests that one worker answers at a time.
        timeout: the seconds that a request's header may take; the whole request ten times that.
        max_content_length: the largest body of a request, in octets.
        object_limits: the limits of calendar objects and cards, and the budgets of work.
        max_hrefs: the most objects that one request may name.
        max_connections: the open connections of a worker.
        stuck_seconds: the seconds without progress after which a request is stuck.
        trusted_proxies: networks whose X- headers are believed; ``unix`` is a Unix socket.
        prefix: the prefix behind a trusted proxy that announces none, such as ``/dav``.
        log_format: ``text`` or ``json``.
        log_file: the log, or None for standard error.
        access_file: the log of answered requests, or None for standard output.
        tls: the TLS options, or None for plain http.
    """

    path: Path
    hosts: tuple[str, ...]
    database: str
    htpasswd: Path | None
    htdigest: Path | None
    htgroup: Path | None
    directories: tuple[str, ...]
    ldap_secret: Path | None
    has_ldap_password: bool
    realm: str
    schemes: tuple[str, ...]
    basic_over_http: bool
    basic_from_htdigest: bool
    digest_without_qop: bool
    nonce_folder: Path | None
    first_collections: Mapping[str, Mapping[str, str]]
    first_group_collections: Mapping[str, Mapping[str, str]]
    feeds: Path | None
    feeds_folder: Path
    remotes: Path | None
    feeds_hosts: tuple[str, ...]
    admin_hosts: tuple[str, ...]
    public_url: str
    workers: int
    threads: int
    timeout: int
    max_content_length: int
    object_limits: ObjectLimits
    max_hrefs: int
    max_connections: int
    stuck_seconds: int
    trusted_proxies: frozenset[Proxy]
    prefix: str
    log_format: str
    log_file: Path | None
    access_file: Path | None
    tls: TlsSettings | None

    @property
    def roles(self) -> Roles:
        """The roles of the listeners."""
        return Roles(tcp_ports(self.feeds_hosts), tcp_ports(self.admin_hosts))

    @property
    def own_folder(self) -> Path | None:
        """A folder that Kalends may write to with any database, or None."""
        return self.nonce_folder or (self.feeds_folder if self.feeds else None)


def tcp_ports(hosts: Iterable[str]) -> frozenset[int]:
    """Return the TCP ports of addresses to listen on; Unix sockets have none."""
    return frozenset(int(x.rpartition(":")[2]) for x in hosts if not x.startswith("unix:"))
