"""The pages below ``/.web/``: ``[web] type = kalends.web``, Radicale's collection manager.

It is Radicale's page with a link to the account page, and other sites cannot frame it.
"""

from __future__ import annotations

from html.parser import HTMLParser
from http import HTTPStatus
from itertools import accumulate
from typing import Any

from radicale import types
from radicale.web import internal

from kalends.webui.assets import Assets

_ASSETS = Assets(("kalends.webui.account",))
_PAGES = ("/.web/", "/.web/index.html")
_CONFIG = "/.web/js/config.js"
# The manager's only setting: whether the browser has logged its user in, as on the way from the
# account page. What it exports is the name that the manager's scripts import.
_SETTING = """\
export const PREFER_BROWSER_LOGIN = {preferred} || location.search === "?browser";
"""
_WAY = (
    '<nav id="kalends" aria-label="Kalends"><a class="blue" href="account/">'
    "Your account<span>: addresses, phones, feeds, files in and out</span></a></nav>"
)
_STYLE = f'<link href="account/.static/{_ASSETS.name("manager.css")}" rel="stylesheet">'
_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
_NOT_SNIFFED = {"X-Content-Type-Options": "nosniff"}


class Web(internal.Web):
    """Radicale's collection manager."""

    def get(
        self, environ: types.WSGIEnviron, base_prefix: str, path: str, *rest: Any
    ) -> types.WSGIResponse:
        """Return one of its files."""
        if path == _CONFIG:
            preferred = self.configuration.get("web", "prefer_browser_login")
            script = _SETTING.format(preferred="true" if preferred else "false").encode()
            return (
                HTTPStatus.OK,
                {"Content-Type": "application/javascript", **_NOT_SNIFFED},
                script,
                None,
            )
        status, headers, answer, xml = super().get(environ, base_prefix, path, *rest)
        headers = {**dict(headers), **_NOT_SNIFFED}
        if path in _PAGES and isinstance(answer, bytes):
            headers.update(_POLICY)
            answer = with_our_parts(answer.decode("utf-8")).encode("utf-8")
        return status, headers, answer, xml


def with_our_parts(page: str) -> str:
    """Return a page with our stylesheet at the end of its head, and our link before its content.

    The content is ``main``, or the whole body of a page without it.
    """
    places = _Places(page)
    parts = [(place, text) for place, text in ((places.style, _STYLE), (places.way, _WAY)) if place]
    for place, text in sorted(parts, reverse=True):
        page = page[:place] + text + page[place:]
    return page


class _Places(HTMLParser):
    """The places of a page at which something is inserted, as offsets; 0 if there is none."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._lines = [0, *accumulate(len(line) + 1 for line in page.split("\n"))]
        self._body = self._main = self.style = 0
        self.feed(page)
        self.close()

    @property
    def way(self) -> int:
        """The beginning of the content."""
        return self._main or self._body

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the beginning of the body and of its main part."""
        if tag == "body":
            self._body = self._here() + len(self.get_starttag_text() or "")
        elif tag == "main":
            self._main = self._main or self._here()

    def handle_endtag(self, tag: str) -> None:
        """Record the end of the head."""
        if tag == "head":
            self.style = self._here()

    def _here(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column
