"""Where the parts of an installation are wired together: settings, store, logins, feeds, pages."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from kalends.app.middleware.proxy_headers import Environ, StartResponse
from kalends.authn.authenticator import Authenticator, KnownAccounts, user_directory
from kalends.authn.backends.external import ExternalBackends
from kalends.authn.backends.radicale_backends import other_directories
from kalends.authn.middleware import USER_KEY
from kalends.authn.shared_state import DatabaseAuthState, FolderAuthState, SharedAuthState
from kalends.common.names import refusal_of_name
from kalends.common.ownership import hand_over
from kalends.config import loader
from kalends.config.settings import Settings
from kalends.errors import ConfigurationError, KalendsError, StoreUnavailableError
from kalends.feeds.access import AccessControl, address_of
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.feeds.http import FeedApplication
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
from kalends.transfer.import_file import ImportResult, import_data
from kalends.webui.account.collections import AccountCollections
from kalends.webui.account.csrf_token import CsrfTokens
from kalends.webui.account.feeds import VisibleFeeds
from kalends.webui.account.import_form import ImportForm
from kalends.webui.account.views import AccountApplication
from kalends.webui.feed.views import FeedPageApplication

_log = logging.getLogger("kalends")


class FeedServices:
    """The parts that make feeds, for one installation that has definitions."""

    def __init__(
        self,
        settings: Settings,
        path: Path,
        database: Database,
        accounts: KnownAccounts,
        outsiders: ExternalAccounts,
        *,
        serves: bool,
    ) -> None:
        folder = settings.feeds_folder
        kept = folder / ".feeds.toml" if serves else None
        self.catalog = FeedRegistry(path, accounts, kept=kept)
        self.secrets = SecretBook(database)
        source = FeedSource(database)
        self.versions = FeedCache(folder / ".versions", source, accounts)
        self.admission = AccessControl(self.catalog, self.secrets, USER_KEY)
        log = PublicationLog(database)
        self._file = FeedApplication(self.admission, self.versions)
        self._page = FeedPageApplication(self.admission, self.versions, source)
        self.publisher = Publisher(
            PublicationFolder(folder), self.catalog, self.versions, self.secrets, log
        )
        deliveries = DeliveryLog(database)
        self.pusher = RemotePublisher(
            folder, settings.remotes, self.catalog, self.versions, deliveries
        )
        self._outsiders = outsiders
        self._looking = BackgroundLoop("seeing who is admitted", self._look)

    def start(self) -> None:
        """Let published files and other servers follow, in this process."""
        if self._looking.start():
            self._look()  # whatever becomes of the store, each process has seen it once
        self.publisher.start()
        self.pusher.start()

    def wake(self) -> None:
        """Something was written."""
        self.publisher.wake()
        self.pusher.wake()

    def stop(self) -> None:
        """End what ``start`` has begun."""
        self._looking.stop()
        self.publisher.stop()
        self.pusher.stop()

    def _look(self) -> None:
        """Keep in mind who is admitted to feeds, for a time when the store cannot be asked."""
        with suppress(StoreUnavailableError):  # the publisher says so
            self.secrets.look()
            self._outsiders.names()

    def application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below ``/feeds/``: for the file of a feed, or for its page."""
        for_page = environ["REQUEST_METHOD"] in ("GET", "HEAD") and (
            address_of(environ).rest != ".ics"
        )
        return (self._page if for_page else self._file)(environ, start_response)


class Container:
    """The parts of one installation, for the command line and for the application.

    Args:
        settings: what its configuration says.
        database: its store, migrated.
        elsewhere: makes what asks other directories than the user files.
        serves: whether this process serves, and so begins even while the feed definitions cannot
            be used, if others that served before it have kept the last good ones.

    Raises:
        ConfigurationError: the feed definitions cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        elsewhere: Callable[[], ExternalBackends | None] = lambda: None,
        *,
        serves: bool = False,
    ) -> None:
        self._elsewhere = elsewhere
        self.settings = settings
        self.database = database
        self.directory = user_directory(settings)
        self.outsiders = ExternalAccounts(database)
        self.accounts = KnownAccounts(self.directory, self.outsiders)
        self.feeds: FeedServices | None = None
        if settings.feeds:
            self.feeds = FeedServices(
                settings, settings.feeds, database, self.accounts, self.outsiders, serves=serves
            )

    def login(self) -> Authenticator:
        """What authenticates requests.

        Raises:
            ConfigurationError: the key or the counts of nonces cannot be made or read, or another
                directory cannot be used as it is configured.
        """
        return Authenticator(self.settings, self.directory, self._agreed(), self._elsewhere())

    def _agreed(self) -> SharedAuthState:
        if self.database.statements:
            return DatabaseAuthState(self.database.statements, self.settings.own_folder)
        assert self.database.folder
        return FolderAuthState(self.settings.nonce_folder or self.database.folder)

    def account_page(
        self, places_of: Callable[[str], Collection[str]], written: Callable[[], None]
    ) -> AccountApplication:
        """The pages of those who are logged in.

        Args:
            places_of: where an account's groups have their calendars.
            written: called when something was written.

        Raises:
            ConfigurationError: the key of its tokens cannot be made or read.
        """
        settings = self.settings

        def bring_in(data: bytes, name: str, target: str) -> ImportResult:
            return import_data(
                self.database,
                data,
                Path(name),
                target,
                max_size=settings.max_resource_size,
                first=settings.first_collections,
                done={},
            )

        homes = AccountCollections(self.database, settings.first_collections, places_of)
        return AccountApplication(
            homes,
            VisibleFeeds(self.feeds.catalog, self.feeds.secrets) if self.feeds else None,
            ImportForm(homes, bring_in),
            CsrfTokens(self._agreed().key()),
            refusal_of=lambda user: refusal_of_name(user, self.named_feeds()),
            schemes=settings.schemes,
            largest=settings.max_content_length,
            user_key=USER_KEY,
            written=written,
        )

    def named_feeds(self) -> frozenset[str]:
        """The names that feeds have taken."""
        return self.feeds.catalog.named() if self.feeds else frozenset()

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

    def note_outsider(self, name: str) -> None:
        """Let a user count as an account whom somebody else has logged in and no file names."""
        try:
            if name not in self.directory.names():
                self.outsiders.note(name)
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
def build(path: Path, first: Callable[[Container], None] | None = None) -> Iterator[Container]:
    """The parts that the configuration file ``path`` describes, for as long as the block.

    Args:
        first: what to do before the store is touched; if it fails, nothing was changed.

    Raises:
        KalendsError: something in the configuration or the store is not as it must be.
    """
    radicale_configuration, settings = loader.load(path)
    database = open_database(settings.database)
    try:
        elsewhere = partial(other_directories, radicale_configuration, settings)
        built = Container(settings, database, elsewhere)
        if first:
            first(built)
        migrate(database, settings.own_folder)
        yield built
    finally:
        database.close()
        _hand_over(settings, database)


def _hand_over(settings: Settings, database: Database) -> None:
    """See to it that the server can use what a command of root's has made."""
    if database.folder is not None:
        hand_over(database.folder, (Path(database.name).name, "nonce."))
    if settings.nonce_folder is not None:
        hand_over(settings.nonce_folder, ("nonce.", "kalends.db"))
    if settings.feeds:
        hand_over(settings.feeds_folder, deep=True)
