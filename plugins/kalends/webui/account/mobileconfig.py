"""The profile that sets up iPhone, iPad and Mac: Apple's configuration profile format. Pure.

The keys are those of Apple's *Device Management* documentation: ``TopLevel``, ``CalDAV``,
``CardDAV`` and ``SubscribedCalendars``.
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from kalends.common.xml_text import writable
from kalends.webui.base_url import BaseUrl

CONTENT_TYPE = "application/x-apple-aspen-config"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed that a device subscribes to.

    Attributes:
        name: the feed's name, which identifies it when the profile is installed again.
        title: its name on the device.
        path: its address below the root, decoded.
        needs_login: whether it needs the login.
    """

    name: str
    title: str
    path: str
    needs_login: bool


def profile(base_url: BaseUrl, user: str, subscriptions: Iterable[Subscription]) -> bytes:
    """Return the profile of one account as an XML property list.

    It contains no password: the device asks for it. Its identifiers depend only on host, prefix and
    user, so that a profile that is installed again replaces the one before, even if meanwhile the
    server has changed to TLS or a secret address was renewed.

    Args:
        base_url: the address at which the device reaches the server.
        user: the account.
        subscriptions: the feeds that the device subscribes to.
    """
    namespace = uuid5(NAMESPACE_URL, f"{base_url.name}:{base_url.prefix}/{user}")
    content = [
        _account(namespace, base_url, user, "CalDAV", "Calendars"),
        _account(namespace, base_url, user, "CardDAV", "Contacts"),
        *(_subscription(namespace, base_url, user, one) for one in subscriptions),
    ]
    plist = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": _identifier(namespace),
        "PayloadUUID": _uuid_text(namespace),
        "PayloadDisplayName": f"Calendars and contacts of {user}",
        "PayloadDescription": f"Sets up calendars and contacts at {base_url.host} for {user}.",
        "PayloadOrganization": base_url.name,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": content,
    }
    return plistlib.dumps(plist)


def _account(
    namespace: UUID, base_url: BaseUrl, user: str, kind: str, holds: str
) -> dict[str, object]:
    """Return an account of one kind; Apple prefixes the same keys with each kind's name."""
    settings = {
        "AccountDescription": f"{holds} ({base_url.name})",
        "HostName": _without_brackets(base_url.name),
        "Port": base_url.port,
        "UseSSL": base_url.secure,
        "PrincipalURL": base_url.path(f"/{user}/"),
        "Username": user,
    }
    return _payload(
        namespace,
        f"com.apple.{kind.lower()}.account",
        f"{holds} of {user}",
        {f"{kind}{key}": value for key, value in settings.items()},
    )


def _subscription(
    namespace: UUID, base_url: BaseUrl, user: str, one: Subscription
) -> dict[str, object]:
    settings = {
        "SubCalAccountDescription": writable(one.title),
        # Apple's own programs write the whole address here.
        "SubCalAccountHostName": base_url.url(one.path),
        "SubCalAccountUseSSL": base_url.secure,
    }
    if one.needs_login:
        settings["SubCalAccountUsername"] = user
    return _payload(
        namespace,
        "com.apple.subscribedcalendar.account",
        writable(one.title),
        settings,
        key=one.name,
    )


def _payload(
    namespace: UUID, kind: str, name: str, settings: Mapping[str, object], *, key: str = ""
) -> dict[str, object]:
    own = uuid5(namespace, f"{kind} {key}")
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{_identifier(namespace)}.{own.hex}",
        "PayloadUUID": _uuid_text(own),
        "PayloadDisplayName": name,
        **settings,
    }


def _identifier(namespace: UUID) -> str:
    return f"org.kalends.{namespace.hex}"


def _uuid_text(number: UUID) -> str:
    return str(number).upper()


def _without_brackets(name: str) -> str:
    return name.strip("[]")
