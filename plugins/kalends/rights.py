"""Who may do what: ``[rights] type = kalends.rights``. Each account has its own home."""

from __future__ import annotations

from collections.abc import Callable, Collection

from radicale import config, pathutils
from radicale.rights import BaseRights

from kalends.names import refusal_of_name


class Rights(BaseRights):
    """An account's own home, with all that is in it, and nothing else.

    Letters are Radicale's: ``R``/``W`` for a plain collection (a home), ``r``/``w`` for a calendar
    or address book and what is in it.
    """

    def __init__(self, configuration: config.Configuration) -> None:
        super().__init__(configuration)
        self.named_feeds: Callable[[], Collection[str]] = frozenset
        """The names that feeds have taken; given at assembly."""

    def authorization(self, user: str, user_groups: set[str], path: str) -> str:
        """The letters of what ``user`` may do at ``path``."""
        sane = pathutils.strip_path(path)
        if not user:
            return ""
        if not sane:
            return "R"
        home, _, rest = sane.partition("/")
        if home != user or refusal_of_name(user, self.named_feeds()):
            return ""
        if not rest:
            return "RW"
        return "rw" if "/" not in rest else ""
