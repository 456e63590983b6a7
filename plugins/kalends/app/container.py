"""Where the parts of an installation are wired together: settings, store, logins, feeds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kalends.adapters.login_backends import other_directories
from kalends.authn.authenticator import Authenticator, KnownAccounts, user_directory
from kalends.authn.middleware import USER_KEY
from kalends.authn.shared_state import DatabaseAuthState, FolderAuthState, SharedAuthState
from kalends.common.ownership import hand_over
from kalends.config import loader
from kalends.config.loader import LoadedConfiguration
from kalends.config.settings import Settings
from kalends.errors import ConfigurationError, KalendsError, StoreUnavailableError
from kalends.events import Committed
from kalends.feeds.access import AccessControl
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.feeds.publish.background import BackgroundLoop
from kalends.feeds.publish.files import Publisher
from kalends.feeds.publish.folder import PublicationFolder, make_folder
from kalends.feeds.publish.remote import RemotePublisher
from kalends.store.engine import Database, open_database
from kalends.store.external_accounts import ExternalAccounts
from kalends.store.feed_deliveries import DeliveryLog
from kalends.store.feed_queries import FeedSource
from kalends.store.feed_secrets import PublicationLog, SecretBook
from kalends.store.migrate import migrate

if TYPE_CHECKING:
    from kalends.app.metrics import Metrics

_log = logging.getLogger("kalends")


class FeedServices:
    """The parts that make feeds, for one installation that has definitions."""

    def __init__(
        self,
        settings: Settings,
        path: Path,
        database: Database,
        accounts: KnownAccounts,
        external_accounts: ExternalAccounts,
        *,
        serves: bool,
        metrics: Metrics | None,
    ) -> None:
        folder = settings.feeds_folder
        backup = folder / ".feeds.toml" if serves else None
        self.registry = FeedRegistry(path, accounts, backup=backup)
        self.secrets = SecretBook(database)
        self.source = FeedSource(database)
        on_composed = metrics.composed if metrics else None
        self.cache = FeedCache(folder / ".versions", self.source, accounts, on_composed=on_composed)
        self.access = AccessControl(self.registry, self.secrets, USER_KEY)
        log = PublicationLog(database)
        self.publisher = Publisher(
            PublicationFolder(folder), self.registry, self.cache, self.secrets, log
        )
        deliveries = DeliveryLog(database)
        self.remote_publisher = RemotePublisher(
            folder, settings.remotes, self.registry, self.cache, deliveries
        )
        self._external_accounts = external_accounts
        self._looking = BackgroundLoop("seeing who is admitted", self._look)

    def start(self) -> None:
        """Let published files and other servers follow, in this process."""
        if self._looking.start():
            self._look()  # whatever becomes of the store, each process has seen it once
        self.publisher.start()
        self.remote_publisher.start()

    def follow(self, _committed: Committed) -> None:
        """Look soon at what is published: something was written."""
        self.publisher.wake()
        self.remote_publisher.wake()

    def stop(self) -> None:
        """End what ``start`` has begun."""
        self._looking.stop()
        self.publisher.stop()
        self.remote_publisher.stop()

    def look(self) -> None:
        """Keep in mind who is admitted to feeds, for a time when the store cannot be asked.

        Raises:
            StoreUnavailableError: it cannot be asked now.
        """
        self.secrets.refresh()
        self._external_accounts.names()

    def _look(self) -> None:
        with suppress(StoreUnavailableError):  # the publisher says so
            self.look()


class Container:
    """The parts of one installation, for the command line and for the application.

    Args:
        loaded: its configuration.
        database: its store, migrated before anything is asked of it.
        serves: whether this process serves, and so begins even while the feed definitions cannot
            be used, if others that served before it have kept the last good ones.
        metrics: counts what happens; None if nothing does.

    Raises:
        ConfigurationError: the feed definitions cannot be used.
    """

    def __init__(
        self,
        loaded: LoadedConfiguration,
        database: Database,
        *,
        serves: bool = False,
        metrics: Metrics | None = None,
    ) -> None:
        self._for_radicale, self.settings = loaded
        self._metrics = metrics
        settings = self.settings
        self.database = database
        self.directory = user_directory(settings)
        self.external_accounts = ExternalAccounts(database)
        self.accounts = KnownAccounts(self.directory, self.external_accounts)
        self.feeds: FeedServices | None = None
        if settings.feeds:
            self.feeds = FeedServices(
                settings,
                settings.feeds,
                database,
                self.accounts,
                self.external_accounts,
                serves=serves,
                metrics=metrics,
            )

    def login(self) -> Authenticator:
        """What authenticates requests.

        Raises:
            ConfigurationError: the key or the counts of nonces cannot be made or read, or another
                directory cannot be used as it is configured.
        """
        return Authenticator(
            self.settings,
            self.directory,
            self.shared_auth_state(),
            other_directories(self._for_radicale, self.settings),
            self._metrics.login_failed if self._metrics else None,
        )

    def shared_auth_state(self) -> SharedAuthState:
        """Return what all workers and hosts of the installation agree on.

        Raises:
            ConfigurationError: the key or the counts of nonces cannot be made or read.
        """
        if self.database.statements:
            return DatabaseAuthState(self.database.statements, self.settings.own_folder)
        assert self.database.folder
        return FolderAuthState(self.settings.nonce_folder or self.database.folder)

    def named_feeds(self) -> frozenset[str]:
        """The names that feeds have taken."""
        return self.feeds.registry.defined_names() if self.feeds else frozenset()

    def require_feeds(self) -> FeedServices:
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
            KalendsError: a user file cannot be read, or a folder of ours cannot be written.
        """
        self.directory.names()
        self.directory.members()
        if self.database.folder:  # a server's is looked at when there are tables
            self.login().close()
        folder = self.settings.feeds_folder
        if self.feeds:
            try:
                make_folder(folder)
            except OSError as error:
                raise ConfigurationError(str(folder), f"cannot be made: {error.strerror}") from None
            if not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigurationError(
                    str(folder), "cannot be written; published feeds lie there"
                )

    def migrate(self) -> None:
        """Bring the store up to date; make it if there is none.

        Raises:
            KalendsError: it cannot be used.
        """
        migrate(self.database, self.settings.own_folder)

    def record_external_account(self, name: str) -> None:
        """Record a user whom the web server has logged in and no user file names."""
        try:
            if name not in self.directory.names():
                self.external_accounts.record(name)
        except KalendsError as error:
            _log.error("%s; %r counts as no account yet", error, name)

    def catch_up(self) -> None:
        """Publish what is due, for a command that has written."""
        if self.feeds:
            with self.telling_of_feeds_folder():
                self.feeds.publisher.catch_up()

    @contextmanager
    def telling_of_feeds_folder(self) -> Iterator[None]:
        """Turn what the system says of the folder of feeds into a line that names that alone."""
        try:
            yield
        except OSError as error:
            folder, why = str(self.settings.feeds_folder), error.strerror or str(error)
            raise ConfigurationError(folder, why) from None


@contextmanager
def build(path: Path) -> Iterator[Container]:
    """Open the installation that the configuration file ``path`` describes, for the block.

    Raises:
        KalendsError: something in the configuration or the store is not as it must be.
    """
    with opened(loader.load(path)) as container:
        container.migrate()
        yield container


@contextmanager
def opened(loaded: LoadedConfiguration) -> Iterator[Container]:
    """Open the installation of a configuration, for the block; its store is not touched yet.

    Raises:
        KalendsError: something in the configuration is not as it must be.
    """
    database = open_database(loaded.settings.database)
    try:
        yield Container(loaded, database)
    finally:
        database.close()
        _hand_over(loaded.settings, database)


def _hand_over(settings: Settings, database: Database) -> None:
    """See to it that the server can use what a command of root's has made."""
    if database.folder is not None:
        hand_over(database.folder, (Path(database.name).name, "nonce."))
    if settings.nonce_folder is not None:
        hand_over(settings.nonce_folder, ("nonce.", "kalends.db"))
    if settings.feeds:
        hand_over(settings.feeds_folder, deep=True)
