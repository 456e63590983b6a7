"""Where a feed may be published: names of files, and addresses on other servers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from kalends.common.names import refusal_of_name
from kalends.feeds.definitions.model import USER, Access, Feed
from kalends.feeds.definitions.remote_credentials import refusal_of_url

_SHARED = ("login", "public")
"""The kinds of access whose files all lie in one folder."""


def is_url(target: str) -> bool:
    """Whether a target is an address on another server, and no name of a file."""
    return "://" in target


def refusal_of_target(target: str, access: Access, *, is_each: bool) -> str | None:
    """Why a feed cannot be published there, for the administrator; None if it can.

    Args:
        target: as it stands in the definition.
        is_each: whether it is the definition of a feed for each account.
    """
    refusal = _refusal_of_address(target) if is_url(target) else _refusal_of_file(target, access)
    if refusal:
        return refusal
    if USER in target and not is_each:
        return '{user} belongs into [feed."{user}"]'
    if is_each and USER not in target and (is_url(target) or access.kind in _SHARED):
        return "every account would write there; put {user} into it"
    return None


def find_shared_target(feeds: Mapping[str, Feed]) -> tuple[str, str, str] | None:
    """A target where two feeds would replace each other for ever: both names, and the target."""
    taken: dict[tuple[str, str], str] = {}
    for name, feed in feeds.items():
        files = feed.publish if feed.access.kind in _SHARED else ()
        targets = [(feed.access.kind, file) for file in files] + [("", url) for url in feed.remotes]
        for target in targets:
            other = taken.setdefault(target, name)
            if other != name:
                return name, other, target[1]
    return None


def _refusal_of_address(target: str) -> str | None:
    refusal = refusal_of_url(target.replace(USER, "user"))
    if refusal:
        return refusal
    path = urlsplit(target).path
    if USER in target and target.count(USER) != path.count(USER):
        return "may have {user} in its path only"
    if path.endswith("/") or not path:
        return "names a folder; name the file, as in https://HOST/FILE.ics"
    return None


def _refusal_of_file(target: str, access: Access) -> str | None:
    if access.kind == "list":
        # No folder of published files is guarded by a list of names.
        return "a file does not go with a list of names in 'access'"
    if not target.endswith(".ics") or refusal_of_name(target, ()):
        return "is no file name that ends in .ics, without a folder"
    return None
