"""The addresses at which a page's feed can be subscribed to."""

from __future__ import annotations

from typing import NamedTuple

from kalends.common.wsgi import Environ
from kalends.feeds.access import PREFIX, FeedAddress
from kalends.webui.base_url import BaseUrl

ASSETS = ".static"
"""The path segment of style sheets and scripts, in the place of a secret."""


class Addresses(NamedTuple):
    """The addresses of one feed, as the reader of its page reaches them.

    Attributes:
        page: the page itself.
        file: the ``.ics`` file.
        webcal: the ``.ics`` file, for programs that subscribe.
        assets: the folder of style sheets and scripts.
    """

    page: str
    file: str
    webcal: str
    assets: str


def addresses_of(environ: Environ, address: FeedAddress) -> Addresses | None:
    """Return the addresses of a feed; None if the request's Host is not a valid host."""
    base_url = BaseUrl.from_environ(environ)
    if base_url is None:
        return None
    secret = "" if address.secret is None else f"s/{address.secret}/"
    below = f"{PREFIX}{secret}{address.name}"
    return Addresses(
        base_url.url(f"{below}/"),
        base_url.url(f"{below}.ics"),
        base_url.webcal(f"{below}.ics"),
        base_url.path(f"{PREFIX}s/{ASSETS}/"),
    )
