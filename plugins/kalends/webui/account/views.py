"""``/.web/account/`` and ``/.mobileconfig`` over HTTP, for the one who is logged in."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qs, quote

from kalends.authn.nonces.signing import SALT_BITS
from kalends.common.wsgi import Environ, StartResponse, plain
from kalends.webui.account.collections import AccountCollections
from kalends.webui.account.csrf_origin import is_own
from kalends.webui.account.csrf_token import CsrfTokens
from kalends.webui.account.errors import FAILURES, PageRefusedError, refusal_of
from kalends.webui.account.feedlist import chosen
from kalends.webui.account.feeds import VisibleFeeds
from kalends.webui.account.forms import Form, form_of, in_words, largest_file
from kalends.webui.account.import_form import ImportForm
from kalends.webui.account.mobileconfig import CONTENT_TYPE, profile
from kalends.webui.account.setup_guides import guides
from kalends.webui.account.zip_download import zipped
from kalends.webui.base_url import BaseUrl
from kalends.webui.qr import qr_code
from kalends.webui.responses import html, security_headers
from kalends.webui.templates import Templates

_log = logging.getLogger("kalends.account")

PAGE = "/.web/account/"
PROFILE = "/.mobileconfig"
"""The one address of the profile; Radicale's own is switched off."""

_ASSETS = f"{PAGE}.static/"
_MANAGER = "/.web/"
_LOGGED_IN = "?browser"  # see `web`
_MOST_REFUSED = 200
"""How many lines that were refused a page lists."""


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """A request of somebody who is logged in.

    Attributes:
        start: its start_response.
        user: who is logged in.
        outside: how the server is reached.
    """

    environ: Environ
    start: StartResponse
    user: str
    outside: BaseUrl


