"""Radicale's login on ours: ``[auth] type = kalends.auth``.

Who logged in was settled before Radicale sees the request (``htauth.middleware``); it comes in the
environ under a key that no client can set, and nothing else is believed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection

from radicale import config, types

from kalends.adapters.radicale_compat import AuthBase
from kalends.authn.middleware import USER_KEY


class Auth(AuthBase):
    """Believes the user whom our own middleware has put into the environ.

    Args:
        configuration: Radicale's.
        places_of: tells where an account's groups have their calendars.
    """

    def __init__(
        self, configuration: config.Configuration, places_of: Callable[[str], Collection[str]]
    ) -> None:
        super().__init__(configuration)
        self.keep_names()  # of a verified name nothing is changed: the options come before that
        # Radicale hands (login, password) from one method to the other; only what came through
        # get_external_login of this very object carries this in the password's place.
        self._verified = secrets.token_hex(16)
        self._places_of = places_of

    def get_external_login(self, environ: types.WSGIEnviron) -> tuple[()] | tuple[str, str]:
        """The verified user, or an anonymous one; Radicale never looks at Authorization."""
        user = environ.get(USER_KEY, "")
        return (user, self._verified)

    def groups_of_login(self, name: str, password: str, address: str) -> tuple[str, set[str]]:
        """Return the verified user and the places of its groups."""
        if not secrets.compare_digest(password, self._verified):
            return "", set()
        return name, set(self._places_of(name))
