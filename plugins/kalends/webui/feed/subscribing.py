"""How to subscribe to what a page shows."""

from __future__ import annotations

from typing import NamedTuple

from kalends.common.wsgi import Environ
from kalends.feeds.access import PREFIX, FeedAddress
from kalends.webui.base_url import BaseUrl

ASSETS = ".static"
"""What stands in the place of a secret in the addresses of style sheets and scripts."""


class Addresses(NamedTuple):
    """The addresses of one feed as the reader of its page reaches it.

    Attributes:
        page: of the page itself.
        file: of the ``.ics`` file.
        webcal: the same for programs that subscribe.
        assets: of the folder of style sheets and scripts.
    """

    page: str
    file: str
    webcal: str
    assets: str


def addresses_of(environ: Environ, address: FeedAddress) -> Addresses | None:
    """The addresses of a feed, by what the request came to; None if its Host is no host."""
    outside = BaseUrl.of(environ)
    if outside is None:
        return None
    secret = "" if address.secret is None else f"s/{address.secret}/"
    below = f"{PREFIX}{secret}{address.name}"
    return Addresses(
        outside.url(f"{below}/"),
        outside.url(f"{below}.ics"),
        outside.webcal(f"{below}.ics"),
        outside.path(f"{PREFIX}s/{ASSETS}/"),
    )