class AccountApplication:
    """The pages of one who is logged in.

    Args:
        homes: their calendars and address books.
        feeds: the feeds that they may see; None where there are none at all.
        imports: brings files in.
        tokens: what only our own pages know.
        refusal_of: why an account has no home; None if it has.
        schemes: the ways to log in that the server offers.
        largest: the largest body of a request, octets.
        user_key: where in the environ the verified user's name is.
    """

    def __init__(
        self,
        homes: AccountCollections,
        feeds: VisibleFeeds | None,
        imports: ImportForm,
        tokens: CsrfTokens,
        *,
        refusal_of: Callable[[str], str | None],
        schemes: tuple[str, ...],
        largest: int,
        user_key: str,
    ) -> None:
        self._homes = homes
        self._feeds = feeds
        self._imports = imports
        self._tokens = tokens
        self._refusal_of = refusal_of
        self._schemes = schemes
        self._largest = largest_file(largest)
        self._user_key = user_key
        self._pages = Templates("kalends.webui.account")

    def handles(self, path: str) -> bool:
        """Whether a path is one of ours."""
        return path == PROFILE or (path + "/").startswith(PAGE)

    def needs_login(self, path: str) -> bool:
        """Whether one of our paths asks for a login: all but style sheets and scripts."""
        return not path.startswith(_ASSETS)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request for a path that is ours."""
        path: str = environ["PATH_INFO"]
        outside = BaseUrl.of(environ)
        if outside is None:
            return plain(environ, start_response, HTTPStatus.BAD_REQUEST)
        if path.startswith(_ASSETS):
            return self._pages.assets(environ, start_response, path.removeprefix(_ASSETS))
        if path + "/" == PAGE:
            moved = [("Location", outside.path(PAGE))]
            return plain(environ, start_response, HTTPStatus.PERMANENT_REDIRECT, headers=moved)
        asked = AccountRequest(environ, start_response, environ[self._user_key], outside)
        try:
            return self._route(asked, path)
        except FAILURES as error:
            return self._refused(asked, refusal_of(error))

    def _route(self, asked: AccountRequest, path: str) -> Iterable[bytes]:
        gets = {
            PAGE: self._page,
            PROFILE: self._profile,
            f"{PAGE}download": self._download,
        }
        posts = {f"{PAGE}import": self._import, f"{PAGE}secret": self._secret}
        method = asked.environ["REQUEST_METHOD"]
        if path in gets:
            if method in ("GET", "HEAD"):
                self._require_home(asked)
                return gets[path](asked)
            allow = "GET, HEAD"
        elif path in posts:
            if method == "POST":
                return self._post(asked, posts[path])
            if method in ("GET", "HEAD"):  # somebody loads the answer to a form anew
                return self._see_other(asked, "")
            allow = "GET, HEAD, POST"
        else:
            raise PageRefusedError(HTTPStatus.NOT_FOUND, "Not found", "There is no such page.")
        status = HTTPStatus.METHOD_NOT_ALLOWED
        return plain(asked.environ, asked.start, status, headers=[("Allow", allow)])

    def _post(
        self, asked: AccountRequest, answer: Callable[[AccountRequest, Form], Iterable[bytes]]
    ) -> Iterable[bytes]:
        """A change: only from a page of ours, which has a token for this user."""
        if not is_own(asked.environ, asked.outside):
            _log.warning("a form of another page was refused for %s", ascii(asked.user))
            raise PageRefusedError(
                HTTPStatus.FORBIDDEN,
                "Refused",
                "This did not come from the account page of this server, or the server does not "
                f"know its own address: it takes itself for {asked.outside.origin}. Nothing was "
                "changed.",
            )
        with form_of(asked.environ, self._largest) as form:
            if not self._tokens.is_good(form.fields.get("token", ""), asked.user, time.time()):
                raise PageRefusedError(
                    HTTPStatus.FORBIDDEN,
                    "Refused",
                    "The page that this came from is too old. Open it anew and try again; "
                    "nothing was changed.",
                )
            self._require_home(asked)
            return answer(asked, form)

    def _require_home(self, asked: AccountRequest) -> None:
        refusal = self._refusal_of(asked.user)
        if refusal:
            why = f"The account {asked.user} has no calendars here: {refusal}."
            raise PageRefusedError(HTTPStatus.FORBIDDEN, "No calendars", why)
        self._homes.ensure(asked.user)

    def _page(self, asked: AccountRequest) -> Iterable[bytes]:
        held = self._homes.of(asked.user)
        feeds = self._feeds.of(asked.user, self._homes.places_of(asked.user)) if self._feeds else []
        renewed = parse_qs(asked.environ.get("QUERY_STRING", "")).get("renewed", [""])[0]
        return self._html(
            asked,
            HTTPStatus.OK,
            "account.html",
            guides=guides(asked.outside, asked.user, self._schemes),
            held=held,
            feeds=feeds,
            renewed=next((feed for feed in feeds if feed.name == renewed and feed.secret), None),
            code=qr_code(asked.outside.url(PAGE)),
            token=self._tokens.make(asked.user, time.time(), secrets.randbits(SALT_BITS)),
            largest=self._largest,
            largest_in_words=in_words(self._largest),
            profile_address=asked.outside.path(PROFILE),
        )

    def _profile(self, asked: AccountRequest) -> Iterable[bytes]:
        feeds = self._feeds.of(asked.user, self._homes.places_of(asked.user)) if self._feeds else []
        wanted = chosen(feeds, parse_qs(asked.environ.get("QUERY_STRING", "")))
        # A secret address that is still to be made is not made by a GET.
        subscriptions = [one for feed in wanted if (one := feed.subscription)]
        body = profile(asked.outside, asked.user, subscriptions)
        headers = [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            *_as_file(f"{asked.user}.mobileconfig"),
        ]
        asked.start("200 OK", headers)
        return [] if asked.environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _download(self, asked: AccountRequest) -> Iterable[bytes]:
        day = datetime.now(UTC).date().isoformat()
        name = f"{asked.user}-calendars-{day}.zip"
        held = self._homes.of(asked.user)
        asked.start("200 OK", [("Content-Type", "application/zip"), *_as_file(name)])
        if asked.environ["REQUEST_METHOD"] == "HEAD":
            return []
        return zipped(self._homes.entries(held))

    def _secret(self, asked: AccountRequest, form: Form) -> Iterable[bytes]:
        name = form.fields.get("feed", "")
        renew = form.fields.get("action") == "renew"
        if self._feeds is None or not (self._feeds.rotate if renew else self._feeds.make)(
            name, asked.user
        ):
            why = "There is no such feed, or you may not see it. Nothing was changed."
            raise PageRefusedError(HTTPStatus.NOT_FOUND, "No such feed", why)
        return self._see_other(asked, f"?renewed={quote(name, safe='')}#feeds")

    def _import(self, asked: AccountRequest, form: Form) -> Iterable[bytes]:
        target, outcome = self._imports.bring(asked.user, form)
        return self._html(
            asked,
            HTTPStatus.OK,
            "imported.html",
            file_name=form.file_name,
            target=target,
            merged=outcome.merged,
            refused=sorted(outcome.refused, key=lambda one: one.line)[:_MOST_REFUSED],
            more=max(0, len(outcome.refused) - _MOST_REFUSED),
        )

    def _refused(self, asked: AccountRequest, refused: PageRefusedError) -> Iterable[bytes]:
        again = refused.retry_after
        headers = [("Retry-After", str(again))] if again is not None else []
        told = {"heading": refused.title, "why": refused.why}
        return self._html(asked, refused.status, "refused.html", headers, **told)

    def _see_other(self, asked: AccountRequest, where: str) -> Iterable[bytes]:
        location = [("Location", asked.outside.path(PAGE) + where), ("Cache-Control", "no-store")]
        return plain(asked.environ, asked.start, HTTPStatus.SEE_OTHER, headers=location)

    def _html(
        self,
        asked: AccountRequest,
        status: HTTPStatus,
        template: str,
        headers: Iterable[tuple[str, str]] = (),
        **values: object,
    ) -> Iterable[bytes]:
        body = self._pages.render(
            template,
            assets=asked.outside.path(_ASSETS),
            user=asked.user,
            outside=asked.outside,
            home=asked.outside.path(PAGE),
            manager=asked.outside.path(_MANAGER) + _LOGGED_IN,
            **values,
        )
        given = [*security_headers(connect=True, referrer="same-origin"), *_PRIVATE, *headers]
        return html(asked.environ, asked.start, status, body, given)


_PRIVATE = [("Cache-Control", "no-store"), ("Cross-Origin-Resource-Policy", "same-origin")]


def _as_file(name: str) -> list[tuple[str, str]]:
    """The headers of a file that nobody keeps on the way (RFC 6266)."""
    plain_name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    disposition = f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{quote(name, safe='')}"
    return [
        ("Content-Disposition", disposition),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        *_PRIVATE,
    ]
