"""What to enter in which program, for a person who reads it off the page. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.webui.base_url import BaseUrl


@dataclass(frozen=True, slots=True)
class Field:
    """Something to copy: what the program calls it, and what to put there."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class AccountSetup:
    """One account to add in a program: where to go in its menus, and what to enter there.

    Attributes:
        where: the menus and buttons, in order.
    """

    title: str
    where: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Guide:
    """How to connect one program.

    Attributes:
        key: its name in addresses of the page.
        programs: which programs it is for.
        ways: what to do by hand.
        by_profile: whether a profile does all of it.
        link: an address that opens the program, or empty.
        note: what else to know, or empty.
    """

    key: str
    programs: str
    ways: tuple[AccountSetup, ...]
    by_profile: bool = False
    link: str = ""
    note: str = ""


_NEEDS_TLS = (
    "Apple's programs send this kind of login over https only. Ask whoever runs this server for "
    "its https address, or for Digest logins."
)


def guides(outside: BaseUrl, user: str, schemes: tuple[str, ...]) -> tuple[Guide, ...]:
    """One guide for each program, the most common first.

    Args:
        outside: how the program reaches the server.
        user: the account.
        schemes: the ways to log in that the server offers; empty where a web server logs people in.
    """
    apple = "" if outside.secure or "digest" in schemes or not schemes else _NEEDS_TLS
    return (
        _iphone(outside, user, apple),
        _mac(outside, user, apple),
        _thunderbird(outside, user),
        _davx5(outside, user),
        _gnome(outside, user),
        _others(outside, user),
    )


def _iphone(outside: BaseUrl, user: str, note: str) -> Guide:
    entered = (
        Field("Server", outside.host + outside.path(f"/{user}/")),
        Field("User Name", user),
    )
    calendars = (
        "Settings",
        "Apps",
        "Calendar",
        "Calendar Accounts",
        "Add Account",
        "Other",
        "Add CalDAV Account",
    )
    contacts = (
        "Settings",
        "Apps",
        "Contacts",
        "Contacts Accounts",
        "Add Account",
        "Other",
        "Add CardDAV Account",
    )
    ways = (
        AccountSetup("Calendars", calendars, entered),
        AccountSetup("Contacts", contacts, entered),
    )
    return Guide("iphone", "iPhone and iPad", ways, by_profile=True, note=note)


def _mac(outside: BaseUrl, user: str, note: str) -> Guide:
    entered = (
        Field("User Name", user),
        Field("Server Address", outside.name),
        Field("Server Path", outside.path(f"/{user}/")),
        Field("Port", str(outside.port)),
        Field("Use SSL", "yes" if outside.secure else "no"),
    )
    calendars = ("Calendar", "Add Account", "Other CalDAV Account", "Account Type: Advanced")
    contacts = (
        "Contacts",
        "Add Account",
        "Other Contacts Account",
        "CardDAV, Account Type: Manual",
    )
    by_hand = (
        Field("User Name", user),
        Field("Server Address", outside.url(f"/{user}/")),
    )
    ways = (
        AccountSetup("Calendars", calendars, entered),
        AccountSetup("Contacts", contacts, by_hand),
    )
    return Guide("mac", "Mac: Calendar and Contacts", ways, by_profile=True, note=note)


def _thunderbird(outside: BaseUrl, user: str) -> Guide:
    entered = (Field("User Name", user), Field("Location", outside.url("/")))
    calendars = ("Calendar", "New Calendar", "On the Network", "Find Calendars")
    contacts = ("Address Book", "New Address Book", "Add CardDAV Address Book")
    ways = (
        AccountSetup("Calendars", calendars, entered),
        AccountSetup("Contacts", contacts, entered),
    )
    return Guide("thunderbird", "Thunderbird", ways)


def _davx5(outside: BaseUrl, user: str) -> Guide:
    entered = (Field("Base URL", outside.url(f"/{user}/")), Field("User name", user))
    where = ("DAVx⁵", "Add account", "Login with URL and user name")
    # DAVx⁵ takes https for its own kind of address, whatever the port.
    link = f"davx5://{outside.host}{outside.path(f'/{user}/')}" if outside.secure else ""
    return Guide(
        "davx5", "Android: DAVx⁵", (AccountSetup("Everything", where, entered),), link=link
    )


def _gnome(outside: BaseUrl, user: str) -> Guide:
    address = outside.url(f"/{user}/")
    gnome = ("Settings", "Online Accounts", "Calendar, Contacts and Files")
    evolution = ("Evolution", "File", "New", "Collection Account", "Advanced Options")
    ways = (
        AccountSetup(
            "GNOME",
            gnome,
            (Field("Server Address", address), Field("Username", user)),
        ),
        AccountSetup(
            "Evolution",
            evolution,
            (Field("User name", user), Field("Server", address)),
        ),
    )
    return Guide("gnome", "GNOME and Evolution", ways)


def _others(outside: BaseUrl, user: str) -> Guide:
    address = outside.url(f"/{user}/")
    entered = (
        Field("CalDAV address", address),
        Field("CardDAV address", address),
        Field("User name", user),
    )
    return Guide("others", "Any other program", (AccountSetup("CalDAV and CardDAV", (), entered),))
