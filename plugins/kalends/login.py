"""How people log in to one installation: its user files, its schemes, its throttle."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from kalends.errors import UserFileUnavailableError
from kalends.htauth.digestscheme import DigestScheme
from kalends.htauth.elsewhere import OtherDirectories
from kalends.htauth.middleware import HttpAuthentication
from kalends.htauth.nonces import NonceCounts, SharedNonceCounts, Use, load_key
from kalends.htauth.noncesigning import Nonce
from kalends.htauth.schemes import BasicScheme, Scheme
from kalends.htauth.throttle import SECONDS_PER_TRY, Known, Throttle, Tries
from kalends.htauth.users import UserDirectory, htdigest_file, htgroup_file, htpasswd_file
from kalends.names import folded_group
from kalends.proxies import PREFIX_KEY, App, Environ, web_server_login
from kalends.settings import Settings
from kalends.store import hosts
from kalends.store.hosts import Statements
from kalends.store.outsiders import Outsiders


def user_directory(settings: Settings) -> UserDirectory:
    """Who may log in, by the files that the settings name."""
    return UserDirectory(
        htpasswd_file(settings.htpasswd) if settings.htpasswd else None,
        htdigest=htdigest_file(settings.htdigest) if settings.htdigest else None,
        htgroup=htgroup_file(settings.htgroup) if settings.htgroup else None,
        realm=settings.realm,
        basic_by_htdigest=settings.basic_from_htdigest,
    )


class Agreed(Protocol):
    """What those agree on who answer for one installation, be they workers or hosts."""

    def key(self) -> bytes:
        """The key that nonces and tokens are signed with; made where there is none.

        Raises:
            ConfigurationError: it cannot be made or read.
        """

    def counts(self) -> NonceCounts:
        """The counts of nonces.

        Raises:
            ConfigurationError: they cannot be made or read.
        """

    def tries(self) -> Tries | None:
        """Failed and right tries; None where each worker remembers its own."""

    def close(self) -> None:
        """Let go of it."""


class AgreedInFolder:
    """What the workers of one host agree on: files in a folder.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts: SharedNonceCounts | None = None

    def key(self) -> bytes:
        """See `Agreed`."""
        return load_key(self._folder / "nonce.key")

    def counts(self) -> NonceCounts:
        """See `Agreed`."""
        self._counts = SharedNonceCounts(self._folder / "nonce.counts", time.time())
        return self._counts

    def tries(self) -> None:
        """See `Agreed`."""

    def close(self) -> None:
        """Close the files."""
        if self._counts:
            self._counts.close()


class AgreedOnServer:
    """What several hosts agree on: tables of the server that holds the store.

    Args:
        statements: that server.
    """

    def __init__(self, statements: Statements) -> None:
        self._statements = statements

    def key(self) -> bytes:
        """See `Agreed`."""
        return hosts.shared_key(self._statements)

    def counts(self) -> NonceCounts:
        """See `Agreed`."""
        return _CountsOnServer(hosts.NonceUses(self._statements))

    def tries(self) -> Tries:
        """See `Agreed`."""
        return _TriesOnServer(hosts.LoginTries(self._statements, SECONDS_PER_TRY))

    def close(self) -> None:
        """The store closes its connections."""


class _CountsOnServer:
    """See `NonceCounts`."""

    def __init__(self, uses: hosts.NonceUses) -> None:
        self._uses = uses

    def use(self, nonce: Nonce, count: int) -> Use:
        return Use[self._uses.use(nonce.mac, round(nonce.issued * 1000), count)]


class _TriesOnServer:
    """See `Tries`."""

    def __init__(self, tries: hosts.LoginTries) -> None:
        self.failed = tries.failed
        self.succeeded = tries.succeeded
        self._tries = tries

    def known(self, account: str, network: str) -> Known:
        return Known(*self._tries.known(account, network))


class Accounts:
    """Who there is, as feeds ask: those of the user files, and who came from elsewhere.

    Args:
        directory: the user and group files.
        outsiders: whom the web server in front has logged in.
    """

    def __init__(self, directory: UserDirectory, outsiders: Outsiders) -> None:
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


class Login:
    """What authenticates requests, with what those agree on who do.

    Args:
        settings: which schemes are offered, and how.
        directory: who may log in.
        agreed: what all workers and hosts of the installation agree on.
        elsewhere: directories beside the files, or None.

    Raises:
        ConfigurationError: the key or the counts of nonces cannot be made or read.
    """

    def __init__(
        self,
        settings: Settings,
        directory: UserDirectory,
        agreed: Agreed,
        elsewhere: OtherDirectories | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._settings = settings
        self._directory = directory
        self._agreed = agreed
        make: dict[str, Callable[[], Scheme]] = {"digest": self._digest, "basic": self._basic}
        # Where nothing encrypts, Digest keeps the password off the wire wherever it can be had.
        plain = ("digest",) if settings.feeds_hosts and settings.htdigest else settings.schemes
        made = {name: make[name]() for name in {*settings.schemes, *plain}}
        self._schemes = [made[name] for name in settings.schemes]
        self._plain_schemes = [made[name] for name in plain]
        self._throttle = Throttle(tries=agreed.tries())
        self.failed: Callable[[str], None] = _nobody
        """Told the scheme of each login that is refused."""

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
            failed=lambda scheme: self.failed(scheme),
        )

    def close(self) -> None:
        """Let go of what is shared."""
        self._agreed.close()

    def _digest(self) -> Scheme:
        return DigestScheme(
            self._directory,
            self._settings.realm,
            self._agreed.key(),
            self._agreed.counts(),
            without_qop=self._settings.digest_without_qop,
            prefix=lambda environ: environ.get(PREFIX_KEY, ""),
        )

    def _basic(self) -> Scheme:
        settings = self._settings
        return BasicScheme(
            self._directory,
            settings.realm,
            over_tls_only=not settings.basic_over_http,
            elsewhere=self._elsewhere,
        )


def _nobody(_scheme: str) -> None:
    """Nobody wants to know."""
