"""The profile that sets up iPhone, iPad and Mac: Apple's configuration profile format. Pure.

The keys are those of Apple's *Device Management* documentation: ``TopLevel``, ``CalDAV``,
``CardDAV`` and ``SubscribedCalendars``.
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import NAMESPACE_URL, UUID, uuid5

from kalends.webui.base_url import BaseUrl

CONTENT_TYPE = "application/x-apple-aspen-config"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A feed that a device subscribes to.

    Attributes:
        name: the feed's name, by which installing again finds it.
        title: what the device calls it.
        path: its address below the root; decoded.
        asks: whether it asks for the login.
    """

    name: str
    title: str
    path: str
    asks: bool


def profile(outside: BaseUrl, user: str, subscriptions: Iterable[Subscription]) -> bytes:
    """The profile of one account as an XML property list.

    There is no password in it: the device asks for it. Its names follow from host, prefix and user
    alone, so that a profile that is installed again takes the place of the one before, also after
    the server got TLS or a secret address was renewed.

    Args:
        outside: how the device reaches the server.
        user: the account.
        subscriptions: what it subscribes to.
    """
    where = uuid5(NAMESPACE_URL, f"{outside.name}:{outside.prefix}/{user}")
    content = [
        _account(where, outside, user, "CalDAV", "Calendars"),
        _account(where, outside, user, "CardDAV", "Contacts"),
        *(_subscribed(where, outside, user, one) for one in subscriptions),
    ]
    whole = {
        "PayloadType": "Configuration",
        "PayloadVersion": 1,
        "PayloadIdentifier": _identifier(where),
        "PayloadUUID": _written(where),
        "PayloadDisplayName": f"Calendars and contacts of {user}",
        "PayloadDescription": f"Sets up calendars and contacts at {outside.host} for {user}.",
        "PayloadOrganization": outside.name,
        "PayloadRemovalDisallowed": False,
        "PayloadContent": content,
    }
    return plistlib.dumps(whole)


def _account(where: UUID, outside: BaseUrl, user: str, kind: str, holds: str) -> dict[str, object]:
    """An account of one kind: Apple begins the same keys with the name of each."""
    said = {
        "AccountDescription": f"{holds} ({outside.name})",
        "HostName": _bare(outside.name),
        "Port": outside.port,
        "UseSSL": outside.secure,
        "PrincipalURL": outside.path(f"/{user}/"),
        "Username": user,
    }
    return _payload(
        where,
        f"com.apple.{kind.lower()}.account",
        f"{holds} of {user}",
        {f"{kind}{key}": value for key, value in said.items()},
    )


def _subscribed(where: UUID, outside: BaseUrl, user: str, one: Subscription) -> dict[str, object]:
    said = {
        "SubCalAccountDescription": one.title,
        # Apple's own programs write the whole address here.
        "SubCalAccountHostName": outside.url(one.path),
        "SubCalAccountUseSSL": outside.secure,
    }
    if one.asks:
        said["SubCalAccountUsername"] = user
    return _payload(where, "com.apple.subscribedcalendar.account", one.title, said, of=one.name)


def _payload(
    where: UUID, kind: str, name: str, said: Mapping[str, object], *, of: str = ""
) -> dict[str, object]:
    own = uuid5(where, f"{kind} {of}")
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{_identifier(where)}.{own.hex}",
        "PayloadUUID": _written(own),
        "PayloadDisplayName": name,
        **said,
    }


def _identifier(where: UUID) -> str:
    return f"org.kalends.{where.hex}"


def _written(number: UUID) -> str:
    return str(number).upper()


def _bare(name: str) -> str:
    return name.strip("[]")
