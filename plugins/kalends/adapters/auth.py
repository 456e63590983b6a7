"""Radicale's login on the middleware's: ``[auth] type = kalends.auth``.

``authn.middleware`` has authenticated the user before Radicale sees the request. The name is in the
environ under a key that no client can set, and nothing else is believed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection

from radicale import config, types

from kalends.adapters.radicale_compat import AuthBase
from kalends.authn.middleware import USER_KEY


class Auth(AuthBase):
    """A login that believes the user name that the middleware has put into the environ.

    Args:
        configuration: Radicale's.
        places_of: returns the homes of an account's groups.
    """

    def __init__(
        self, configuration: config.Configuration, places_of: Callable[[str], Collection[str]]
    ) -> None:
        super().__init__(configuration)
        self.keep_names()  # options that change names apply before verification
        # Radicale passes (login, password) from one method to the other; only logins from
        # get_external_login of this object carry this token in place of the password.
        self._verified = secrets.token_hex(16)
        self._places_of = places_of

    def get_external_login(self, environ: types.WSGIEnviron) -> tuple[()] | tuple[str, str]:
        """Return the verified user, or an anonymous one; Radicale never reads Authorization."""
        user = environ.get(USER_KEY, "")
        return (user, self._verified)

    def groups_of_login(self, name: str, password: str, address: str) -> tuple[str, set[str]]:
        """Return the verified user and the homes of its groups."""
        if not secrets.compare_digest(password, self._verified):
            return "", set()
        return name, set(self._places_of(name))
