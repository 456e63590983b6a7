"""What is measured: requests as clients send them, each with what it needs done before it."""

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
    """A server answered something that makes its time worthless."""


@dataclass
class Session:
    """One client of one server: a kept connection, and what it knows of the calendar."""

    peer: Peer
    hrefs: list[str] = field(default_factory=list)
    token: str = ""
    written: int = 0
    synced: int = 0  # how much was written when `token` was given
    hits: int = 0  # in the month that was asked for last

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
        """List the calendar (this also warms what the server keeps in memory or on disk)."""
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
        """PROPFIND that the server answers without a look at anything."""
        return self.ask("PROPFIND", "/")[0]

    def put_new(self, kind: str = "utc") -> float:
        """PUT of an event that was not there."""
        self.written += 1
        return self.ask("PUT", self.own, new_event(f"bench-{self.written}", 0, kind))[0]

    def put_over(self, kind: str = "utc") -> float:
        """PUT over the event that `put_new` stored."""
        return self.ask("PUT", self.own, new_event(f"bench-{self.written}", 1, kind))[0]

    def delete(self) -> float:
        """DELETE of the event that `put_new` stored."""
        return self.ask("DELETE", self.own)[0]

    def ctag(self) -> float:
        """PROPFIND of ctag and sync-token, depth 0."""
        return self.ask("PROPFIND", self.peer.calendar, CTAG, "0")[0]

    def home(self) -> float:
        """PROPFIND of the calendar home, depth 1."""
        return self.ask("PROPFIND", self.peer.home, HOME, "1")[0]

    def sync_first(self) -> float:
        """sync-collection without a token."""
        taken, data = self._sync("")
        self._keep_token(data)
        return taken

    def sync_after_change(self) -> float:
        """sync-collection after one event was changed; the change itself is not counted."""
        if self.synced != self.written:  # what else was written is no part of this
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
        """calendar-query for one month, with the data."""
        taken, data = self.ask("REPORT", self.peer.calendar, MONTH, "1")
        self.hits = data.count(b".ics</")
        if not self.hits or b"BEGIN:VEVENT" not in data:
            raise UnexpectedAnswerError(f"{self.peer.name} finds nothing in the month")
        return taken

    def multiget(self) -> float:
        """calendar-multiget of 50."""
        step = max(len(self.hrefs) // 50, 1)
        wanted = "".join(f"<href>{href}</href>" for href in self.hrefs[::step][:50])
        return self.ask("REPORT", self.peer.calendar, MULTIGET.format(wanted), "1")[0]

    def etags(self) -> float:
        """PROPFIND of all etags, depth 1."""
        return self.ask("PROPFIND", self.peer.calendar, ETAGS, "1")[0]

    def get(self) -> float:
        """GET of one event."""
        return self.ask("GET", self.hrefs[len(self.hrefs) // 2])[0]

    def get_whole(self) -> float:
        """GET of the whole calendar."""
        return self.ask("GET", self.peer.calendar)[0]

    def feed_copy(self) -> float:
        """GET of the feed, when nothing has changed since the last one."""
        self.ask("GET", self._feed)
        return self.ask("GET", self._feed)[0]

    def put_then_feed(self) -> float:
        """PUT of a new event, then GET until the feed shows it."""
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
    kind: str = ""  # of what is written; the operations of one kind belong together

    def fits(self, peer: Peer) -> bool:
        """Whether the server has what the operation asks for."""
        return (peer.feed is not None or not self.needs_feed) and (
            peer.gives_whole or not self.needs_whole
        )

    def take(self, session: Session) -> float:
        """Return the seconds it takes; of a server that answers nothing, those of that answer."""
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
    """Return the operations that are named, or all if none is; among those keys where given."""
    known = [each for each in OPERATIONS if among is None or each.key in among]
    return [each for each in known if each.key in only] or known
