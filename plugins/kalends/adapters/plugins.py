"""Plug-ins handed to Radicale as finished objects; it would otherwise create them by name."""

from __future__ import annotations

from radicale.config import Configuration

from kalends.adapters.auth import Auth
from kalends.adapters.rights import Rights
from kalends.adapters.storage import Storage

Part = Auth | Rights | Storage


def with_plugins(
    configuration: Configuration, *, auth: Auth, rights: Rights, storage: Storage
) -> Configuration:
    """Return the configuration with our objects in place of their names.

    Radicale calls a ``type`` that is not text, so that its application and its sharing use the same
    objects.

    Args:
        configuration: Radicale's.
        auth: the login.
        rights: the rights of users.
        storage: the store.
    """
    parts: dict[str, Part] = {"auth": auth, "rights": rights, "storage": storage}
    handed = configuration.copy()
    types = {section: {"type": _Finished(part)} for section, part in parts.items()}
    handed.update(types, "the parts of Kalends", privileged=True)
    return handed


class _Finished:
    """A finished object in the form of a ``type`` of Radicale's configuration."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def __call__(self, configuration: Configuration) -> Part:
        return self._part

    def __repr__(self) -> str:
        return type(self._part).__module__
