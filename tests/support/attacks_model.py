"""The requests of attacks, and what several modules of attacks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

HOME = "/mallory/calendar/"
BOOK = "/mallory/contacts/"
MEGABYTE = 1 << 20
DAV = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
WINDOW = 'start="20260101T000000Z" end="20270101T000000Z"'


@dataclass(frozen=True)
class Request:
    """One request of an attack.

    Attributes:
        method: its method.
        path: its target.
        body: its body.
        headers: further header fields.
    """

    method: str
    path: str
    body: str = ""
    headers: tuple[str, ...] = ()

    def head(self, host: str, login: str | None) -> bytes:
        """Return the request line and the header fields, without those of the body's framing."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", *self.headers]
        lines += [f"Authorization: {login}"] if login else []
        return "".join(f"{line}\r\n" for line in lines).encode()


@dataclass(frozen=True)
class Attack:
    """One kind of input that costs more than it should.

    Attributes:
        kind: the part of the program that it aims at.
        name: what it sends.
        requests: returns its requests, of which each is answered before the next is sent.
        raw: returns octets without a login, sent for as long as the server takes them.
        anonymous: True if its requests are sent without a login.
    """

    kind: str
    name: str
    requests: Callable[[], Iterable[Request]] = tuple
    raw: Callable[[], Iterable[bytes]] | None = None
    anonymous: bool = False

    @property
    def title(self) -> str:
        """The kind and the name, for a report."""
        return f"{self.kind}: {self.name}"


def report(body: str, path: str = HOME, *, depth: str = "1") -> Request:
    """Return a REPORT."""
    return Request("REPORT", path, body, (f"Depth: {depth}", "Content-Type: application/xml"))
