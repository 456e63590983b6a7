"""The logins of one installation: its user files, its schemes, its throttle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kalends.authn.backends.apache_files import (
    UserDirectory,
    htdigest_file,
    htgroup_file,
    htpasswd_file,
)
from kalends.authn.backends.external import ExternalBackends
from kalends.authn.middleware import HttpAuthentication
from kalends.authn.schemes.base import AuthScheme, BasicScheme
from kalends.authn.schemes.digestscheme import DigestScheme
from kalends.authn.shared_state import SharedAuthState
from kalends.authn.throttle import Throttle
from kalends.common.names import folded_group
from kalends.common.wsgi import PREFIX_KEY, App, Environ, web_server_login
from kalends.config.settings import Settings
from kalends.errors import UserFileUnavailableError
from kalends.store.external_accounts import ExternalAccounts


def user_directory(settings: Settings) -> UserDirectory:
    """Open the user files that the settings name."""
    return UserDirectory(
        htpasswd_file(settings.htpasswd) if settings.htpasswd else None,
        htdigest=htdigest_file(settings.htdigest) if settings.htdigest else None,
        htgroup=htgroup_file(settings.htgroup) if settings.htgroup else None,
        realm=settings.realm,
        basic_by_htdigest=settings.basic_from_htdigest,
    )


class KnownAccounts:
    """All accounts, for feeds and groups: those of the user files, and external ones.

    Args:
        directory: the user and group files.
        external: accounts that the web server or an external backend has logged in.
    """

    def __init__(self, directory: UserDirectory, external: ExternalAccounts) -> None:
        self._directory = directory
        self._external = external
        self._members: Mapping[str, frozenset[str]] = {}
        self._folded: dict[bytes, frozenset[str]] = {}

    def names(self) -> frozenset[str]:
        """Return the account names.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        return self._directory.names() | self._external.names()

    def has(self, name: str) -> bool:
        """Return True if there is an account of that name.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        return name in self._directory.names() or name in self._external.names()

    def members(self, group: str) -> frozenset[str]:
        """Return the members of a group; group names ignore ASCII case, as in Apache.

        Raises:
            UserFileUnavailableError: the group file cannot be read.
        """
        members = self._directory.members()
        if members is not self._members:
            self._folded = {folded_group(name): found for name, found in members.items()}
            self._members = members
        return self._folded.get(folded_group(group), frozenset())

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the groups of a user; none while the group file cannot be read, as in Apache."""
        try:
            return self._directory.groups_of(user)
        except UserFileUnavailableError:  # logged where the file is read
            return frozenset()


class Authenticator:
    """The authentication of requests, with its shared state.

    Args:
        settings: which schemes are offered, and how.
        directory: the accounts of the user files.
        shared: the state that all workers and hosts of the installation share.
        elsewhere: external backends, or None.
        failed: called with the scheme of each refused login; None if nothing counts them.

    Raises:
        ConfigurationError: the nonce key or a shared record cannot be created or read.
    """

    def __init__(
        self,
        settings: Settings,
        directory: UserDirectory,
        shared: SharedAuthState,
        elsewhere: ExternalBackends | None,
        failed: Callable[[str], None] | None,
    ) -> None:
        self._elsewhere = elsewhere
        self._settings = settings
        self._directory = directory
        self._shared = shared
        make: dict[str, Callable[[], AuthScheme]] = {"digest": self._digest, "basic": self._basic}
        # Without TLS, Digest keeps the password off the wire wherever there is a digest file.
        plain = ("digest",) if settings.feeds_hosts and settings.htdigest else settings.schemes
        made = {name: make[name]() for name in {*settings.schemes, *plain}}
        self._schemes = [made[name] for name in settings.schemes]
        self._plain_schemes = [made[name] for name in plain]
        self._throttle = Throttle(shared.attempts())
        self._failed = failed

    def in_front_of(
        self, app: App, needs_login: Callable[[Environ], bool], *, without_tls: bool = False
    ) -> HttpAuthentication:
        """Put a login in front of an application.

        Args:
            app: the application.
            needs_login: returns True if a request is only for logged-in users.
            without_tls: True for a listener that serves programs without TLS.
        """
        return HttpAuthentication(
            app,
            self._directory,
            realm=self._settings.realm,
            needs_login=needs_login,
            schemes=self._plain_schemes if without_tls else self._schemes,
            web_server_login=web_server_login,
            throttle=self._throttle,
            failed=self._failed,
        )

    def close(self) -> None:
        """Close the shared state."""
        self._shared.close()

    def _digest(self) -> AuthScheme:
        return DigestScheme(
            self._directory,
            self._settings.realm,
            self._shared.key(),
            self._shared.counts(),
            without_qop=self._settings.digest_without_qop,
            prefix=lambda environ: environ.get(PREFIX_KEY, ""),
        )

    def _basic(self) -> AuthScheme:
        settings = self._settings
        return BasicScheme(
            self._directory,
            settings.realm,
            over_tls_only=not settings.basic_over_http,
            elsewhere=self._elsewhere,
        )
