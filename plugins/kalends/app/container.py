"""The container of an installation's parts: settings, store, logins, feeds."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kalends.adapters.login_backends import external_backends
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
from kalends.feeds.collection_cache import collection_cache
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.feeds.publish.background import BackgroundLoop
from kalends.feeds.publish.files import Publisher
from kalends.feeds.publish.folder import VERSIONS, PublicationFolder, make_feeds_folder
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

_SHARED_STATE = ("nonce.", "login.")
"""The beginnings of the names of the files that workers share for logins."""


class FeedServices:
    """The services for feeds, for an installation that has feed definitions."""

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
        on_composed = metrics.record_composition if metrics else None
        self.cache = FeedCache(
            folder / VERSIONS,
            self.source,
            accounts,
            on_composed=on_composed,
            steps=settings.object_limits.steps,
        )
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
        self._preloading = BackgroundLoop("seeing who is admitted", self._try_preload)

    def start(self) -> None:
        """Start publishing to files and other servers in this process."""
        if self._preloading.start():
            self._try_preload()  # once at the start, before the store may fail
        self.publisher.start()
        self.remote_publisher.start()

    def follow(self, _committed: Committed) -> None:
        """Wake the publishers after a commit."""
        self.publisher.wake()
        self.remote_publisher.wake()

    def stop(self) -> None:
        """Stop the background work that ``start`` has started."""
        self._preloading.stop()
        self.publisher.stop()
        self.remote_publisher.stop()

    def preload(self) -> None:
        """Read into memory who may see feeds, for a time when the store is unavailable.

        Raises:
            StoreUnavailableError: the store is unavailable now.
        """
        self.secrets.refresh()
        self._external_accounts.names()

    def _try_preload(self) -> None:
        with suppress(StoreUnavailableError):  # the publisher logs it
            self.preload()


class Container:
    """The parts of one installation, for the command line and for the application.

    Args:
        loaded: its configuration.
        database: its store, which must be migrated before the first query.
        serves: whether this process serves; then it starts even with invalid feed definitions, if
            an earlier server has saved the last valid ones.
        metrics: the metrics; None if nothing is counted.

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
        self.whole = collection_cache(
            settings.feeds_folder if settings.feeds else None,
            settings.nonce_folder or database.folder,
            FeedSource(database),
            on_composed=metrics.record_composition if metrics else None,
            steps=settings.object_limits.steps,
        )
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
        """Return the authenticator of requests.

        Raises:
            ConfigurationError: the nonce key or counts cannot be made or read, or an external
                directory is not configured correctly.
        """
        return Authenticator(
            self.settings,
            self.directory,
            self.shared_auth_state(),
            external_backends(self._for_radicale, self.settings),
            self._metrics.count_failed_login if self._metrics else None,
        )

    def shared_auth_state(self) -> SharedAuthState:
        """Return the authentication state that all workers and hosts share.

        Raises:
            ConfigurationError: the nonce key or counts cannot be made or read.
        """
        if self.database.statements:
            return DatabaseAuthState(self.database.statements, self.settings.own_folder)
        assert self.database.folder
        return FolderAuthState(self.settings.nonce_folder or self.database.folder)

    def named_feeds(self) -> frozenset[str]:
        """Return the names of the feeds."""
        return self.feeds.registry.defined_names() if self.feeds else frozenset()

    def require_feeds(self) -> FeedServices:
        """Return the services for feeds.

        Raises:
            ConfigurationError: the configuration names no feed definitions.
        """
        if self.feeds is None:
            raise ConfigurationError(str(self.settings.path), "[kalends] feeds names no file")
        return self.feeds

    def require_readable(self) -> None:
        """Check that the files and folders that requests need can be used.

        Raises:
            KalendsError: a user file cannot be read, or a folder cannot be written.
        """
        self.directory.names()
        self.directory.members()
        if self.database.folder:  # with a database server, the state needs its tables
            self.login().close()
        folder = self.settings.feeds_folder
        if self.feeds:
            try:
                make_feeds_folder(folder)
            except OSError as error:
                raise ConfigurationError(str(folder), f"cannot be made: {error.strerror}") from None
            if not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigurationError(
                    str(folder), "cannot be written; published feeds are stored there"
                )

    def migrate(self) -> None:
        """Migrate the store to the current schema; create it if there is none.

        Raises:
            KalendsError: the store cannot be used.
        """
        migrate(self.database, self.settings.own_folder)

    def record_external_account(self, name: str) -> None:
        """Record a user as an account who was authenticated externally and is in no user file."""
        try:
            if name not in self.directory.names():
                self.external_accounts.record(name)
        except KalendsError as error:
            _log.error("%s; %r is not recorded as an account yet", error, name)

    def catch_up(self) -> None:
        """Publish the feeds that are due, after a command has written."""
        if self.feeds:
            with self.naming_feeds_folder():
                self.feeds.publisher.catch_up()

    @contextmanager
    def naming_feeds_folder(self) -> Iterator[None]:
        """Turn system errors in the block into an error that names the folder of feeds."""
        try:
            yield
        except OSError as error:
            folder, why = str(self.settings.feeds_folder), error.strerror or str(error)
            raise ConfigurationError(folder, why) from None


@contextmanager
def build(path: Path) -> Iterator[Container]:
    """Open the installation that the configuration file ``path`` describes, for the block.

    Raises:
        KalendsError: the configuration or the store cannot be used.
    """
    with opened(loader.load(path)) as container:
        container.migrate()
        yield container


@contextmanager
def opened(loaded: LoadedConfiguration) -> Iterator[Container]:
    """Open the installation of a configuration, for the block, without opening its store yet.

    Raises:
        KalendsError: the configuration cannot be used.
    """
    database = open_database(loaded.settings.database)
    try:
        yield Container(loaded, database)
    finally:
        database.close()
        _hand_over(loaded.settings, database)


def _hand_over(settings: Settings, database: Database) -> None:
    """Let the server use the files that a command run by root has made."""
    if database.folder is not None:
        hand_over(database.folder, (Path(database.name).name, *_SHARED_STATE))
    if settings.nonce_folder is not None:
        hand_over(settings.nonce_folder, ("kalends.db", *_SHARED_STATE))
    if settings.feeds:
        hand_over(settings.feeds_folder, deep=True)
