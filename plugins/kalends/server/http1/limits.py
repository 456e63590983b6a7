"""Limits for the clients of the HTTP server, in octets, numbers and seconds, with their reasons.

Nobody has to log in to reach them. `ConnectionLimits` has those that the configuration sets.
"""

from __future__ import annotations

from dataclasses import dataclass

HEAD_OCTETS = 1 << 16
"""A request line and its header fields; blank lines before them count, and a trailer alike.

Apache takes 8 KiB for each line. The longest real ones hold a Digest answer and cookies.
"""

HEADER_FIELDS = 100
"""The header fields of a request with those of its trailer: as Apache's LimitRequestFields.

Each costs some 150 octets more than it has, so that a head of very short ones would take megabytes.
"""

TARGET_OCTETS = 8190
"""A request target: as Apache's LimitRequestLine."""

CHUNK_FRAMING_OCTETS = 1 << 20
"""The octets of a chunked body that are not content: sizes, extensions and line ends.

Beyond that they may be a quarter of the content, so that chunks of 20 octets can go on; smaller
ones cost more time than their content, as do extensions, which no program sends.
"""

CHUNK_CONTENT_RATIO = 4

HEAD_BLOCK_OCTETS = 1 << 12
"""How much is read at once where a request may end.

So much is parsed before the requests in it are answered: some 200 of the shortest. The rest stays
in the kernel's buffer, which makes a client that sends more wait.
"""

BODY_BLOCK_OCTETS = 1 << 16
"""How much is read at once of a body whose length is known; never more than is left of it."""

BODY_IN_MEMORY_OCTETS = 1 << 17
"""The part of a body that is in memory; a larger one goes to disk, or is dropped (see `parser`).

With `CONNECTIONS` and `HEAD_OCTETS` this bounds what unfinished requests take in a worker: 128 MiB
of bodies and 64 MiB of heads.
"""

SPOOLED_BODIES = 4
"""The number of bodies of the largest size that fit on disk for all connections of a worker."""

TURN_OCTETS = 1 << 13
"""The octets read for a connection before the others have their turn, or one block of a body.

Parsing it takes half a millisecond at worst. With 64 KiB sixteen clients that sent tiny chunks made
a bystander wait for a second: several threads were parsing, and it waited for each of them.
"""

TURN_SENT_OCTETS = 1 << 20
"""The octets sent on a connection before the others have their turn."""

CONNECTIONS = 1000
"""The open connections of a worker; beyond that, the one that has waited longest makes room."""

IDLE_SECONDS = 75
"""How long an idle connection is kept: longer than proxies keep theirs."""

WHOLE_FACTOR = 10
"""A body and its trailer, and a response, may each take this many times as long as a header."""

CLOSING_SECONDS = 2
"""How long what a client still sends is read and dropped after the last response."""

STUCK_SECONDS = 45
"""The time without progress of a request in the application, after which it counts as stuck.

An import of 100,000 events may take longer, but reports each of them (`common.progress`), and a
write that waits says for how long at most. A worker all of whose threads are stuck serves nobody:
it is replaced, within a minute.
"""


@dataclass(frozen=True)
class ConnectionLimits:
    """The limits for clients that are not the same in each installation, or in tests.

    Attributes:
        header_seconds: the time for a header; see `WHOLE_FACTOR`.
        body: the largest body, in octets.
        login_fields: the names of header fields, lower case, without one of which nobody is logged
            in, so that no large body is of use; empty if large bodies are stored in any case.
        idle_seconds: the time between two requests.
        connections: the number of open connections.
        stuck_seconds: the time without progress after which a request counts as stuck.
    """

    header_seconds: float
    body: int
    login_fields: frozenset[bytes] = frozenset()
    idle_seconds: float = IDLE_SECONDS
    connections: int = CONNECTIONS
    stuck_seconds: float = STUCK_SECONDS
