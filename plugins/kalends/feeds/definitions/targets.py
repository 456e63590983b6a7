"""Where a feed may be published: names of files, and addresses on other servers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from kalends.common.names import refusal_of_name
from kalends.feeds.definitions.model import USER, Access, Feed
from kalends.feeds.definitions.remote_credentials import refusal_of_address

_SHARED = ("login", "public")
"""The kinds of access whose files all lie in one folder."""


def is_address(place: str) -> bool:
    """Whether a place is an address on another server, and no name of a file."""
    return "://" in place


def refusal_of_place(place: str, access: Access, *, is_each: bool) -> str | None:
    """Why a feed cannot be published there, for the administrator; None if it can.

    Args:
        place: as it stands in the definition.
        is_each: whether it is the definition of a feed for each account.
    """
    refusal = _refusal_of_address(place) if is_address(place) else _refusal_of_file(place, access)
    if refusal:
        return refusal
    if USER in place and not is_each:
        return '{user} belongs into [feed."{user}"]'
    if is_each and USER not in place and (is_address(place) or access.kind in _SHARED):
        return "every account would write there; put {user} into it"
    return None


def shared_place(feeds: Mapping[str, Feed]) -> tuple[str, str, str] | None:
    """A place where two feeds would replace each other for ever: both names, and the place."""
    taken: dict[tuple[str, str], str] = {}
    for name, feed in feeds.items():
        files = feed.publish if feed.access.kind in _SHARED else ()
        places = [(feed.access.kind, file) for file in files] + [("", url) for url in feed.remotes]
        for place in places:
            other = taken.setdefault(place, name)
            if other != name:
                return name, other, place[1]
    return None


def _refusal_of_address(place: str) -> str | None:
    refusal = refusal_of_address(place.replace(USER, "user"))
    if refusal:
        return refusal
    path = urlsplit(place).path
    if USER in place and place.count(USER) != path.count(USER):
        return "may have {user} in its path only"
    if path.endswith("/") or not path:
        return "names a folder; name the file, as in https://HOST/FILE.ics"
    return None


def _refusal_of_file(place: str, access: Access) -> str | None:
    if access.kind == "list":
        # No folder of published files is guarded by a list of names.
        return "a file does not go with a list of names in 'access'"
    if not place.endswith(".ics") or refusal_of_name(place, ()):
        return "is no file name that ends in .ics, without a folder"
    return None
