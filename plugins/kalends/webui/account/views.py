"""``/.web/account/`` and ``/.mobileconfig`` over HTTP, for a logged-in user."""

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
from kalends.webui.account.csrf_origin import is_same_origin
from kalends.webui.account.csrf_token import CsrfTokens
from kalends.webui.account.errors import FAILURES, PageRefusedError, refusal_of
from kalends.webui.account.feedlist import VisibleFeed, feeds_for_profile
from kalends.webui.account.feeds import VisibleFeeds
from kalends.webui.account.forms import Form, in_words, largest_file, open_form
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
_LOGGED_IN = "?browser"  # see `kalends.adapters.web`
_MAX_REFUSED = 200
"""The most refused objects that a page lists."""


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """A request of a logged-in user.

    Attributes:
        environ: the WSGI environ.
        start: its start_response.
        user: the user's name.
        base_url: the address at which the client reaches the server.
    """

    environ: Environ
    start: StartResponse
    user: str
    base_url: BaseUrl


class AccountApplication:
    """WSGI application with the pages of logged-in users.

    Args:
        collections: the users' calendars and address books.
        feeds: the feeds that users may see; None if the installation has no feeds.
        imports: imports uploaded files.
        tokens: the CSRF tokens.
        refusal_of: returns why an account cannot have a home; None if it can.
        schemes: the login schemes that the server offers.
        largest: the largest body of a request, octets.
        user_key: the key of the verified user's name in the environ.
    """

    def __init__(
        self,
        collections: AccountCollections,
        feeds: VisibleFeeds | None,
        imports: ImportForm,
        tokens: CsrfTokens,
        *,
        refusal_of: Callable[[str], str | None],
        schemes: tuple[str, ...],
        largest: int,
        user_key: str,
    ) -> None:
        self._collections = collections
        self._feeds = feeds
        self._imports = imports
        self._tokens = tokens
        self._refusal_of = refusal_of
        self._schemes = schemes
        self._largest = largest_file(largest)
        self._user_key = user_key
        self._pages = Templates("kalends.webui.account")

    def handles(self, path: str) -> bool:
        """Return True if a path belongs to this application."""
        return path == PROFILE or (path + "/").startswith(PAGE)

    def needs_login(self, path: str) -> bool:
        """Return True if a path of this application needs a login: all except its assets."""
        return not path.startswith(_ASSETS)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request for a path of this application."""
        path: str = environ["PATH_INFO"]
        base_url = BaseUrl.from_environ(environ)
        if base_url is None:
            return plain(environ, start_response, HTTPStatus.BAD_REQUEST)
        if path.startswith(_ASSETS):
            return self._pages.assets(environ, start_response, path.removeprefix(_ASSETS))
        if path + "/" == PAGE:
            moved = [("Location", base_url.path(PAGE))]
            return plain(environ, start_response, HTTPStatus.PERMANENT_REDIRECT, headers=moved)
        request = AccountRequest(environ, start_response, environ[self._user_key], base_url)
        try:
            return self._route(request, path)
        except FAILURES as error:
            return self._refused(request, refusal_of(environ, error))

    def _route(self, request: AccountRequest, path: str) -> Iterable[bytes]:
        gets = {
            PAGE: self._page,
            PROFILE: self._profile,
            f"{PAGE}download": self._download,
        }
        posts = {f"{PAGE}import": self._import, f"{PAGE}secret": self._secret}
        method = request.environ["REQUEST_METHOD"]
        if path in gets:
            if method in ("GET", "HEAD"):
                self._require_home(request)
                return gets[path](request)
            allow = "GET, HEAD"
        elif path in posts:
            if method == "POST":
                return self._post(request, posts[path])
            if method in ("GET", "HEAD"):  # the response to a form was reloaded
                return self._see_other(request, "")
            allow = "GET, HEAD, POST"
        else:
            raise PageRefusedError(HTTPStatus.NOT_FOUND, "Not found", "There is no such page.")
        status = HTTPStatus.METHOD_NOT_ALLOWED
        return plain(request.environ, request.start, status, headers=[("Allow", allow)])

    def _post(
        self, request: AccountRequest, answer: Callable[[AccountRequest, Form], Iterable[bytes]]
    ) -> Iterable[bytes]:
        """Answer a form, if it comes from a page of ours with a token for this user."""
        if not is_same_origin(request.environ, request.base_url):
            _log.warning("refused a form from another origin for %s", ascii(request.user))
            raise PageRefusedError(
                HTTPStatus.FORBIDDEN,
                "Refused",
                "This form did not come from the account page of this server, or the server does "
                f"not know its own address: it expects {request.base_url.origin}. Nothing was "
                "changed.",
            )
        with open_form(request.environ, self._largest) as form:
            if not self._tokens.is_valid(form.fields.get("token", ""), request.user, time.time()):
                raise PageRefusedError(
                    HTTPStatus.FORBIDDEN,
                    "Refused",
                    "The page that this form came from is too old. Reload the page and try again. "
                    "Nothing was changed.",
                )
            self._require_home(request)
            return answer(request, form)

    def _require_home(self, request: AccountRequest) -> None:
        refusal = self._refusal_of(request.user)
        if refusal:
            why = f"The account {request.user} has no calendars here: {refusal}."
            raise PageRefusedError(HTTPStatus.FORBIDDEN, "No calendars", why)
        self._collections.ensure(request.user)

    def _visible_feeds(self, user: str) -> list[VisibleFeed]:
        if self._feeds is None:
            return []
        return self._feeds.list_for(user, self._collections.places_of(user))

    def _page(self, request: AccountRequest) -> Iterable[bytes]:
        collections = self._collections.list_for(request.user)
        feeds = self._visible_feeds(request.user)
        renewed = parse_qs(request.environ.get("QUERY_STRING", "")).get("renewed", [""])[0]
        return self._html(
            request,
            HTTPStatus.OK,
            "account.html",
            guides=guides(request.base_url, request.user, self._schemes),
            collections=collections,
            feeds=feeds,
            renewed=next((feed for feed in feeds if feed.name == renewed and feed.secret), None),
            code=qr_code(request.base_url.url(PAGE)),
            token=self._tokens.make(request.user, time.time(), secrets.randbits(SALT_BITS)),
            largest=self._largest,
            largest_in_words=in_words(self._largest),
            profile_address=request.base_url.path(PROFILE),
        )

    def _profile(self, request: AccountRequest) -> Iterable[bytes]:
        feeds = self._visible_feeds(request.user)
        wanted = feeds_for_profile(feeds, parse_qs(request.environ.get("QUERY_STRING", "")))
        # A GET does not make a missing secret address.
        subscriptions = [one for feed in wanted if (one := feed.subscription)]
        body = profile(request.base_url, request.user, subscriptions)
        headers = [
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            *_as_file(f"{request.user}.mobileconfig"),
        ]
        request.start("200 OK", headers)
        return [] if request.environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _download(self, request: AccountRequest) -> Iterable[bytes]:
        day = datetime.now(UTC).date().isoformat()
        name = f"{request.user}-calendars-{day}.zip"
        collections = self._collections.list_for(request.user)
        request.start("200 OK", [("Content-Type", "application/zip"), *_as_file(name)])
        if request.environ["REQUEST_METHOD"] == "HEAD":
            return []
        return zipped(self._collections.entries(collections))

    def _secret(self, request: AccountRequest, form: Form) -> Iterable[bytes]:
        name = form.fields.get("feed", "")
        renew = form.fields.get("action") == "renew"
        if self._feeds is None or not (self._feeds.rotate if renew else self._feeds.make)(
            name, request.user
        ):
            why = "There is no such feed, or you may not see it. Nothing was changed."
            raise PageRefusedError(HTTPStatus.NOT_FOUND, "No such feed", why)
        return self._see_other(request, f"?renewed={quote(name, safe='')}#feeds")

    def _import(self, request: AccountRequest, form: Form) -> Iterable[bytes]:
        target, outcome = self._imports.import_file(request.user, form)
        return self._html(
            request,
            HTTPStatus.OK,
            "imported.html",
            file_name=form.file_name,
            target=target,
            merged=outcome.merged,
            note=outcome.note,
            refused=sorted(outcome.refused, key=lambda one: one.line)[:_MAX_REFUSED],
            more=max(0, len(outcome.refused) - _MAX_REFUSED),
        )

    def _refused(self, request: AccountRequest, refused: PageRefusedError) -> Iterable[bytes]:
        seconds = refused.retry_after
        headers = [("Retry-After", str(seconds))] if seconds is not None else []
        values = {"heading": refused.title, "why": refused.why}
        return self._html(request, refused.status, "refused.html", headers, **values)

    def _see_other(self, request: AccountRequest, where: str) -> Iterable[bytes]:
        location = [
            ("Location", request.base_url.path(PAGE) + where),
            ("Cache-Control", "no-store"),
        ]
        return plain(request.environ, request.start, HTTPStatus.SEE_OTHER, headers=location)

    def _html(
        self,
        request: AccountRequest,
        status: HTTPStatus,
        template: str,
        headers: Iterable[tuple[str, str]] = (),
        **values: object,
    ) -> Iterable[bytes]:
        body = self._pages.render(
            template,
            assets=request.base_url.path(_ASSETS),
            user=request.user,
            base_url=request.base_url,
            home=request.base_url.path(PAGE),
            manager=request.base_url.path(_MANAGER) + _LOGGED_IN,
            **values,
        )
        given = [*security_headers(connect=True, referrer="same-origin"), *_PRIVATE, *headers]
        return html(request.environ, request.start, status, body, given)


_PRIVATE = [("Cache-Control", "no-store"), ("Cross-Origin-Resource-Policy", "same-origin")]


def _as_file(name: str) -> list[tuple[str, str]]:
    """Return the headers of a download that caches must not keep (RFC 6266)."""
    plain_name = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
    disposition = f"attachment; filename=\"{plain_name}\"; filename*=UTF-8''{quote(name, safe='')}"
    return [
        ("Content-Disposition", disposition),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
        *_PRIVATE,
    ]
