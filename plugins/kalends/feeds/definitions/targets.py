"""Publication targets of feeds: names of files, and URLs on other servers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from kalends.common.names import refusal_of_name
from kalends.feeds.definitions.model import USER, Access, Feed
from kalends.feeds.definitions.remote_credentials import refusal_of_url

_SHARED = ("login", "public")
"""The kinds of access whose files all share one folder."""


def is_url(target: str) -> bool:
    """Return True if a target is a URL on another server, not the name of a file."""
    return "://" in target


def refusal_of_target(target: str, access: Access, *, is_each: bool) -> str | None:
    """Return the reason why a feed cannot be published at a target, or None if it can.

    Args:
        target: the target, as written in the definition.
        access: the access rule of the feed.
        is_each: True if the definition applies to each account.
    """
    refusal = _refusal_of_address(target) if is_url(target) else _refusal_of_file(target, access)
    if refusal:
        return refusal
    if USER in target and not is_each:
        return '{user} may be used in [feed."{user}"] only'
    if is_each and USER not in target and (is_url(target) or access.kind in _SHARED):
        return "every account would write to it; put {user} into the name or URL"
    return None


def find_shared_target(feeds: Mapping[str, Feed]) -> tuple[str, str, str] | None:
    """Find a target that two feeds would overwrite in turn; return both names and the target."""
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
        return "is the URL of a folder; name the file, as in https://HOST/FILE.ics"
    return None


def _refusal_of_file(target: str, access: Access) -> str | None:
    if access.kind == "list":
        # No folder of published files is protected by a list of names.
        return "a feed with a list of names in 'access' cannot be published as a file"
    if not target.endswith(".ics") or refusal_of_name(target, ()):
        return "must be a file name that ends in .ics, without a folder"
    return None
