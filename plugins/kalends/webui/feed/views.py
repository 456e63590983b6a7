"""``/feeds/NAME/`` and ``/feeds/s/SECRET/NAME/`` over HTTP: a feed as a web page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from urllib.parse import urlencode

from kalends.common.failures import refuse
from kalends.common.http import EntityTags
from kalends.common.wsgi import Environ, StartResponse, plain
from kalends.errors import KalendsError
from kalends.feeds.access import AccessControl, address_of
from kalends.feeds.cache import FeedCache
from kalends.feeds.definitions.model import Feed
from kalends.feeds.state import FeedState
from kalends.store.feed_queries import FeedSnapshot, FeedSource
from kalends.webui.feed import context
from kalends.webui.feed.entry import read_stamp
from kalends.webui.feed.index_query import IndexCache
from kalends.webui.feed.occurrence import PageOccurrences, cut, local_time, range_of
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
from kalends.webui.feed.timezone import DisplayZone, clock_of, hour_text, offset_text
from kalends.webui.feed.url_params import (
    VIEWS,
    BadQueryError,
    PageParams,
    is_shown,
    kept_of,
    read_query,
)
from kalends.webui.feed.viewport import Viewport
from kalends.webui.qr import qr_code
from kalends.webui.responses import html, security_headers
from kalends.webui.templates import Templates

_log = logging.getLogger("kalends.feeds")


class FeedPageApplication:
    """Serves feeds as pages.

    Args:
        access: who may see which feed.
        cache: what a feed is at a moment.
        source: the store.
        now: tells the time in a zone.
    """

    def __init__(
        self,
        access: AccessControl,
        cache: FeedCache,
        source: FeedSource,
        now: Callable[..., datetime] = datetime.now,
    ) -> None:
        self._access = access
        self._cache = cache
        self._source = source
        self._now = now
        self._pages = Templates("kalends.webui.feed")
        self._remembered = IndexCache()

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
        page = _Page(environ, feed, addresses, self._pages, self._remembered)
        try:
            query = read_query(environ.get("QUERY_STRING", ""))
        except BadQueryError as error:
            body = page.problem(str(error))
            return html(environ, start_response, HTTPStatus.BAD_REQUEST, body, page.headers())
        with self._source.snapshot() as snapshot:
            state = self._cache.state_in(feed, snapshot)
            own = clock_of(state.calendars, feed.page.timezone)
            clock = DisplayZone(query.zone, query.zone.key, is_own=True) if query.zone else own
            now = self._now(clock.zone)
            page.begin(query, clock, own, now, state)
            etag = f'W/"{page.tag}"'
            headers = [("ETag", etag), ("Cache-Control", page.caching)]
            if EntityTags.known_to(environ).match_weakly(etag):
                start_response("304 Not Modified", [*headers, ("Vary", "Accept-Encoding")])
                return []
            found = page.event(snapshot) if query.event else page.view(snapshot)
        if found is None:
            body = page.problem("There is no such event any more, or it has moved.")
            return html(environ, start_response, HTTPStatus.NOT_FOUND, body, page.headers())
        return html(environ, start_response, HTTPStatus.OK, found, [*headers, *page.headers()])


class _Page:
    """One page being made."""

    def __init__(
        self,
        environ: Environ,
        feed: Feed,
        addresses: Addresses,
        pages: Templates,
        remembered: IndexCache,
    ) -> None:
        self._feed = feed
        self._pages = pages
        self._remembered = remembered
        self._secret = address_of(environ).secret is not None
        self._addresses = addresses
        self._query = kept_of(environ.get("QUERY_STRING", ""))
        self._styles: list[str] = []
        self._clock: DisplayZone
        self._own_zone = ""
        self._now: datetime
        self._state: FeedState
        self._period: Period

    def begin(
        self,
        query: PageParams,
        clock: DisplayZone,
        own: DisplayZone,
        now: datetime,
        state: FeedState,
    ) -> None:
        """Say what is asked for, of which moment, and which clock is the feed's own."""
        self._clock, self._now, self._state = clock, now, state
        self._own_zone = own.name if own.is_own and own.name != clock.name else ""
        self._query = query
        day = query.day or now.date()
        self._period = period_of(query.view, day, self._feed.page.week_begins)

    @property
    def tag(self) -> str:
        """What the page depends on, as an entity tag."""
        parts = (
            self._state.key,
            self._pages.version,
            self._query,
            self._clock.name,
            self._own_zone,
            self._now.date(),
            self._feed.page,
            self._addresses,
        )
        return sha256(repr(parts).encode()).hexdigest()[:32]

    @property
    def caching(self) -> str:
        """Who may keep it; whoever does has to ask whether it still holds."""
        public = self._feed.access.kind == "public" and not self._secret
        return f"{'public' if public else 'private'}, no-cache"

    def headers(self) -> list[tuple[str, str]]:
        """The security headers of the page that was made."""
        # A login within another's page is nothing to invite to.
        may_embed = self._query.embed and (self._secret or self._feed.access.kind == "public")
        sources = self._feed.page.embed if may_embed else ()
        return security_headers(styles=self._styles, embedded_by=sources)

    def view(self, snapshot: FeedSnapshot) -> bytes:
        """The page of a period."""
        query, period = self._query, self._period
        found, reader = self._gathered(snapshot, period)
        if query.view == "month":
            values = context.month(period, found.found, reader)
        elif query.view == "agenda":
            values = context.agenda(query, period, found.found, reader)
        else:
            values = context.day_or_week(query, period, found.found, reader)
        template = {"week": "hours", "day": "hours"}.get(query.view, query.view)
        legend = reader.legend()
        style = reader.style() + values.pop("style", "")
        return self._rendered(
            f"{template}.html",
            style,
            legend=legend,
            is_all=found.is_all,
            weekend=context.is_weekend,
            **values,
        )

    def event(self, snapshot: FeedSnapshot) -> bytes | None:
        """The page of one event, or None if there is no such event."""
        moment = read_stamp(self._query.at)
        if moment is None:
            return None
        start, _ = moment
        # A day is long enough for any zone: a floating time is looked for by its own clock.
        day = local_time(cut(start)).date()
        period = Period(day - ONE_DAY, day + 2 * ONE_DAY, "", None, None)
        found, reader = self._gathered(snapshot, period)
        entry = context.find_event(self._query, found, reader, start)
        if entry is None:
            return None
        return self._rendered("event.html", reader.style(), entry=entry, legend=[], is_all=True)

    def problem(self, why: str) -> bytes:
        """The page that says what was wrong with the address."""
        self._styles = []
        kept = self._query.kept
        return self._pages.render(
            "problem.html",
            assets=self._addresses.assets,
            title=self._feed.rules.title,
            why=why,
            home=self._addresses.page + (f"?{urlencode(kept)}" if kept else ""),
        )

    def _gathered(
        self, snapshot: FeedSnapshot, period: Period
    ) -> tuple[PageOccurrences, context.EntryReader]:
        zone, calendars = self._clock.zone, self._state.calendars
        frame = Viewport(range_of(period.first, period.until, zone), zone)
        rules, day = self._feed.rules, self._state.day
        gathering = EventQuery(self._remembered, snapshot, calendars, rules, day, frame)
        return gathering.run(), context.EntryReader(self._feed, calendars, frame, gathering.read)

    def _rendered(self, template: str, style: str, **values: object) -> bytes:
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
            is_shown=is_shown,
            event_link=lambda entry: query.link(
                event=entry.key, at=entry.at, replaces=entry.replaces
            ),
            clock=self._clock,
            own_zone=self._own_zone,
            offset=offset_text(self._clock.zone, datetime(*(query.day or today).timetuple()[:3])),
            style=style,
            hour=hour_text,
            long_day=long_day,
            span=span_title,
            months=MONTHS,
            weekdays=WEEKDAYS,
            **values,
        )
