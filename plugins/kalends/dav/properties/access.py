"""The properties of principals and of access control (RFC 3744 sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Iterable

from kalends.dav.properties.model import LiveProperty
from kalends.dav.properties.view import CollectionView
from kalends.dav.resource import EXISTING, PRINCIPALS, Kind
from kalends.dav.xml.write import elements

_READ = ("D:read", "D:read-acl", "D:read-current-user-privilege-set", "C:read-free-busy")
_WRITE = ("D:write", "D:write-properties", "D:write-content", "D:bind", "D:unbind")
_CARDS = frozenset({Kind.ADDRESS_BOOK, Kind.CARD})
_DESCRIPTIONS = {
    "D:all": "Everything",
    "D:read": "Read",
    "D:read-acl": "Read who may do what",
    "D:read-current-user-privilege-set": "Read what one may do",
    "C:read-free-busy": "Read busy times",
    "D:write": "Write",
    "D:write-properties": "Change properties",
    "D:write-content": "Change content",
    "D:bind": "Add members",
    "D:unbind": "Remove members",
}


def _readable(kind: Kind) -> tuple[str, ...]:
    return _READ[:-1] if kind in _CARDS else _READ


def _privileges(names: Iterable[str]) -> str:
    return "".join(f"<privilege>{elements([name])}</privilege>" for name in names)


def _own_privileges(view: CollectionView, kind: Kind) -> str:
    """Return what the user may do (section 5.4)."""
    names = _readable(kind)
    return _privileges(("D:all", *names, *_WRITE) if view.writable else names)


def _supported(name: str, inner: str = "") -> str:
    """Return a privilege with those that it includes."""
    described = f'<description xml:lang="en">{_DESCRIPTIONS[name]}</description>'
    return f"<supported-privilege>{_privileges([name])}{described}{inner}</supported-privilege>"


def _supported_privileges(_view: CollectionView, kind: Kind) -> str:
    """Return all privileges (section 5.3); nobody has one to change those of others."""
    read, *others = _readable(kind)
    busy = "C:read-free-busy"
    inner = _supported(read, _supported(busy) if busy in others else "")
    inner += "".join(_supported(name) for name in others if name != busy)
    write, *parts = _WRITE
    inner += _supported(write, "".join(map(_supported, parts)))
    return _supported("D:all", inner)


def _acl(view: CollectionView, kind: Kind) -> str:
    """Return the one entry that every resource has (section 5.5); it cannot be changed."""
    if kind in (Kind.ROOT, Kind.GROUPS):
        principal, granted = "<authenticated/>", "D:read"
    else:
        principal = view.href(f"/{view.owner}/")
        granted = "D:read" if kind is Kind.GROUP_HOME else "D:all"
    return (
        f"<ace><principal>{principal}</principal><grant>{_privileges([granted])}</grant>"
        "<protected/></ace>"
    )


def _owner(view: CollectionView, _kind: Kind) -> str:
    return view.href(f"/{view.owner}/") if view.owner else ""


def _itself(view: CollectionView, _kind: Kind) -> str:
    return view.href(view.path)


def _groups(view: CollectionView, kind: Kind) -> str:
    """Return the groups that a user is in (section 4.4); a group is in none."""
    return "".join(map(view.href, view.asked.groups)) if kind is Kind.HOME else ""


ROWS = (
    LiveProperty("D:alternate-URI-set", "RFC 3744 section 4.1", PRINCIPALS, lambda *_: ""),
    LiveProperty("D:principal-URL", "RFC 3744 section 4.2", PRINCIPALS, _itself),
    LiveProperty(
        "D:group-member-set",
        "RFC 3744 section 4.3; a user has no members",
        frozenset({Kind.HOME}),
        lambda *_: "",
    ),
    LiveProperty("D:group-membership", "RFC 3744 section 4.4", PRINCIPALS, _groups),
    LiveProperty("D:owner", "RFC 3744 section 5.1", EXISTING, _owner),
    LiveProperty("D:group", "RFC 3744 section 5.2; resources have none", EXISTING, lambda *_: ""),
    LiveProperty(
        "D:supported-privilege-set", "RFC 3744 section 5.3", EXISTING, _supported_privileges
    ),
    LiveProperty("D:current-user-privilege-set", "RFC 3744 section 5.4", EXISTING, _own_privileges),
    LiveProperty("D:acl", "RFC 3744 section 5.5", EXISTING, _acl),
    LiveProperty(
        "D:acl-restrictions",
        "RFC 3744 section 5.6",
        EXISTING,
        lambda *_: "<grant-only/><no-invert/>",
    ),
    LiveProperty("D:inherited-acl-set", "RFC 3744 section 5.7", EXISTING, lambda *_: ""),
    LiveProperty(
        "D:principal-collection-set",
        "RFC 3744 section 5.8",
        EXISTING,
        lambda view, _: view.href("/"),
    ),
)
