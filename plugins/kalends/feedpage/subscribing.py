"""How to subscribe to what a page shows."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import quote

from kalends.icsfeed.admission import PREFIX, FeedAddress


class Addresses(NamedTuple):
    """The addresses of one feed as the reader of its page reaches it.

    Attributes:
        page: of the page itself.
        file: of the ``.ics`` file.
        webcal: the same for programs that subscribe.
    """

    page: str
    file: str
    webcal: str


def addresses_of(environ: dict[str, Any], address: FeedAddress) -> Addresses:
    """The addresses of a feed, by the host and prefix that the request came to."""
    scheme = environ["wsgi.url_scheme"]
    host = environ.get("HTTP_HOST") or environ["SERVER_NAME"]
    secret = "" if address.secret is None else f"s/{quote(address.secret, safe='')}/"
    below = quote(environ.get("SCRIPT_NAME", "")) + PREFIX + secret + quote(address.name, safe="")
    return Addresses(
        f"{scheme}://{host}{below}/",
        f"{scheme}://{host}{below}.ics",
        f"webcal://{host}{below}.ics",
    )
