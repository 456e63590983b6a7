"""How to subscribe to what a page shows: addresses, and one of them for a phone's camera."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

import segno

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


@lru_cache(maxsize=128)
def qr_code(text: str) -> str:
    """A QR code as SVG markup, without a size of its own."""
    code = segno.make(text, error="m", micro=False)
    return code.svg_inline(border=3, omitsize=True, svgclass="qr", lineclass=None, dark="#000")
