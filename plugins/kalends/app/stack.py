"""The WSGI stack of one process: proxies, request IDs, logins, and the applications behind."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from kalends.adapters.group_homes import GroupHomes
from kalends.adapters.storage import Storage
from kalends.app.container import Container
from kalends.app.middleware.proxy_headers import TrustedProxies
from kalends.app.middleware.request_id import RequestIds
from kalends.app.pages import FeedRequests, account_page
from kalends.authn.middleware import USER_KEY, WEB_SERVER
from kalends.authn.schemes.base import ELSEWHERE
from kalends.common.failures import FAILURES, failure_of, refuse
from kalends.common.wsgi import App, Environ, StartResponse
from kalends.config.listener_roles import ROLE_KEY, Role
from kalends.config.loader import LoadedConfiguration
from kalends.dav.application import WELL_KNOWN, DavApplication
from kalends.events import CommitEvents, Subscriber
from kalends.feeds.access import PREFIX, address_of, parse_address
from kalends.feeds.http import ROBOTS, not_found, robots_txt
from kalends.store.engine import Database
from kalends.store.serving_lock import ServingLock

if TYPE_CHECKING:
    from kalends.app.metrics import Metrics

# The name under which administrators know failures of requests, whichever application fails.
_log = logging.getLogger("kalends.caldav")

# Only listeners for administrators have these.
_ADMINISTRATORS = frozenset({"/.health", "/.metrics"})
# Clients request these before they know that they need a login; they show no user's data.
_OPEN = ("/.web/", "/.well-known/")


class ApplicationStack:
    """The WSGI application of one process.

    Args:
        loaded: the configuration.
        database: the store; closed with the application.
        metrics: the metrics, for the listeners for administrators; None if there are none.
        subscribers: receive each write after its commit, besides the feeds.

    Raises:
        KalendsError: the store or another file cannot be used.
    """

    def __init__(
        self,
        loaded: LoadedConfiguration,
        database: Database,
        *,
        metrics: Metrics | None = None,
        subscribers: Iterable[Subscriber] = (),
    ) -> None:
        configuration, settings = loaded
        self._serving_lock = _lock_for_serving(database)
        container = Container(loaded, database, serves=True, metrics=metrics)
        container.migrate()
        self._container = container
        self._feeds = container.feeds
        self._feed_requests = (
            FeedRequests(self._feeds, settings.object_limits.steps) if self._feeds else None
        )
        publishing = [self._feeds.follow] if self._feeds else []
        commits = CommitEvents([*publishing, container.whole.follow, *subscribers])
        storage = Storage(configuration, database, commits)
        homes = GroupHomes(storage, container.accounts.groups_of)
        self._dav = DavApplication(
            configuration,
            storage,
            homes,
            container.named_feeds,
            container.accounts.names,
            settings,
            container.whole,
        )
        self._account = account_page(container, homes.ensure_of, commits)
        self._login = container.login()
        self._behind_login = self._login.in_front_of(self._dispatch, self._needs_login)
        self._behind_plain_login = self._login.in_front_of(
            self._dispatch, self._needs_login, without_tls=True
        )
        self._roles = settings.roles
        self._behind_proxies: App = TrustedProxies(
            RequestIds(self._answer_failures), settings.trusted_proxies, settings.prefix
        )
        self._admin = _admin(container, metrics)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self.start()
        role = self._roles.of_request(environ)
        if role is Role.ADMIN:
            return self._admin(environ, start_response)
        environ[ROLE_KEY] = role
        return self._behind_proxies(environ, start_response)

    @property
    def container(self) -> Container:
        """The container of the application's parts."""
        return self._container

    def preload(self) -> None:
        """Read into memory what feeds need while the store is unavailable.

        A worker does this before it serves. Otherwise a worker that starts just as the store fails
        would refuse the feeds that other workers serve, for as long as the store is unavailable.

        Raises:
            StoreUnavailableError: the store is unavailable now.
        """
        if self._feeds:
            self._feeds.preload()

    def start(self) -> None:
        """Start the background work of this process, if it has not started."""
        self._container.whole.start()
        if self._feeds:
            self._feeds.start()

    def close(self) -> None:
        """Stop the background work and close the store."""
        self._container.whole.stop()
        if self._feeds:
            self._feeds.stop()
        self._login.close()
        self._container.database.close()
        if self._serving_lock:
            self._serving_lock.release()

    def _answer_failures(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass a request on, and answer failures that no application has handled."""
        try:
            return self._authenticate(environ, start_response)
        except FAILURES as error:
            if failure_of(error).is_ours:
                _log.error("%s", error)
            return refuse(environ, start_response, error)

    def _authenticate(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Authenticate, except at secret feed addresses, where credentials are ignored."""
        if environ.get("PATH_INFO", "") in _ADMINISTRATORS:
            return not_found(environ, start_response)
        for_feeds = environ[ROLE_KEY] is Role.FEEDS
        if self._feeds:
            path = environ.get("PATH_INFO", "")
            address = parse_address(environ)
            if for_feeds and address is None:
                return not_found(environ, start_response)
            if path == ROBOTS and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
                return robots_txt(environ, start_response)
            if address is not None and address.secret is not None:
                environ.pop("HTTP_AUTHORIZATION", None)
        login = self._behind_plain_login if for_feeds else self._behind_login
        return login(environ, start_response)

    def _needs_login(self, environ: Environ) -> bool:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if self._feeds and path.startswith(PREFIX):
            return self._feeds.access.needs_login(address_of(environ))
        if self._account.handles(path):
            return self._account.needs_login(path)
        # Clients ask there by PROPFIND as well; the redirect needs no body (RFC 6764 section 6).
        if method == "OPTIONS" or path.rstrip("/") in WELL_KNOWN:
            return False
        is_open = path in ("", "/", "/.web") or path.startswith(_OPEN)
        return not (is_open and method in ("GET", "HEAD"))

    def _dispatch(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("AUTH_TYPE") in (WEB_SERVER, ELSEWHERE):
            self._container.record_external_account(environ[USER_KEY])
        if self._feed_requests and environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._feed_requests(environ, start_response)
        if self._account.handles(environ.get("PATH_INFO", "")):
            return self._account(environ, start_response)
        answer: Iterable[bytes] = self._dav(environ, start_response)
        return answer


def _admin(container: Container, metrics: Metrics | None) -> App:
    """Return the application of the listeners for administrators."""
    if metrics is None:
        return not_found
    # Not imported if it is not used: the import takes a tenth of a second.
    from kalends.app.admin import AdminApplication

    return AdminApplication(container, metrics)


def _lock_for_serving(database: Database) -> ServingLock | None:
    """Lock a store in a file for serving; a database server knows its sessions instead.

    Raises:
        KalendsError: the store is being restored, or cannot be used.
    """
    if database.folder is None:
        return None
    lock = ServingLock(database.name)
    lock.acquire_shared()
    return lock
