"""``/feeds/NAME/`` and ``/feeds/s/SECRET/NAME/`` over HTTP: a feed as a web page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlencode

from kalends.common.budget import USUAL_STEPS, Steps
from kalends.common.failures import refuse
from kalends.common.wsgi import Environ, Headers, StartResponse, plain
from kalends.errors import KalendsError
from kalends.feeds.access import AccessControl, address_of
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.model import Feed
from kalends.feeds.state import FeedState
from kalends.store.feed_queries import FeedSnapshot, FeedSource
from kalends.webui.feed import context
from kalends.webui.feed.entry import read_stamp
from kalends.webui.feed.index_query import IndexCache
from kalends.webui.feed.occurrence import PageOccurrences, clamp, local_time, range_of_days
from kalends.webui.feed.page_tags import PageTags, page_etag
from kalends.webui.feed.periods import (
    MONTHS,
    ONE_DAY,
    WEEKDAYS,
    Period,
    long_day,
    period_of,
    span_title,
)
from kalends.webui.feed.query import EventQuery
from kalends.webui.feed.subscribing import ASSETS, Addresses, addresses_of
from kalends.webui.feed.timezone import DisplayZone, feed_zone, hour_text, offset_text
from kalends.webui.feed.url_params import (
    VIEWS,
    BadQueryError,
    PageParams,
    is_supported,
    lasting_params,
    parse_query,
)
from kalends.webui.feed.viewport import Viewport
from kalends.webui.qr import qr_code
from kalends.webui.responses import html, security_headers
from kalends.webui.templates import Templates

_log = logging.getLogger("kalends.feeds")


class FeedPageApplication:
    """Serves feeds as pages.

    Args:
        access: the access control of feeds.
        cache: the cache, which has the state of each feed.
        source: the store.
        now: returns the time in a zone.
    """

    def __init__(
        self,
        access: AccessControl,
        cache: FeedCache,
        source: FeedSource,
        now: Callable[..., datetime] = datetime.now,
        steps: Steps = USUAL_STEPS,
    ) -> None:
        self._steps = steps
        self._access = access
        self._cache = cache
        self._source = source
        self._now = now
        self._pages = Templates("kalends.webui.feed")
        self._index_cache = IndexCache()
        self._etags = PageTags()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a GET or HEAD below ``/feeds/`` that is not for a file."""
        address = address_of(environ)
        if address.secret == ASSETS:
            name = environ["PATH_INFO"].rpartition("/")[2]
            return self._pages.assets(environ, start_response, name)
        if address.rest not in ("", "/"):
            return plain(environ, start_response, HTTPStatus.NOT_FOUND)
        addresses = addresses_of(environ, address)
        if addresses is None:
            return plain(environ, start_response, HTTPStatus.BAD_REQUEST)
        try:
            feed = self._access.authorize(environ)
            if isinstance(feed, HTTPStatus):
                return plain(environ, start_response, feed)
            if not address.rest:
                query = environ.get("QUERY_STRING", "")
                to = [("Location", addresses.page + (f"?{query}" if query else ""))]
                return plain(environ, start_response, HTTPStatus.PERMANENT_REDIRECT, headers=to)
            return self._page(environ, start_response, feed, addresses)
        except KalendsError as error:
            _log.error("%s", error)
            return refuse(environ, start_response, error)

    def _page(
        self, environ: Environ, start_response: StartResponse, feed: Feed, addresses: Addresses
    ) -> Iterable[bytes]:
        page = _Page(environ, feed, addresses, self._pages, self._index_cache, self._steps)
        try:
            query = parse_query(environ.get("QUERY_STRING", ""))
        except BadQueryError as error:
            body = page.problem(str(error))
            return html(environ, start_response, HTTPStatus.BAD_REQUEST, body, page.headers())
        with self._source.snapshot() as snapshot:
            state = self._cache.state_in(feed, snapshot)
            own = feed_zone(state.calendars, feed.page.timezone)
            display_zone = (
                DisplayZone(query.zone, query.zone.key, is_chosen=True) if query.zone else own
            )
            now = self._now(display_zone.zone)
            page.begin(query, display_zone, own, now, state)
            caching = ("Cache-Control", page.caching)
            if etag := self._etags.known(environ, page.key):
                return _not_modified(start_response, [("ETag", etag), caching])
            found = page.event(snapshot) if query.event else page.view(snapshot)
        if found is None:
            body = page.problem("There is no such event any more, or it was moved.")
            return html(environ, start_response, HTTPStatus.NOT_FOUND, body, page.headers())
        etag = page_etag(found, page.headers())
        self._etags.add(page.key, etag)
        if self._etags.known(environ, page.key):
            return _not_modified(start_response, [("ETag", etag), caching])
        headers = [("ETag", etag), caching, *page.headers()]
        return html(environ, start_response, HTTPStatus.OK, found, headers)


def _not_modified(start_response: StartResponse, headers: Headers) -> Iterable[bytes]:
    start_response("304 Not Modified", [*headers, ("Vary", "Accept-Encoding")])
    return []


