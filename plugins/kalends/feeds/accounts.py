"""What feeds ask about accounts.

This is an interface because user files are read above feeds (``authn``), which hand in what they
know. Everything else that feeds use is below them, in ``store``, and is used as it is.
"""

from __future__ import annotations

from typing import Protocol


class Accounts(Protocol):
    """The accounts and groups that there are. Each method may raise UserFileUnavailableError."""

    def names(self) -> frozenset[str]:
        """Return the names of the user files, and of homes whose accounts come from elsewhere."""

    def has(self, name: str) -> bool:
        """Return True if there is an account of that name."""

    def members(self, group: str) -> frozenset[str]:
        """Return the accounts in a group; none if there is no such group."""
