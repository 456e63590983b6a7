"""How people log in to one installation: its user files, its schemes, its throttle."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kalends.app.middleware.proxy_headers import PREFIX_KEY, App, Environ, web_server_login
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
from kalends.config.settings import Settings
from kalends.errors import UserFileUnavailableError
from kalends.store.external_accounts import ExternalAccounts


def user_directory(settings: Settings) -> UserDirectory:
    """Who may log in, by the files that the settings name."""
    return UserDirectory(
        htpasswd_file(settings.htpasswd) if settings.htpasswd else None,
        htdigest=htdigest_file(settings.htdigest) if settings.htdigest else None,
        htgroup=htgroup_file(settings.htgroup) if settings.htgroup else None,
        realm=settings.realm,
        basic_by_htdigest=settings.basic_from_htdigest,
    )


class KnownAccounts:
    """Who there is, as feeds ask: those of the user files, and who came from elsewhere.

    Args:
        directory: the user and group files.
        outsiders: whom the web server in front has logged in.
    """

    def __init__(self, directory: UserDirectory, outsiders: ExternalAccounts) -> None:
        self._directory = directory
        self._outsiders = outsiders
        self._members: Mapping[str, frozenset[str]] = {}
        self._folded: dict[bytes, frozenset[str]] = {}

    def names(self) -> frozenset[str]:
        """The account names.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        return self._directory.names() | self._outsiders.names()

    def has(self, name: str) -> bool:
        """Whether there is an account of that name.

        Raises:
            UserFileUnavailableError: a user file cannot be read.
        """
        return name in self._directory.names() or name in self._outsiders.names()

    def members(self, group: str) -> frozenset[str]:
        """Who is in a group; group names know no ASCII case, as for Apache.

        Raises:
            UserFileUnavailableError: the group file cannot be read.
        """
        members = self._directory.members()
        if members is not self._members:
            self._folded = {folded_group(name): found for name, found in members.items()}
            self._members = members
        return self._folded.get(folded_group(group), frozenset())

    def groups_of(self, user: str) -> frozenset[str]:
        """The groups that a user is in; none while the group file cannot be read, as for Apache."""
        try:
            return self._directory.groups_of(user)
        except UserFileUnavailableError:  # the file itself has said so in the log
            return frozenset()


class Authenticator:
    """What authenticates requests, with what those agree on who do.

    Args:
        settings: which schemes are offered, and how.
        directory: who may log in.
        agreed: what all workers and hosts of the installation agree on.
        elsewhere: directories beside the files, or None.
        failed: is told the scheme of each login that is refused; None if nothing counts them.

    Raises:
        ConfigurationError: the key or the counts of nonces cannot be made or read.
    """

    def __init__(
        self,
        settings: Settings,
        directory: UserDirectory,
        agreed: SharedAuthState,
        elsewhere: ExternalBackends | None,
        failed: Callable[[str], None] | None,
    ) -> None:
        self._elsewhere = elsewhere
        self._settings = settings
        self._directory = directory
        self._agreed = agreed
        make: dict[str, Callable[[], AuthScheme]] = {"digest": self._digest, "basic": self._basic}
        # Where nothing encrypts, Digest keeps the password off the wire wherever it can be had.
        plain = ("digest",) if settings.feeds_hosts and settings.htdigest else settings.schemes
        made = {name: make[name]() for name in {*settings.schemes, *plain}}
        self._schemes = [made[name] for name in settings.schemes]
        self._plain_schemes = [made[name] for name in plain]
        self._throttle = Throttle(tries=agreed.tries())
        self._failed = failed

    def in_front_of(
        self, app: App, needs_login: Callable[[Environ], bool], *, without_tls: bool = False
    ) -> HttpAuthentication:
        """The application behind a login.

        Args:
            needs_login: whether a request is only for those who have logged in.
            without_tls: whether it is for a listener that is there for programs without TLS.
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
        """Let go of what is shared."""
        self._agreed.close()

    def _digest(self) -> AuthScheme:
        return DigestScheme(
            self._directory,
            self._settings.realm,
            self._agreed.key(),
            self._agreed.counts(),
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
