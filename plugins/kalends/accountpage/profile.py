"""The profile that sets up iPhone, iPad and Mac: Apple's configuration profile format. Pure.

The keys are those of Apple's *Device Management* documentation: ``TopLevel``, ``CalDAV``,
``CardDAV`` and ``SubscribedCalendars``.
"""

from __future__ import annotations

import plistlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from kalends.accountpage.outside import Outside

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


def profile(outside: Outside, user: str, subscriptions: Iterable[Subscription]) -> bytes:
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
    home = f"/{user}/"
    content = [
        _payload(
            where,
            "com.apple.caldav.account",
            f"Calendars of {user}",
            CalDAVAccountDescription=f"Calendars ({outside.name})",
            CalDAVHostName=_bare(outside.name),
            CalDAVPort=outside.port,
            CalDAVUseSSL=outside.secure,
            CalDAVPrincipalURL=outside.path(home),
            CalDAVUsername=user,
        ),
        _payload(
            where,
            "com.apple.carddav.account",
            f"Contacts of {user}",
            CardDAVAccountDescription=f"Contacts ({outside.name})",
            CardDAVHostName=_bare(outside.name),
            CardDAVPort=outside.port,
            CardDAVUseSSL=outside.secure,
            CardDAVPrincipalURL=outside.path(home),
            CardDAVUsername=user,
        ),
    ]
    content += [_subscribed(where, outside, user, one) for one in subscriptions]
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


def _subscribed(where: UUID, outside: Outside, user: str, one: Subscription) -> dict[str, Any]:
    login = {"SubCalAccountUsername": user} if one.asks else {}
    return _payload(
        where,
        "com.apple.subscribedcalendar.account",
        one.title,
        of=one.name,
        SubCalAccountDescription=one.title,
        # Apple's own programs write the whole address here.
        SubCalAccountHostName=outside.url(one.path),
        SubCalAccountUseSSL=outside.secure,
        **login,
    )


def _payload(where: UUID, kind: str, name: str, *, of: str = "", **more: Any) -> dict[str, Any]:
    own = uuid5(where, f"{kind} {of}")
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"{_identifier(where)}.{own.hex}",
        "PayloadUUID": _written(own),
        "PayloadDisplayName": name,
        **more,
    }


def _identifier(where: UUID) -> str:
    return f"org.kalends.{where.hex}"


def _written(number: UUID) -> str:
    return str(number).upper()


def _bare(name: str) -> str:
    return name.strip("[]")
