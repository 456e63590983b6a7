"""Access control for feeds, shared by the file of a feed and its page."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from kalends.common.wsgi import Environ
from kalends.errors import KalendsError
from kalends.feeds.definitions.model import Feed
from kalends.feeds.definitions.registry import FeedRegistry
from kalends.store.feed_secrets import SecretBook

PREFIX = "/feeds/"
"""The path that all feeds are below."""

_ADDRESS_KEY = "kalends.feed_address"
_SECRET = "s/"  # noqa: S105 - a part of the address


@dataclass(frozen=True, slots=True)
class FeedAddress:
    """An address below ``/feeds/``, parsed.

    Attributes:
        name: the name of the feed.
        rest: the part after the name: ``.ics`` for the file, ``/`` and more for the page, or empty.
        secret: the secret in the address; None if it has none.
    """

    name: str
    rest: str
    secret: str | None = None

    def __repr__(self) -> str:
        return f"FeedAddress({self.name!r}, {self.rest!r})"

    @property
    def is_file(self) -> bool:
        """True if the address is that of a feed's ``.ics`` file."""
        return self.rest == ".ics"


def parse_address(environ: Environ) -> FeedAddress | None:
    """Parse the path of a request and keep the result for `address_of`.

    Returns:
        The address; None if the path is not below ``PREFIX``.
    """
    raw: str = environ.get("PATH_INFO", "")
    if not raw.startswith(PREFIX):
        return None
    path = raw.encode("latin-1", "replace").decode("utf-8", "replace").removeprefix(PREFIX)
    secret = None
    if path.startswith(_SECRET):
        secret, _, path = path.removeprefix(_SECRET).partition("/")
    name, slash, below = path.partition("/")
    if slash:
        address = FeedAddress(name, slash + below, secret)
    elif name.endswith(".ics"):
        address = FeedAddress(name.removesuffix(".ics"), ".ics", secret)
    else:
        address = FeedAddress(name, "", secret)
    environ[_ADDRESS_KEY] = address
    return address


def address_of(environ: Environ) -> FeedAddress:
    """Return the address that `parse_address` found in a request below ``PREFIX``."""
    address: FeedAddress = environ[_ADDRESS_KEY]
    return address


class AccessControl:
    """The decision who may see a feed.

    Args:
        registry: the feeds.
        secrets: the secrets of all people.
        user_key: the key of the verified user's name in the environ.
    """

    def __init__(self, registry: FeedRegistry, secrets: SecretBook, user_key: str) -> None:
        self._registry = registry
        self._secrets = secrets
        self._user_key = user_key

    def needs_login(self, address: FeedAddress) -> bool:
        """Return True if an address requires a login; a secret or public one never does."""
        if address.secret is not None:
            return False
        try:
            feed = self._registry.feed(address.name)
        except KalendsError:
            return True
        return feed is None or feed.access.kind != "public"

    def authorize(self, environ: Environ) -> Feed | HTTPStatus:
        """Return the feed that a request asks for, or the status that refuses it.

        Args:
            environ: a request whose address has been parsed by `parse_address`.

        Raises:
            KalendsError: the accounts cannot be read now, so nobody is admitted.
        """
        address = address_of(environ)
        if address.secret is not None:
            return self._authorize_secret(address.secret, address.name)
        feed = self._registry.feed(address.name)
        if feed is None or feed.access.kind == "secret":
            return HTTPStatus.NOT_FOUND
        user: str = environ.get(self._user_key, "")
        if feed.access.kind == "public" or self._registry.may_see(feed, user):
            return feed
        return HTTPStatus.FORBIDDEN

    def _authorize_secret(self, secret: str, name: str) -> Feed | HTTPStatus:
        holder = self._secrets.find_holder(secret)
        if holder is None or holder[0] != name:
            return HTTPStatus.NOT_FOUND
        feed = self._registry.feed(name)
        if feed is None or not self._registry.may_see(feed, holder[1]):
            return HTTPStatus.NOT_FOUND
        return feed
