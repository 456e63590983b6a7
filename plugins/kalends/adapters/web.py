"""The pages below ``/.web/``: ``[web] type = kalends.web``, Radicale's collection manager.

It is shown as Radicale has it, with a way to the account page, and where nobody else can frame it.
"""

from __future__ import annotations

from typing import Any

from radicale import types
from radicale.web import internal

from kalends.webui.assets import Assets

_ASSETS = Assets(("kalends.webui.account",))
_PAGES = ("/.web/", "/.web/index.html")
_CONFIG = "/.web/js/config.js"
# From the account page, whose user the browser itself has logged in.
_OR_ASKED = b' || location.search === "?browser"'
_BEFORE = b"<main>"
_WAY = (
    b'<nav id="kalends" aria-label="Kalends"><a class="blue" href="account/">'
    b"Your account<span>: addresses, phones, feeds, files in and out</span></a></nav>"
)
_STYLE = f'<link href="account/.static/{_ASSETS.name("manager.css")}" rel="stylesheet">'.encode()
_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Web(internal.Web):
    """Radicale's collection manager."""

    def get(
        self, environ: types.WSGIEnviron, base_prefix: str, path: str, *rest: Any
    ) -> types.WSGIResponse:
        """Answer with one of its files."""
        status, headers, answer, xml = super().get(environ, base_prefix, path, *rest)
        headers = {**dict(headers), "X-Content-Type-Options": "nosniff"}
        if path == _CONFIG and isinstance(answer, bytes):
            answer = answer.replace(b";", _OR_ASKED + b";", 1)
        if path in _PAGES and isinstance(answer, bytes):
            headers.update(_POLICY)
            answer = answer.replace(b"</head>", _STYLE + b"</head>", 1)
            answer = answer.replace(_BEFORE, _WAY + _BEFORE, 1)
        return status, headers, answer, xml
