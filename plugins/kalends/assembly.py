"""Where everything is wired together: settings, store, logins, feeds, Radicale's application."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from kalends import configuration
from kalends.accountpage.application import AccountApplication
from kalends.accountpage.homes import Homes
from kalends.accountpage.imports import Imports
from kalends.accountpage.seenfeeds import SeenFeeds
from kalends.accountpage.tokens import Tokens
from kalends.caldav.answers import as_answer, failed
from kalends.caldav.application import Application
from kalends.directories import other_directories
from kalends.errors import ConfigurationError, KalendsError, StoreFullError, StoreUnavailableError
from kalends.feedpage.application import FeedPageApplication
from kalends.feedslistener import FeedsListener, came_for_feeds
from kalends.htauth.elsewhere import OtherDirectories
from kalends.htauth.middleware import USER_KEY, WEB_SERVER
from kalends.htauth.schemes import ELSEWHERE
from kalends.icsfeed.admission import PREFIX, Admission, address_of
from kalends.icsfeed.catalog import Catalog
from kalends.icsfeed.files import PublishedFiles, make_folder
from kalends.icsfeed.http import ROBOTS, FeedApplication, nothing_here, robots
from kalends.icsfeed.publisher import Publisher
from kalends.icsfeed.pusher import Pusher
from kalends.icsfeed.versions import Versions
from kalends.importing import Imported, import_data
from kalends.listeners import came_by
from kalends.login import Accounts, Agreed, AgreedInFolder, AgreedOnServer, Login, user_directory
from kalends.names import refusal_of_name
from kalends.proxies import App, Environ, StartResponse, TrustedProxies
from kalends.requestids import RequestIds
from kalends.settings import Settings
from kalends.store.deliveries import DeliveryLog
from kalends.store.engine import Database, open_database
from kalends.store.feeds import FeedSource, PublicationLog, SecretBook
from kalends.store.migrate import migrate
from kalends.store.outsiders import Outsiders
from kalends.store.presence import Presence

_log = logging.getLogger("kalends")

# There on listeners for administrators alone.
_ADMINISTRATORS = frozenset({"/.health", "/.metrics"})
# What a client asks before it knows that it needs a login; none of it shows anybody's data.
_OPEN = ("/.web/", "/.well-known/")


class Feeds:
    """The parts that make feeds, for one installation that has definitions."""

    def __init__(self, settings: Settings, path: Path, database: Database, accounts: Accounts):
        folder = settings.feeds_folder
        self.catalog = Catalog(path, accounts)
        self.secrets = SecretBook(database)
        source = FeedSource(database)
        self.versions = Versions(folder / ".versions", source, accounts)
        self.admission = Admission(self.catalog, self.secrets, USER_KEY)
        log = PublicationLog(database)
        self._file = FeedApplication(self.admission, self.versions)
        self._page = FeedPageApplication(self.admission, self.versions, source)
        self.publisher = Publisher(
            PublishedFiles(folder), self.catalog, self.versions, self.secrets, log
        )
        deliveries = DeliveryLog(database)
        self.pusher = Pusher(folder, settings.remotes, self.catalog, self.versions, deliveries)

    def start(self) -> None:
        """Let published files and other servers follow, in this process."""
        self.publisher.start()
        self.pusher.start()

    def wake(self) -> None:
        """Something was written."""
        self.publisher.wake()
        self.pusher.wake()

    def stop(self) -> None:
        """End what ``start`` has begun."""
        self.publisher.stop()
        self.pusher.stop()

    def application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request below ``/feeds/``: for the file of a feed, or for its page."""
        for_page = environ["REQUEST_METHOD"] in ("GET", "HEAD") and (
            address_of(environ).rest != ".ics"
        )
        return (self._page if for_page else self._file)(environ, start_response)


