"""Where everything is wired together: settings, store, logins, feeds, Radicale's application."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kalends import configuration
from kalends.caldav.application import Application
from kalends.errors import ConfigurationError
from kalends.htauth.middleware import USER_KEY, HttpAuthentication
from kalends.htauth.users import UserDirectory, htpasswd_file
from kalends.icsfeed.catalog import Catalog
from kalends.icsfeed.http import PREFIX, FeedApplication
from kalends.icsfeed.publisher import Publisher
from kalends.icsfeed.versions import Versions
from kalends.proxies import App, Environ, StartResponse, TrustedProxies
from kalends.rights import Rights
from kalends.settings import Settings
from kalends.store.engine import Database
from kalends.store.feeds import FeedSource, PublicationLog, SecretBook
from kalends.store.migrate import migrate

# What a client asks before it knows that it needs a login; none of it shows anybody's data.
_OPEN = ("/.web/", "/.well-known/")


class Accounts:
    """Who there is, as feeds ask: those of the user file."""

    def __init__(self, directory: UserDirectory) -> None:
        self._directory = directory

    def names(self) -> frozenset[str]:
        """The account names."""
        return self._directory.names()

    def members(self, group: str) -> frozenset[str]:
        """Nobody: group files are not read yet."""
        return frozenset()


class Feeds:
    """The parts that make feeds, for one installation that has definitions."""

    def __init__(self, path: Path, folder: Path, database: Database, accounts: Accounts) -> None:
        self.catalog = Catalog(path, accounts)
        self.secrets = SecretBook(database)
        self.versions = Versions(folder / ".versions", FeedSource(database), accounts)
        self.application = FeedApplication(self.catalog, self.versions, self.secrets, USER_KEY)
        self.publisher = Publisher(
            folder, self.catalog, self.versions, self.secrets, PublicationLog(database)
        )


class Assembly:
    """The parts of one installation, for the command line and for the application.

    Args:
        settings: what its configuration says.
        database: its store, migrated.

    Raises:
        ConfigurationError: the feed definitions cannot be used.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.directory = UserDirectory(htpasswd_file(settings.htpasswd))
        self.feeds: Feeds | None = None
        if settings.feeds:
            accounts = Accounts(self.directory)
            self.feeds = Feeds(settings.feeds, settings.feeds_folder, database, accounts)

    def named_feeds(self) -> frozenset[str]:
        """The names that feeds have taken."""
        return self.feeds.catalog.named() if self.feeds else frozenset()

    def require_feeds(self) -> Feeds:
        """The feeds.

        Raises:
            ConfigurationError: the configuration names no definitions.
        """
        if self.feeds is None:
            raise ConfigurationError(str(self.settings.path), "[kalends] feeds names no file")
        return self.feeds

    def require_readable(self) -> None:
        """See to it that what each request needs is there.

        Raises:
            KalendsError: the user file cannot be read, or the feeds folder cannot be written.
        """
        self.directory.names()
        folder = self.settings.feeds_folder
        if self.feeds:
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(str(folder), f"cannot be made: {error.strerror}") from None
            if not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigurationError(
                    str(folder), "cannot be written; published feeds lie there"
                )

    def catch_up(self) -> None:
        """Publish what is due, for a command that has written."""
        if self.feeds:
            try:
                self.feeds.publisher.catch_up()
            except OSError as error:
                raise ConfigurationError(str(error.filename), str(error.strerror)) from None


@contextmanager
def build(path: Path, first: Callable[[Assembly], None] | None = None) -> Iterator[Assembly]:
    """The parts that the configuration file ``path`` describes, for as long as the block.

    Args:
        first: what to do before the store is touched; if it fails, nothing was changed.

    Raises:
        KalendsError: something in the configuration or the store is not as it must be.
    """
    _, settings = configuration.load(path)
    database = Database(settings.database)
    try:
        built = Assembly(settings, database)
        if first:
            first(built)
        migrate(database)
        yield built
    finally:
        database.close()


class Served:
    """The whole application: proxies, then feeds or logins, then Radicale's application.

    Args:
        path: the configuration file.

    Raises:
        KalendsError: something in the configuration or the store is not as it must be.
    """

    def __init__(self, path: Path) -> None:
        radicale_configuration, settings = configuration.load(path)
        self._application = Application(radicale_configuration)
        storage = self._application.storage
        self._assembly = Assembly(settings, storage.database)
        self._feeds = self._assembly.feeds
        assert isinstance(self._application.rights, Rights)
        self._application.rights.named_feeds = self._assembly.named_feeds
        if self._feeds:
            storage.after_commit = self._feeds.publisher.wake
        logged_in = HttpAuthentication(
            self._dispatch,
            self._assembly.directory,
            realm=settings.realm,
            needs_login=self._needs_login,
        )
        self._outermost: App = TrustedProxies(logged_in, settings.trusted_proxies)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self.start()
        return self._outermost(environ, start_response)

    def start(self) -> None:
        """Begin the background work of this process, once."""
        if self._feeds:
            self._feeds.publisher.start()

    def close(self) -> None:
        """End the background work and close the store."""
        if self._feeds:
            self._feeds.publisher.stop()
        self._assembly.database.close()

    def _needs_login(self, environ: Environ) -> bool:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if self._feeds and path.startswith(PREFIX):
            return self._feeds.application.needs_login(environ)
        if method == "OPTIONS" or path.startswith(_OPEN):
            return False
        return not (method in ("GET", "HEAD") and path in ("", "/", "/.web"))

    def _dispatch(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._feeds and environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._feeds.application(environ, start_response)
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer
