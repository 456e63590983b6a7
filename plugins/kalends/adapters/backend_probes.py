"""Probes of external account servers, used after one of Radicale's logins has refused.

Some of those logins refuse a wrong password and an unreachable server alike. Each probe contacts
the server as the login does, but without the password of the account.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from radicale.config import Configuration

SECONDS = 5
"""The time limit of each step; ldap3 accepts whole seconds only."""

_VERIFY = {"NONE": ssl.CERT_NONE, "OPTIONAL": ssl.CERT_OPTIONAL, "REQUIRED": ssl.CERT_REQUIRED}


def probe_ldap(configuration: Configuration) -> None:
    """Find the base of the accounts.

    Raises:
        Exception: of ldap3 or the system, if that fails.
    """
    import ldap3  # large, and only needed for LDAP

    def said(option: str) -> Any:
        return configuration.get("auth", f"ldap_{option}")

    secret = said("secret")
    if said("secret_file"):
        secret = Path(said("secret_file")).read_text("utf-8").rstrip("\n")
    security, uri = said("security"), said("uri")
    if uri.lower().startswith("ldaps://") and security == "none":
        security = "tls"
    tls = None
    if security != "none":
        verify = _VERIFY[said("ssl_verify_mode")]
        tls = ldap3.Tls(validate=verify, ca_certs_file=said("ssl_ca_file") or None)
    server = ldap3.Server(
        uri, use_ssl=security == "tls", tls=tls, get_info=ldap3.NONE, connect_timeout=SECONDS
    )
    connection = ldap3.Connection(
        server, said("reader_dn"), secret, raise_exceptions=True, receive_timeout=SECONDS
    )
    try:
        if security == "starttls":
            connection.start_tls()
        connection.bind()
        connection.search(said("base"), "(objectClass=*)", ldap3.BASE, attributes=["1.1"])
    finally:
        connection.unbind()


def probe_imap(configuration: Configuration) -> None:
    """Connect, and see that a password can be given.

    Raises:
        OSError: the server cannot be reached.
        imaplib.IMAP4.error: it is not one that takes passwords.
    """
    host, port = configuration.get("auth", "imap_host")
    security = configuration.get("auth", "imap_security")
    connection: imaplib.IMAP4
    if security == "tls":
        context = ssl.create_default_context()
        connection = imaplib.IMAP4_SSL(host, port or 993, ssl_context=context, timeout=SECONDS)
    else:
        connection = imaplib.IMAP4(host, port or 143, timeout=SECONDS)
    with connection:
        if security == "starttls":
            connection.starttls(ssl.create_default_context())
        if not {"AUTH=PLAIN", "AUTH=LOGIN"} & set(connection.capabilities):
            raise imaplib.IMAP4.error("the server offers neither AUTH=PLAIN nor AUTH=LOGIN")


def probe_dovecot(configuration: Configuration) -> None:
    """Connect, and see that an authentication server greets.

    Raises:
        OSError: the server cannot be reached, or is another.
    """

    def said(option: str) -> Any:
        return configuration.get("auth", f"dovecot_{option}")

    kind = said("connection_type")
    address = said("socket") if kind == "AF_UNIX" else (said("host"), said("port"))
    with socket.socket(getattr(socket, kind)) as connection:
        connection.settimeout(SECONDS)
        connection.connect(address)
        if not connection.recv(1024).startswith(b"VERSION\t1\t"):
            raise OSError("the server does not greet as Dovecot's authentication does")


def probe_oauth2(configuration: Configuration) -> None:
    """Connect to the token endpoint.

    Raises:
        OSError: it cannot be reached.
    """
    url = urlsplit(configuration.get("auth", "oauth2_token_endpoint"))
    is_tls = url.scheme == "https"
    address = (url.hostname or "", url.port or (443 if is_tls else 80))
    with socket.create_connection(address, timeout=SECONDS) as connection:
        if is_tls:
            context = ssl.create_default_context()
            context.wrap_socket(connection, server_hostname=url.hostname).close()


PROBES: Mapping[str, Callable[[Configuration], None]] = {
    "ldap": probe_ldap,
    "imap": probe_imap,
    "dovecot": probe_dovecot,
    "oauth2": probe_oauth2,
}
"""By the name of the login; PAM has no server."""
