"""Radicale's login on ours: ``[auth] type = kalends.auth``.

Who logged in was settled before Radicale sees the request (``htauth.middleware``); it comes in the
environ under a key that no client can set, and nothing else is believed.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection

from radicale import config, types
from radicale.auth import AuthContext, BaseAuth

from kalends.authn.middleware import USER_KEY


class Auth(BaseAuth):
    """Believes the user whom our own middleware has put into the environ.

    Args:
        configuration: Radicale's.
        places_of: tells where an account's groups have their calendars.
    """

    def __init__(
        self, configuration: config.Configuration, places_of: Callable[[str], Collection[str]]
    ) -> None:
        super().__init__(configuration)
        # A verified name is not made another one: what those options say is done before that.
        self._lc_username = self._uc_username = False
        self._urldecode_username = self._strip_domain = False
        # Radicale hands (login, password) from one method to the other; only what came through
        # get_external_login of this very object carries this in the password's place.
        self._verified = secrets.token_hex(16)
        self._places_of = places_of

    def get_external_login(self, environ: types.WSGIEnviron) -> tuple[()] | tuple[str, str]:
        """The verified user, or an anonymous one; Radicale never looks at Authorization."""
        user = environ.get(USER_KEY, "")
        return (user, self._verified)

    def _login_ext_with_groups(
        self, login: str, password: str, context: AuthContext
    ) -> tuple[str, set[str]]:
        if not secrets.compare_digest(password, self._verified):
            return "", set()
        return login, set(self._places_of(login))
