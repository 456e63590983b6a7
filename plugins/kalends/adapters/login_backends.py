"""Radicale's own logins (LDAP, PAM, IMAP, Dovecot, OAuth2) as external backends."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from radicale.auth import BaseAuth
from radicale.config import Configuration

from kalends.adapters.backend_probes import PROBES
from kalends.adapters.radicale_compat import check_login
from kalends.authn.backends.external import ExternalBackends, PasswordCheck
from kalends.config.settings import FILES, Settings
from kalends.errors import ConfigurationError


def external_backends(configuration: Configuration, settings: Settings) -> ExternalBackends | None:
    """Create the backends of ``[auth] directories``; return None if it names only the files.

    Raises:
        ConfigurationError: one of them cannot be used with these options.
    """
    names = [name for name in settings.directories if name != FILES]
    if not names:
        return None
    rename = _renaming(configuration)
    remembered = configuration.get("auth", "cache_logins")
    return ExternalBackends(
        {
            name: _ask(
                _made(name, configuration, settings),
                rename,
                partial(PROBES[name], configuration) if name in PROBES else _is_there,
            )
            for name in names
        },
        remember_seconds=(
            configuration.get("auth", "cache_successful_logins_expiry") if remembered else 0.0
        ),
    )


def _made(name: str, configuration: Configuration, settings: Settings) -> BaseAuth:
    try:
        module = importlib.import_module(f"radicale.auth.{name}")
        made: BaseAuth = module.Auth(configuration)
    except (RuntimeError, OSError, ImportError) as error:
        raise ConfigurationError(
            str(settings.path), f"[auth] directories: {name} cannot be used: {error}"
        ) from None
    return made


def _ask(auth: BaseAuth, rename: Callable[[str], str], probe: Callable[[], None]) -> PasswordCheck:
    """Return a check of passwords that raises an exception if the directory cannot be asked."""

    def ask(name: str, password: str, address: str) -> str:
        account, _ = check_login(auth, rename(name), password, address)
        if not account:
            probe()  # a wrong password, or a server that is away?
        return account

    return ask


def _is_there() -> None:
    """Probe nothing: a login without a server is always available."""


def _renaming(configuration: Configuration) -> Callable[[str], str]:
    """Return the changes of a name by Radicale's options, before a directory is asked."""
    lower, upper, unquoted, bare = (
        configuration.get("auth", option)
        for option in ("lc_username", "uc_username", "urldecode_username", "strip_domain")
    )

    def rename(name: str) -> str:
        if lower:
            name = name.lower()
        if upper:
            name = name.upper()
        if unquoted:
            name = unquote(name)
        return name.partition("@")[0] if bare else name

    return rename
