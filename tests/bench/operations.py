"""The measured requests, as clients send them, each with its preparation."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from bench.events import KINDS, new_event
from bench.peers import Peer
from bench.wire import Connection

CTAG = """<propfind xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"><prop><CS:getctag/>
<sync-token/></prop></propfind>"""
HOME = """<propfind xmlns="DAV:" xmlns:CS="http://calendarserver.org/ns/"
xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><resourcetype/><displayname/><CS:getctag/>
<sync-token/><current-user-privilege-set/><C:supported-calendar-component-set/></prop></propfind>"""
ETAGS = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>'
SYNC = """<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level>
<prop><getetag/></prop></sync-collection>"""
MONTH = """<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/>
<C:calendar-data/></prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
<C:time-range start="20250301T000000Z" end="20250401T000000Z"/></C:comp-filter></C:comp-filter>
</C:filter></C:calendar-query>"""
MULTIGET = """<C:calendar-multiget xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop>
<getetag/><C:calendar-data/></prop>{}</C:calendar-multiget>"""


class UnexpectedAnswerError(Exception):
    """An answer that makes the measured time meaningless."""


@dataclass
class Session:
    """A client of one server: a kept connection, and its knowledge of the calendar."""

    peer: Peer
    hrefs: list[str] = field(default_factory=list)
    token: str = ""
    written: int = 0
    synced: int = 0  # the value of `written` when `token` was issued
    hits: int = 0  # the events in the last answer of `month`

    def __post_init__(self) -> None:
        self.connection = Connection(self.peer.port)

    def ask(
        self, method: str, path: str, body: str | None = None, depth: str | None = None
    ) -> tuple[float, bytes]:
        """Send a request; return its seconds from the first octet sent to the last received."""
        headers = dict(self.peer.headers)
        if body is not None:
            kind = "text/calendar" if method == "PUT" else "application/xml"
            headers["Content-Type"] = f"{kind}; charset=utf-8"
        if depth is not None:
            headers["Depth"] = depth
        payload = None if body is None else body.encode()
        start = time.perf_counter()
        reply = self.connection.ask(method, path, headers, payload)
        taken = time.perf_counter() - start
        if reply.status >= 300:
            raise UnexpectedAnswerError(
                f"{self.peer.name}: {method} {path} answered {reply.status}: {reply.body[:300]!r}"
            )
        return taken, reply.body

    def learn(self, expected: int) -> None:
        """List the calendar, which also fills the caches of the server."""
        _, data = self.ask("PROPFIND", self.peer.calendar, ETAGS, "1")
        found = re.findall(r"<(?:\w+:)?href>([^<]+\.ics)</", data.decode())
        if len(found) != expected:
            raise UnexpectedAnswerError(f"{self.peer.name} lists {len(found)}, not {expected}")
        self.hrefs = sorted(found)
        self.sync_first()

    @property
    def own(self) -> str:
        """The path that this client writes."""
        return f"{self.peer.calendar}bench-{self.written}.ics"

    def nothing(self) -> float:
        """Send a PROPFIND that the server answers without reading anything; return its seconds."""
        return self.ask("PROPFIND", "/")[0]

    def put_new(self, kind: str = "utc") -> float:
        """Put a new event; return the seconds, as all these methods do."""
        self.written += 1
        return self.ask("PUT", self.own, new_event(f"bench-{self.written}", 0, kind))[0]

    def put_over(self, kind: str = "utc") -> float:
        """Overwrite the event that `put_new` stored."""
        return self.ask("PUT", self.own, new_event(f"bench-{self.written}", 1, kind))[0]

    def delete(self) -> float:
        """Delete the event that `put_new` stored."""
        return self.ask("DELETE", self.own)[0]

    def ctag(self) -> float:
        """Request ctag and sync-token of the calendar (PROPFIND, depth 0)."""
        return self.ask("PROPFIND", self.peer.calendar, CTAG, "0")[0]

    def home(self) -> float:
        """List the calendar home (PROPFIND, depth 1)."""
        return self.ask("PROPFIND", self.peer.home, HOME, "1")[0]

    def sync_first(self) -> float:
        """Synchronise without a token (sync-collection)."""
        taken, data = self._sync("")
        self._keep_token(data)
        return taken

    def sync_after_change(self) -> float:
        """Synchronise after a change of one event; the change itself is not counted."""
        if self.synced != self.written:  # other writes must not be part of this sync
            self._keep_token(self._sync(self.token)[1])
        event = new_event("bench-sync", self.written)
        self.written += 1
        self.ask("PUT", f"{self.peer.calendar}bench-sync.ics", event)
        taken, data = self._sync(self.token)
        self._keep_token(data)
        if data.count(b"getetag>") < 1 or data.count(b".ics") > 10:
            raise UnexpectedAnswerError(f"{self.peer.name} does not sync one change")
        return taken

    def _sync(self, token: str) -> tuple[float, bytes]:
        return self.ask("REPORT", self.peer.calendar, SYNC.format(token), "1")

    def _keep_token(self, data: bytes) -> None:
        token = re.search(r"<(?:\w+:)?sync-token>([^<]+)</", data.decode())
        if not token:
            raise UnexpectedAnswerError(f"{self.peer.name} gives no sync-token")
        self.token = token[1]
        self.synced = self.written

    def month(self) -> float:
        """Query one month with its data (calendar-query)."""
        taken, data = self.ask("REPORT", self.peer.calendar, MONTH, "1")
        self.hits = data.count(b".ics</")
        if not self.hits or b"BEGIN:VEVENT" not in data:
            raise UnexpectedAnswerError(f"{self.peer.name} finds nothing in the month")
        return taken

    def multiget(self) -> float:
        """Fetch 50 events (calendar-multiget)."""
        step = max(len(self.hrefs) // 50, 1)
        wanted = "".join(f"<href>{href}</href>" for href in self.hrefs[::step][:50])
        return self.ask("REPORT", self.peer.calendar, MULTIGET.format(wanted), "1")[0]

    def etags(self) -> float:
        """List all etags of the calendar (PROPFIND, depth 1)."""
        return self.ask("PROPFIND", self.peer.calendar, ETAGS, "1")[0]

    def get(self) -> float:
        """Get one event."""
        return self.ask("GET", self.hrefs[len(self.hrefs) // 2])[0]

    def get_whole(self) -> float:
        """Get the whole calendar."""
        return self.ask("GET", self.peer.calendar)[0]

    def feed_copy(self) -> float:
        """Get the feed again, without changes in between."""
        self.ask("GET", self._feed)
        return self.ask("GET", self._feed)[0]

    def put_then_feed(self) -> float:
        """Put a new event, then get the feed until it shows the event."""
        taken = self.put_new()
        mark = f"UID:bench-{self.written}\r\n".encode()
        while True:
            seconds, data = self.ask("GET", self._feed)
            taken += seconds
            if mark in data:
                break
        self.delete()
        return taken

    @property
    def _feed(self) -> str:
        if self.peer.feed is None:
            raise UnexpectedAnswerError(f"{self.peer.name} has no feed")
        return self.peer.feed


@dataclass(frozen=True)
class Operation:
    """A row of the table."""

    key: str
    title: str
    run: Callable[[Session], float]
    needs_feed: bool = False
    needs_whole: bool = False
    kind: str = ""  # the kind of event that it writes; operations of one kind belong together

    def fits(self, peer: Peer) -> bool:
        """Return True if the server supports the operation."""
        return (peer.feed is not None or not self.needs_feed) and (
            peer.gives_whole or not self.needs_whole
        )

    def take(self, session: Session) -> float:
        """Return the seconds of the operation; for an empty server, those of its empty answer."""
        return session.nothing() if session.peer.answers_nothing else self.run(session)


def writing(kind: str, title: str) -> tuple[Operation, ...]:
    """Return the operations that write one kind of event.

    Their order matters: what the first stored, the second changes and the third removes.
    """
    end = "" if kind == "utc" else f"-{kind}"
    return (
        Operation(f"put{end}", f"PUT new, {title}", lambda own: own.put_new(kind), kind=kind),
        Operation(
            f"overwrite{end}", f"PUT over, {title}", lambda own: own.put_over(kind), kind=kind
        ),
        Operation(f"delete{end}", f"DELETE, {title}", Session.delete, kind=kind),
    )


WRITING = tuple(operation for kind, title in KINDS.items() for operation in writing(kind, title))

OPERATIONS = (
    *WRITING,
    Operation("ctag", "PROPFIND ctag, sync-token (depth 0)", Session.ctag),
    Operation("home", "PROPFIND of the calendar home (depth 1)", Session.home),
    Operation("sync", "sync-collection, first", Session.sync_first),
    Operation("change", "sync-collection after one change", Session.sync_after_change),
    Operation("month", "calendar-query, one month, with data", Session.month),
    Operation("multiget", "calendar-multiget of 50", Session.multiget),
    Operation("etags", "PROPFIND of all etags (depth 1)", Session.etags),
    Operation("get", "GET of one event", Session.get),
    Operation("whole", "GET of the whole calendar", Session.get_whole, needs_whole=True),
    Operation("copy", "GET of the feed, nothing changed", Session.feed_copy, needs_feed=True),
    Operation(
        "feed", "PUT, then GET until the feed shows it", Session.put_then_feed, needs_feed=True
    ),
)


def selected(only: Collection[str], among: Collection[str] | None = None) -> list[Operation]:
    """Return the named operations, or all if none is named.

    Args:
        only: the keys of the operations.
        among: the keys to choose from; None for all.
    """
    known = [each for each in OPERATIONS if among is None or each.key in among]
    return [each for each in known if each.key in only] or known
