"""Instructions for setting up calendar programs by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.webui.base_url import BaseUrl


@dataclass(frozen=True, slots=True)
class Field:
    """A value to copy: the label of the program's field, and the text to enter there."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class AccountSetup:
    """One account to add in a program.

    Attributes:
        title: its heading.
        where: the menus and buttons that lead to the fields, in order.
        fields: the values to enter.
    """

    title: str
    where: tuple[str, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Guide:
    """Instructions for one program.

    Attributes:
        key: its name in anchors of the page.
        programs: the programs that it is for.
        accounts: the accounts to add by hand.
        by_profile: whether a profile can set up all of it.
        link: an address that opens the program, or empty.
        note: a warning, or empty.
    """

    key: str
    programs: str
    accounts: tuple[AccountSetup, ...]
    by_profile: bool = False
    link: str = ""
    note: str = ""


_NEEDS_TLS = (
    "Apple's programs send this kind of login over https only. Ask the administrator of this "
    "server for its https address, or to allow Digest logins."
)


def guides(base_url: BaseUrl, user: str, schemes: tuple[str, ...]) -> tuple[Guide, ...]:
    """Return a guide for each program, the most common first.

    Args:
        base_url: the address at which the program reaches the server.
        user: the account.
        schemes: the login schemes that the server offers; empty if a web server in front
            authenticates.
    """
    apple = "" if base_url.secure or "digest" in schemes or not schemes else _NEEDS_TLS
    return (
        _iphone(base_url, user, apple),
        _mac(base_url, user, apple),
        _thunderbird(base_url, user),
        _davx5(base_url, user),
        _gnome(base_url, user),
        _others(base_url, user),
    )


def _iphone(base_url: BaseUrl, user: str, note: str) -> Guide:
    entered = (
        Field("Server", base_url.host + base_url.path(f"/{user}/")),
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
    accounts = (
        AccountSetup("Calendars", calendars, entered),
        AccountSetup("Contacts", contacts, entered),
    )
    return Guide("iphone", "iPhone and iPad", accounts, by_profile=True, note=note)


def _mac(base_url: BaseUrl, user: str, note: str) -> Guide:
    entered = (
        Field("User Name", user),
        Field("Server Address", base_url.name),
        Field("Server Path", base_url.path(f"/{user}/")),
        Field("Port", str(base_url.port)),
        Field("Use SSL", "yes" if base_url.secure else "no"),
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
        Field("Server Address", base_url.url(f"/{user}/")),
    )
    accounts = (
        AccountSetup("Calendars", calendars, entered),
        AccountSetup("Contacts", contacts, by_hand),
    )
    return Guide("mac", "Mac: Calendar and Contacts", accounts, by_profile=True, note=note)


def _thunderbird(base_url: BaseUrl, user: str) -> Guide:
    entered = (Field("User Name", user), Field("Location", base_url.url("/")))
    calendars = ("Calendar", "New Calendar", "On the Network", "Find Calendars")
    contacts = ("Address Book", "New Address Book", "Add CardDAV Address Book")
    accounts = (
        AccountSetup("Calendars", calendars, entered),
        AccountSetup("Contacts", contacts, entered),
    )
    return Guide("thunderbird", "Thunderbird", accounts)


def _davx5(base_url: BaseUrl, user: str) -> Guide:
    entered = (Field("Base URL", base_url.url(f"/{user}/")), Field("User name", user))
    where = ("DAVx⁵", "Add account", "Login with URL and user name")
    # DAVx⁵ assumes https for its own URL scheme, whatever the port.
    link = f"davx5://{base_url.host}{base_url.path(f'/{user}/')}" if base_url.secure else ""
    return Guide(
        "davx5", "Android: DAVx⁵", (AccountSetup("Everything", where, entered),), link=link
    )


def _gnome(base_url: BaseUrl, user: str) -> Guide:
    address = base_url.url(f"/{user}/")
    gnome = ("Settings", "Online Accounts", "Calendar, Contacts and Files")
    evolution = ("Evolution", "File", "New", "Collection Account", "Advanced Options")
    accounts = (
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
    return Guide("gnome", "GNOME and Evolution", accounts)


def _others(base_url: BaseUrl, user: str) -> Guide:
    address = base_url.url(f"/{user}/")
    entered = (
        Field("CalDAV address", address),
        Field("CardDAV address", address),
        Field("User name", user),
    )
    return Guide("others", "Any other program", (AccountSetup("CalDAV and CardDAV", (), entered),))
