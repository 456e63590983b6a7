"""Who may see which feed at which address; the file of a feed and its page ask the same."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from kalends.common.wsgi import Environ
from kalends.errors import KalendsError
from kalends.feeds.definitions.model import Feed
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.store.feed_secrets import SecretBook

PREFIX = "/feeds/"
"""Below it lie all feeds."""

_SECRET = "s/"  # noqa: S105 - a part of the address


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """An address below ``/feeds/``, taken apart.

    Attributes:
        name: of the feed.
        rest: what follows the name: ``.ics`` for the file, ``/`` and more for the page, else empty.
        secret: the secret in it; None where there is none.
    """

    name: str
    rest: str
    secret: str | None = None

    def __repr__(self) -> str:
        return f"FeedAddress({self.name!r}, {self.rest!r})"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who may see a feed.

    Attributes:
        feed: the feed.
        person: who logged in, or whose secret it is; empty where a public feed asks nobody.
    """

    feed: Feed
    person: str


def address_of(environ: Environ) -> FeedAddress:
    """The feed's address that a request below ``PREFIX`` asks for."""
    raw: str = environ.get("PATH_INFO", "")
    path = raw.encode("latin-1", "replace").decode("utf-8", "replace").removeprefix(PREFIX)
    secret = None
    if path.startswith(_SECRET):
        secret, _, path = path.removeprefix(_SECRET).partition("/")
    name, slash, below = path.partition("/")
    if slash:
        return FeedAddress(name, slash + below, secret)
    if name.endswith(".ics"):
        return FeedAddress(name.removesuffix(".ics"), ".ics", secret)
    return FeedAddress(name, "", secret)


class AccessControl:
    """Decides who sees a feed.

    Args:
        registry: which feeds there are.
        secrets: who has which secret.
        user_key: where in the environ the verified user's name is, if there is one.
    """

    def __init__(self, registry: FeedRegistry, secrets: SecretBook, user_key: str) -> None:
        self._registry = registry
        self._secrets = secrets
        self._user_key = user_key

    def is_secret(self, environ: Environ) -> bool:
        """Whether the address is a secret one, where no login is asked, ever."""
        return address_of(environ).secret is not None

    def needs_login(self, environ: Environ) -> bool:
        """Whether a feed's address asks for a login; a secret or public one never does."""
        address = address_of(environ)
        if address.secret is not None:
            return False
        try:
            feed = self._registry.feed(address.name)
        except KalendsError:
            return True
        return feed is None or feed.access.kind != "public"

    def admit(self, environ: Environ) -> Admitted | HTTPStatus:
        """Who may see which feed, for a request below ``PREFIX``; or with what it is refused.

        Raises:
            KalendsError: who there is cannot be told now, so nobody is let in.
        """
        address = address_of(environ)
        if address.secret is not None:
            return self._by_secret(address.secret, address.name)
        feed = self._registry.feed(address.name)
        if feed is None or feed.access.kind == "secret":
            return HTTPStatus.NOT_FOUND
        person: str = environ.get(self._user_key, "")
        if feed.access.kind == "public" or self._registry.may_see(feed, person):
            return Admitted(feed, person)
        return HTTPStatus.FORBIDDEN

    def _by_secret(self, secret: str, name: str) -> Admitted | HTTPStatus:
        held = self._secrets.holder(secret)
        if held is None or held[0] != name:
            return HTTPStatus.NOT_FOUND
        feed = self._registry.feed(name)
        if feed is None or not self._registry.may_see(feed, held[1]):
            return HTTPStatus.NOT_FOUND
        return Admitted(feed, held[1])
