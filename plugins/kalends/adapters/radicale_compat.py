"""Every private name of Radicale and vobject that Kalends needs, each behind a plain name.

Everything else in Kalends uses the classes and functions of this module.
``tests/unit/adapters/test_radicale_compat.py`` holds each name, and what Radicale does with it,
against the pinned version: an upgrade that changes one fails there.
"""

from __future__ import annotations

import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from typing import Any

import vobject
from radicale import config, types
from radicale.app import Application
from radicale.app.base import _check_path_format, _check_user_format
from radicale.auth import AuthContext, BaseAuth
from radicale.item import Item
from radicale.storage import BaseStorage

from kalends.common.xml_text import writable_document

WsgiAnswer = tuple[str, list[tuple[str, str]], Iterable[bytes]]
"""A status line, headers, and a body in blocks."""

_vobject_lock = threading.Lock()
_vobject_zones: dict[str, Any] = vars(vobject.icalendar)["__tzidMap"]
_vobject_own_zones = dict(_vobject_zones)


class AuthBase(BaseAuth):
    """Radicale's login."""

    def keep_names(self) -> None:
        """Make ``login`` use each name unchanged, in spite of the options for names."""
        self._lc_username = self._uc_username = False
        self._urldecode_username = self._strip_domain = False

    def groups_of_login(self, name: str, password: str, address: str) -> tuple[str, set[str]]:
        """Check a login; called by Radicale's ``login``.

        Args:
            name: as the client gave it.
            password: as the client gave it.
            address: of the client; empty if it is unknown.

        Returns:
            The account and its groups; an empty name if the login is wrong.
        """
        raise NotImplementedError

    def _login_ext_with_groups(
        self, login: str, password: str, context: AuthContext
    ) -> tuple[str, set[str]]:
        return self.groups_of_login(login, password, context.remote_addr or "")


class StorageBase(BaseStorage):
    """Radicale's storage, which holds every name that HTTP allows."""

    # Radicale refuses names, and narrows its options of validation, where these are false.
    _supports_unicode = True
    _supports_trailing_whitespace = True
    _supports_problematic_chars = True


class ItemBase(Item):
    """Radicale's item, which reads every time zone as its own text defines it."""

    @property
    def vobject_item(self) -> vobject.base.Component:
        """The object as vobject reads it, for filters and expansion only.

        vobject keeps the first definition of a TZID for the whole process and reads other objects
        by it; with an empty registry each object is read by its own.
        """
        if self._vobject_item is None:
            with _vobject_lock:
                _vobject_zones.clear()
                _vobject_zones.update(_vobject_own_zones)
                parsed: vobject.base.Component = super().vobject_item
                return parsed
        return self._vobject_item

    @property
    def path(self) -> str:
        """The path of its collection and its own name, with a slash at the beginning."""
        return f"/{self._collection_path}/{self.href}"


class ApplicationBase(Application):
    """Radicale's application, with what it has read from the configuration."""

    def __init__(self, configuration: config.Configuration) -> None:
        super().__init__(configuration)
        self.max_content_length: int = self._max_content_length
        """The largest body of a request, octets."""
        self.max_resource_size: int = self._max_resource_size
        """The largest object, octets; Radicale lowers it to what fits into a body."""
        self.strict_preconditions: bool = self._strict_preconditions
        """``[storage] strict_preconditions``."""
        self.validate_user_value: str = self._validate_user_value
        """``[server] validate_user_value``."""
        self.validate_path_value: str = self._validate_path_value
        """``[server] validate_path_value``."""
        self.urldecode_username: bool = self._urldecode_username
        """``[auth] urldecode_username``."""
        self.extra_headers: dict[str, str] = dict(self._extra_headers)
        """``[headers]``: what each answer carries besides."""

    def handle_request(self, environ: types.WSGIEnviron) -> WsgiAnswer:
        """Answer a request; called by Radicale's ``__call__``, which makes a 500 of exceptions."""
        return super()._handle_request(environ)

    def _handle_request(self, environ: types.WSGIEnviron) -> WsgiAnswer:
        return self.handle_request(environ)

    def read_xml(self, environ: types.WSGIEnviron) -> ET.Element | None:
        """Return the root of a request's XML, or None; called by Radicale's handlers.

        Radicale would decode the body as the client says, by any codec of Python's, and parse it
        whatever it costs.
        """
        raise NotImplementedError

    def _read_xml_request_body(
        self, environ: types.WSGIEnviron, request_info: dict[str, Any]
    ) -> ET.Element | None:
        return self.read_xml(environ)

    def _xml_response(self, xml_content: ET.Element, request_info: dict[str, Any]) -> bytes:
        octets: bytes = super()._xml_response(xml_content, request_info)
        return writable_document(octets)


def check_login(backend: BaseAuth, name: str, password: str, address: str) -> tuple[str, set[str]]:
    """Ask one of Radicale's own logins, bypassing the delays and the cache of its ``login``.

    Args:
        backend: the login.
        name: as the client gave it.
        password: as the client gave it.
        address: of the client.

    Returns:
        The account and its groups; an empty name if the login is wrong.
    """
    context = AuthContext()  # type: ignore[no-untyped-call] # Radicale's has no annotations
    context.remote_addr = address
    account, groups = backend._login_ext_with_groups(name, password, context)
    return account or "", groups


def accepts_path(storage: BaseStorage, path: str, validation: str) -> bool:
    """Return True if Radicale accepts a path.

    Args:
        storage: Radicale's storage.
        path: the decoded path.
        validation: ``[server] validate_path_value``.
    """
    return _check_path_format(storage, path, validation)


def accepts_user(storage: BaseStorage, user: str, validation: str, *, urldecode: bool) -> bool:
    """Return True if Radicale accepts a user's name.

    Args:
        storage: Radicale's storage.
        user: the name.
        validation: ``[server] validate_user_value``.
        urldecode: ``[auth] urldecode_username``.
    """
    return _check_user_format(storage, user, validation, urldecode)