class Assembly:
    """The parts of one installation, for the command line and for the application.

    Args:
        settings: what its configuration says.
        database: its store, migrated.
        elsewhere: makes what asks other directories than the user files.

    Raises:
        ConfigurationError: the feed definitions cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        elsewhere: Callable[[], OtherDirectories | None] = lambda: None,
    ) -> None:
        self._elsewhere = elsewhere
        self.settings = settings
        self.database = database
        self.directory = user_directory(settings)
        self.outsiders = Outsiders(database)
        self.accounts = Accounts(self.directory, self.outsiders)
        self.feeds: Feeds | None = None
        if settings.feeds:
            self.feeds = Feeds(settings, settings.feeds, database, self.accounts)

    def login(self) -> Login:
        """What authenticates requests.

        Raises:
            ConfigurationError: the key or the counts of nonces cannot be made or read, or another
                directory cannot be used as it is configured.
        """
        return Login(self.settings, self.directory, self._agreed(), self._elsewhere())

    def _agreed(self) -> Agreed:
        if self.database.statements:
            return AgreedOnServer(self.database.statements)
        assert self.database.folder
        return AgreedInFolder(self.settings.nonce_folder or self.database.folder)

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

        def bring_in(data: bytes, name: str, target: str) -> Imported:
            return import_data(
                self.database,
                data,
                Path(name),
                target,
                max_size=settings.max_resource_size,
                first=settings.first_collections,
                done=set(),
            )

        homes = Homes(self.database, settings.first_collections, places_of)
        return AccountApplication(
            homes,
            SeenFeeds(self.feeds.catalog, self.feeds.secrets) if self.feeds else None,
            Imports(homes, bring_in),
            Tokens(self._agreed().key()),
            refusal_of=lambda user: refusal_of_name(user, self.named_feeds()),
            schemes=settings.schemes,
            largest=settings.max_content_length,
            user_key=USER_KEY,
            written=written,
        )

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
    radicale_configuration, settings = configuration.load(path)
    database = open_database(settings.database)
    try:
        elsewhere = partial(other_directories, radicale_configuration, settings)
        built = Assembly(settings, database, elsewhere)
        if first:
            first(built)
        migrate(database, settings.own_folder)
        yield built
    finally:
        database.close()


def _present(url: str) -> Presence | None:
    """The mark that this process serves from a store in a file; on a server the sessions tell.

    Raises:
        KalendsError: the store is being restored, or cannot be used.
    """
    database = open_database(url)
    if database.folder is None:
        return None
    presence = Presence(database.name)
    presence.serve()
    return presence


class Served:
    """The whole application: proxies, then feeds or logins, then Radicale's application.

    Args:
        path: the configuration file.

    Raises:
        KalendsError: something in the configuration or the store is not as it must be.
    """

    def __init__(self, path: Path) -> None:
        radicale_configuration, settings = configuration.load(path)
        self._presence = _present(settings.database)
        self._application = Application(radicale_configuration)
        storage = self._application.storage
        self._assembly = Assembly(
            settings,
            storage.database,
            partial(other_directories, radicale_configuration, settings),
        )
        self._feeds = self._assembly.feeds
        self._application.rights.named_feeds = self._assembly.named_feeds
        self._application.tell_groups(self._assembly.accounts.groups_of)
        if self._feeds:
            storage.after_commit = self._feeds.wake
        self._account = self._assembly.account_page(
            self._application.rights.places_of, storage.after_commit
        )
        self._login = self._assembly.login()
        self._behind_login = self._login.in_front_of(self._dispatch, self._needs_login)
        self._behind_plain_login = self._login.in_front_of(
            self._dispatch, self._needs_login, without_tls=True
        )
        believing = TrustedProxies(
            RequestIds(self._or_later), settings.trusted_proxies, settings.prefix
        )
        self._outermost: App = FeedsListener(believing, settings.feeds_ports)
        self._admin: App = nothing_here

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self.start()
        if came_by(environ, self._assembly.settings.admin_ports):
            return self._admin(environ, start_response)
        return self._outermost(environ, start_response)

    @property
    def assembly(self) -> Assembly:
        """Its parts."""
        return self._assembly

    def observe(
        self, admin: App, login_failed: Callable[[str], None], composed: Callable[[float], None]
    ) -> None:
        """Let what happens be counted.

        Args:
            admin: what answers on the listeners for administrators.
            login_failed: told the scheme of each login that is refused.
            composed: told how long each composition of a feed took, seconds.
        """
        self._admin = admin
        self._login.failed = login_failed
        if self._feeds:
            self._feeds.versions.composed = composed

    def start(self) -> None:
        """Begin the background work of this process, once."""
        if self._feeds:
            self._feeds.start()

    def close(self) -> None:
        """End the background work and close the store."""
        if self._feeds:
            self._feeds.stop()
        self._login.close()
        self._assembly.database.close()
        if self._presence:
            self._presence.leave()

    def _or_later(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; wherever the store is gone, that it is to come again."""
        try:
            return self._enter(environ, start_response)
        except (StoreFullError, StoreUnavailableError) as error:
            refusal = as_answer(failed(error))
            status = f"{refusal.status.value} {refusal.status.phrase}"
            start_response(status, [*refusal.headers.items()])
            return refusal.body

    def _enter(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Let requests log in; what some programs send to a secret address is no login."""
        if environ.get("PATH_INFO", "") in _ADMINISTRATORS:
            return nothing_here(environ, start_response)
        for_feeds = came_for_feeds(environ)
        if self._feeds:
            path = environ.get("PATH_INFO", "")
            if for_feeds and not path.startswith(PREFIX):
                return nothing_here(environ, start_response)
            if path == ROBOTS and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
                return robots(environ, start_response)
            if self._feeds.admission.is_secret(environ):
                environ.pop("HTTP_AUTHORIZATION", None)
        login = self._behind_plain_login if for_feeds else self._behind_login
        return login(environ, start_response)

    def _needs_login(self, environ: Environ) -> bool:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if self._feeds and path.startswith(PREFIX):
            return self._feeds.admission.needs_login(environ)
        if self._account.handles(path):
            return self._account.needs_login(path)
        if method == "OPTIONS" or path.startswith(_OPEN):
            return False
        return not (method in ("GET", "HEAD") and path in ("", "/", "/.web"))

    def _dispatch(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("AUTH_TYPE") in (WEB_SERVER, ELSEWHERE):
            self._assembly.note_outsider(environ[USER_KEY])
        if self._feeds and environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._feeds.application(environ, start_response)
        if self._account.handles(environ.get("PATH_INFO", "")):
            return self._account(environ, start_response)
        answer: Iterable[bytes] = self._application(environ, start_response)
        return answer
