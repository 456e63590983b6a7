"""The rights of users: ``[rights] type = kalends.rights``."""

from __future__ import annotations

from collections.abc import Callable, Collection

from radicale import config
from radicale.rights import BaseRights

from kalends.common.names import GROUPS, refusal_of_name

MAX_DEPTH = 16
"""Collections within each other in a home; a path is looked up one after another."""


class Rights(BaseRights):
    """Rights to an account's own home with everything in it, and to the calendars of its groups.

    The letters are Radicale's: ``R``/``W`` for a plain collection (a home, a folder), ``r``/``w``
    for a calendar or address book and its objects.

    Args:
        configuration: Radicale's.
        named_feeds: returns the names of feeds, which are not available for accounts.
        places_of: returns the homes of an account's groups.
    """

    def __init__(
        self,
        configuration: config.Configuration,
        named_feeds: Callable[[], Collection[str]],
        places_of: Callable[[str], Collection[str]],
    ) -> None:
        super().__init__(configuration)
        self._named_feeds = named_feeds
        self._places_of = places_of

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """Return the letters of a user's rights at a path.

        Args:
            user: the user's name; empty for an anonymous user.
            user_groups: ignored, since Radicale omits them for the destination of a MOVE.
            path: the path; slashes at its ends are ignored.
        """
        sane = path.strip("/")
        if not user:
            return ""
        if not sane:
            return "R"
        home, *below = sane.split("/")
        if home == GROUPS:
            return self._in_group(user, below)
        if home != user or refusal_of_name(user, self._named_feeds()):
            return ""
        if not below:
            return "RW"
        return "RWrw" if len(below) <= MAX_DEPTH else ""

    def here_and_above(self, user: str, path: str) -> tuple[str, str]:
        """Return the letters at a path, and at the one above it, which objects need.

        Args:
            user: the user's name.
            path: without a slash at either end; there is nothing above the root.
        """
        here = self.authorization(user, set(), path)
        above = path.rpartition("/")[0]
        if not path or (here and above.startswith(f"{user}/")):
            return here, here  # in a home, every level but the first has the same
        return here, self.authorization(user, set(), above)

    def _in_group(self, user: str, below: list[str]) -> str:
        """Return the letters in a group's home; the server creates it, its members share it."""
        if not below or below[0] not in self._places_of(user):
            return ""
        return ("R", "rw")[len(below) - 1] if len(below) < 3 else ""