class _Page:
    """One page while it is made."""

    def __init__(
        self,
        environ: Environ,
        feed: Feed,
        addresses: Addresses,
        pages: Templates,
        index_cache: IndexCache,
        steps: Steps,
    ) -> None:
        self._steps = steps
        self._feed = feed
        self._pages = pages
        self._index_cache = index_cache
        self._secret = address_of(environ).secret is not None
        self._addresses = addresses
        self._query = lasting_params(environ.get("QUERY_STRING", ""))
        self._styles: list[str] = []
        self._display_zone: DisplayZone
        self._own_zone = ""
        self._now: datetime
        self._state: FeedState
        self._period: Period

    def begin(
        self,
        query: PageParams,
        display_zone: DisplayZone,
        own: DisplayZone,
        now: datetime,
        state: FeedState,
    ) -> None:
        """Set what the page shows.

        Args:
            query: the parameters in the address.
            display_zone: the time zone that the page uses.
            own: the feed's own time zone.
            now: the time in ``display_zone``.
            state: the state of the feed.
        """
        self._display_zone, self._now, self._state = display_zone, now, state
        self._own_zone = own.name if own.is_chosen and own.name != display_zone.name else ""
        self._query = query
        day = query.day or now.date()
        self._period = period_of(query.view, day, self._feed.page.week_begins)

    @property
    def key(self) -> str:
        """A digest of everything that the page depends on; pages with equal keys are equal."""
        parts = (
            self._state.key,
            self._pages.version,
            self._query,
            self._display_zone.name,
            self._own_zone,
            self._now.date(),
            self._feed.page,
            self._addresses,
        )
        return sha256(repr(parts).encode()).hexdigest()[:32]

    @property
    def caching(self) -> str:
        """The Cache-Control field: caches may keep the page, but must revalidate it."""
        public = self._feed.access.kind == "public" and not self._secret
        return f"{'public' if public else 'private'}, no-cache"

    def headers(self) -> list[tuple[str, str]]:
        """Return the security headers for the page."""
        # A page that asks for a login must not be shown in a frame of another site.
        may_embed = self._query.embed and (self._secret or self._feed.access.kind == "public")
        sources = self._feed.page.embed if may_embed else ()
        return security_headers(styles=self._styles, embedded_by=sources)

    def view(self, snapshot: FeedSnapshot) -> bytes:
        """Return the page of a period."""
        query, period = self._query, self._period
        found, reader = self._query_events(snapshot, period)
        if query.view == "month":
            values = context.month(period, found.occurrences, reader)
        elif query.view == "agenda":
            values = context.agenda(query, period, found.occurrences, reader)
        else:
            values = context.day_or_week(query, period, found.occurrences, reader)
        template = {"week": "hours", "day": "hours"}.get(query.view, query.view)
        legend = reader.legend()
        style = reader.style() + values.pop("style", "")
        return self._render(
            f"{template}.html",
            style,
            legend=legend,
            is_complete=found.is_complete,
            weekend=context.is_weekend,
            **values,
        )

    def event(self, snapshot: FeedSnapshot) -> bytes | None:
        """Return the page of one event, or None if there is no such event."""
        moment = read_stamp(self._query.at)
        if moment is None:
            return None
        start, _ = moment
        # A day before and after covers any zone, whether the time floats or not.
        day = local_time(clamp(start)).date()
        period = Period(day - ONE_DAY, day + 2 * ONE_DAY, "", None, None)
        found, reader = self._query_events(snapshot, period)
        entry = context.find_event(self._query, found, reader, start)
        if entry is None:
            return None
        return self._render("event.html", reader.style(), entry=entry, legend=[], is_complete=True)

    def problem(self, why: str) -> bytes:
        """Return the page that says what is wrong with the address."""
        self._styles = []
        lasting = self._query.lasting
        return self._pages.render(
            "problem.html",
            assets=self._addresses.assets,
            title=self._feed.rules.title,
            why=why,
            home=self._addresses.page + (f"?{urlencode(lasting)}" if lasting else ""),
        )

    def _query_events(
        self, snapshot: FeedSnapshot, period: Period
    ) -> tuple[PageOccurrences, context.EntryReader]:
        zone, calendars = self._display_zone.zone, self._state.calendars
        viewport = Viewport(range_of_days(period.first, period.until, zone), zone)
        rules, day = self._feed.rules, self._state.day
        budget = self._steps.of_request()
        event_query = EventQuery(
            self._index_cache, snapshot, calendars, rules, day, viewport, budget
        )
        return event_query.run(), context.EntryReader(
            self._feed, calendars, viewport, event_query.read, budget
        )

    def _render(self, template: str, style: str, **values: object) -> bytes:
        query, period, today = self._query, self._period, self._now.date()
        self._styles = [style]
        return self._pages.render(
            template,
            assets=self._addresses.assets,
            title=self._feed.rules.title,
            is_public=self._feed.access.kind == "public" and not self._secret,
            is_front=query == PageParams(zone=query.zone),
            asks_login=self._feed.access.kind != "public" and not self._secret,
            addresses=self._addresses,
            code=qr_code(self._addresses.webcal),
            query=query,
            period=period,
            today=today,
            day=query.day or today,
            views=VIEWS,
            back=query.link(),
            earlier=query.link(day=period.before) if period.before else "",
            later=query.link(day=period.after) if period.after else "",
            now=query.link(day=None),
            is_supported=is_supported,
            event_link=lambda entry: query.link(
                event=entry.key, at=entry.at, replaces=entry.replaces
            ),
            display_zone=self._display_zone,
            own_zone=self._own_zone,
            offset=offset_text(
                self._display_zone.zone, datetime(*(query.day or today).timetuple()[:3])
            ),
            style=style,
            hour=hour_text,
            long_day=long_day,
            span=span_title,
            months=MONTHS,
            weekdays=WEEKDAYS,
            **values,
        )
