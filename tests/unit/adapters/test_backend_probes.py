"""A server of accounts that is away: each probe says so (LDAP: tests/wire, with a real slapd)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from radicale.config import DEFAULT_CONFIG_SCHEMA, Configuration

from kalends.adapters.backend_probes import PROBES
from support.process import ReservedPort


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("imap", lambda port, _: {"imap_host": f"127.0.0.1:{port}", "imap_security": "none"}),
        ("imap", lambda port, _: {"imap_host": f"127.0.0.1:{port}", "imap_security": "tls"}),
        ("dovecot", lambda _, folder: {"dovecot_socket": str(folder / "none")}),
        ("oauth2", lambda port, _: {"oauth2_token_endpoint": f"https://127.0.0.1:{port}/t"}),
    ],
)
def test_a_server_that_is_away_is_an_error(
    tmp_path: Path, name: str, options: Callable[[int, Path], dict[str, str]]
) -> None:
    port = ReservedPort()
    try:
        configuration = Configuration(DEFAULT_CONFIG_SCHEMA)
        configuration.update({"auth": options(port.number, tmp_path)}, "test")
        with pytest.raises(Exception, match=r"refused|No such file"):
            PROBES[name](configuration)
    finally:
        port.release()
