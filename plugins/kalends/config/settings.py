"""What the configuration says, typed and checked, for the parts that go by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Literal

from kalends.config.listener_roles import Roles
from kalends.config.tls import TlsSettings

Proxy = IPv4Network | IPv6Network | Literal["unix"]
"""Who stands in front: a network (of one address, mostly), or whoever has the Unix socket."""

FILES = "files"
"""The user files, among the directories that are asked."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the assembly needs to know, typed and checked.

    Attributes:
        path: the configuration file.
        hosts: where to listen: ``127.0.0.1:5232``, ``[::1]:5232`` or ``unix:/path/of/socket``.
        database: an SQLAlchemy URL.
        htpasswd: the user file, or None for no such accounts.
        htdigest: the user file for HTTP Digest, or None.
        htgroup: the group file, or None.
        directories: who is asked whether a login is right: `FILES` for the files above, and the
            names of Radicale's logins.
        ldap_secret: the file with the password by which LDAP is asked, or None.
        has_ldap_password: whether that password is in the configuration file itself.
        realm: what a login dialog shows, and the realm of HTTP Digest.
        schemes: what a 401 offers, the preferred first: ``digest``, ``basic``; empty where only
            the web server in front logs people in.
        basic_over_http: whether passwords are taken over plain http.
        basic_from_htdigest: whether HTTP Basic counts for who is in the digest file alone.
        digest_without_qop: whether answers as of RFC 2069 are accepted.
        nonce_folder: where the key of nonces and the nonce counts of this host lie; None for the
            folder of the database.
        first_collections: the properties of the collections that a new home begins with, by name.
        first_group_collections: the same for the calendars of a group.
        feeds: the feed definitions, or None for no feeds.
        feeds_folder: where composed and published feeds lie.
        remotes: how to log in to other servers that feeds are brought to, or None for no logins.
        feeds_hosts: where to listen for requests of feeds alone, as ``0.0.0.0:8008``.
        admin_hosts: where to listen for ``/.health`` and ``/.metrics``, as ``127.0.0.1:5233``.
        public_url: where Kalends is for its clients, as ``https://dav.example.org``, without a
            slash at its end; empty where nobody has said.
        workers: worker processes.
        threads: requests that one worker answers at a time.
        timeout: seconds that a request's header may take; the whole request ten times that.
        max_content_length: the largest body of a request, octets.
        max_resource_size: the largest calendar object, octets.
        trusted_proxies: networks whose X- headers are believed; ``unix`` is a Unix socket.
        prefix: the prefix behind a trusted proxy that announces none, as in ``/dav``.
        log_format: ``text`` or ``json``.
        log_file: the log, or None for standard error.
        access_file: where answered requests are told, or None for standard output.
        tls: how TLS is done, or None for plain http.
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
    max_resource_size: int
    trusted_proxies: frozenset[Proxy]
    prefix: str
    log_format: str
    log_file: Path | None
    access_file: Path | None
    tls: TlsSettings | None

    @property
    def roles(self) -> Roles:
        """What the listeners are for."""
        return Roles(ports(self.feeds_hosts), ports(self.admin_hosts))

    @property
    def own_folder(self) -> Path | None:
        """A folder of this host that Kalends may write to, whatever the store is in; or None."""
        return self.nonce_folder or (self.feeds_folder if self.feeds else None)


def ports(hosts: Iterable[str]) -> frozenset[int]:
    """The TCP ports among addresses to listen on."""
    return frozenset(int(x.rpartition(":")[2]) for x in hosts if not x.startswith("unix:"))
