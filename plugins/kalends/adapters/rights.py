"""Who may do what: ``[rights] type = kalends.rights``. Accounts have homes, groups calendars."""

from __future__ import annotations

from collections.abc import Callable, Collection

from radicale import config
from radicale.rights import BaseRights

from kalends.common.names import GROUPS, refusal_of_name


class Rights(BaseRights):
    """An account's own home with all that is in it, and the calendars of its groups.

    Letters are Radicale's: ``R``/``W`` for a plain collection (a home), ``r``/``w`` for a calendar
    or address book and what is in it.

    Args:
        configuration: Radicale's.
        named_feeds: tells the names that feeds have taken.
        places_of: tells where an account's groups have their calendars.
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
        """The letters of what ``user`` may do at ``path``.

        Args:
            user_groups: not looked at: Radicale forgets them for the destination of a MOVE.
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
        return ("RW", "rw")[len(below)] if len(below) < 2 else ""

    def _in_group(self, user: str, below: list[str]) -> str:
        """A group's place is made by the server; its members share what is in it."""
        if not below or below[0] not in self._places_of(user):
            return ""
        return ("R", "rw")[len(below) - 1] if len(below) < 3 else ""
