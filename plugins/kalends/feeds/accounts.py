"""Interface to the accounts, as feeds use them.

This is an interface because ``authn``, which reads the user files, is above ``feeds`` and passes
its implementation in. Everything else that feeds use is below them, in ``store``.
"""

from __future__ import annotations

from typing import Protocol


class Accounts(Protocol):
    """The accounts and groups. Each method may raise UserFileUnavailableError."""

    def names(self) -> frozenset[str]:
        """Return the names in the user files, and of homes whose accounts come from elsewhere."""

    def has(self, name: str) -> bool:
        """Return True if there is an account with this name."""

    def members(self, group: str) -> frozenset[str]:
        """Return the accounts in a group; an empty set if there is no such group."""
