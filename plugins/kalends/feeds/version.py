"""Version of a feed: its octets, known by their digest, and the time from which they hold."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

_EARLIER_SECONDS = 10
"""A version is dated so much earlier, so that several versions of one second have different dates
of which none is in the future."""


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """The octets of a feed in some state; everything here follows the octets alone.

    So a reader does not learn that something was changed which the feed does not show.

    Attributes:
        state: the key of the feed's state; equal states have equal octets.
        content: the digest of the octets.
        modified: the value of Last-Modified, seconds since 1970, later than that of each earlier
            version of this host; None if it cannot be recorded.
        since: the first full second in which no earlier version was current, since 1970.
    """

    state: str
    content: str
    modified: int | None
    since: int

    @classmethod
    def after(cls, previous: Self | None, state: str, content: str, now: float) -> Self:
        """Return the version after another one, or that one again if the octets are the same.

        Args:
            previous: the version before; None if it is not known.
            state: the key of the new state.
            content: the digest of its octets.
            now: seconds since 1970.
        """
        if previous and previous.content == content:
            return replace(previous, state=state)
        since = math.floor(now) + 1
        modified = since - 1 - _EARLIER_SECONDS
        if previous and previous.modified is not None:
            modified = max(modified, previous.modified + 1)
            since = max(since, previous.since)
        return cls(state, content, modified, since)

    def etag(self, coding: str = "") -> str:
        """Return the strong entity tag of these octets in one content coding, with its quotes."""
        return f'"{self.content}-{coding}"' if coding else f'"{self.content}"'

    def is_known_since(self, moment: int, now: float) -> bool:
        """Return True if a client whose copy is of this moment has these octets.

        Args:
            moment: the value of If-Modified-Since: the Last-Modified of the copy, or, from clients
                that keep none, the time of its request (RFC 9110 section 13.1.3).
            now: seconds since 1970; a time in the future tells nothing.
        """
        return self.modified is not None and (
            moment == self.modified or self.since <= moment <= now
        )
