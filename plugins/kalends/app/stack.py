"""The whole application, layer by layer: proxies, then feeds or logins, then what answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from kalends.app.container import Container
from kalends.app.middleware.proxy_headers import App, Environ, StartResponse, TrustedProxies
from kalends.app.middleware.request_id import RequestIds
from kalends.authn.backends.radicale_backends import other_directories
from kalends.authn.middleware import USER_KEY, WEB_SERVER
from kalends.authn.schemes.base import ELSEWHERE
from kalends.config.listener_roles import ROLE_KEY, Role
from kalends.config.loader import LoadedConfiguration
from kalends.dav.application import DavApplication
from kalends.dav.errors import as_answer, failed
from kalends.errors import StoreFullError, StoreUnavailableError
from kalends.feeds.access import PREFIX
from kalends.feeds.http import ROBOTS, nothing_here, robots
from kalends.store.engine import open_database
from kalends.store.serving_lock import ServingLock

# There on listeners for administrators alone.
_ADMINISTRATORS = frozenset({"/.health", "/.metrics"})
# What a client asks before it knows that it needs a login; none of it shows anybody's data.
_OPEN = ("/.web/", "/.well-known/")


class ApplicationStack:
    """The whole application of one process.

    Args:
        loaded: the configuration.

    Raises:
        KalendsError: something in the store or in other files is not as it must be.
    """

    def __init__(self, loaded: LoadedConfiguration) -> None:
        radicale_configuration, settings = loaded
        self._presence = _present(settings.database)
        self._application = DavApplication(radicale_configuration)
        storage = self._application.storage
        self._assembly = Container(
            settings,
            storage.database,
            partial(other_directories, radicale_configuration, settings),
            serves=True,
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
        self._roles = settings.roles
        self._believing: App = TrustedProxies(
            RequestIds(self._or_later), settings.trusted_proxies, settings.prefix
        )
        self._admin: App = nothing_here

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        self.start()
        role = self._roles.of_request(environ)
        if role is Role.ADMIN:
            return self._admin(environ, start_response)
        environ[ROLE_KEY] = role
        return self._believing(environ, start_response)

    @property
    def assembly(self) -> Container:
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
        for_feeds = environ[ROLE_KEY] is Role.FEEDS
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


def _present(url: str) -> ServingLock | None:
    """The mark that this process serves from a store in a file; on a server the sessions tell.

    Raises:
        KalendsError: the store is being restored, or cannot be used.
    """
    database = open_database(url)
    if database.folder is None:
        return None
    presence = ServingLock(database.name)
    presence.serve()
    return presence
