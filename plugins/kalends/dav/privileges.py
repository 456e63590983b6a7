"""The privileges of a user at a path, whether something exists there or is to be created."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.adapters.rights import Rights


@dataclass(frozen=True, slots=True)
class Privileges:
    """The letters of ``Rights`` at a path and above it.

    Attributes:
        user: the user's name.
        path: the path, without a slash at either end.
        here: the rights that a collection at the path needs.
        above: the rights that an object at the path needs, which are its collection's.
    """

    user: str
    path: str
    here: str
    above: str

    @classmethod
    def at(cls, rights: Rights, user: str, path: str) -> Privileges:
        """Return the privileges of a user at a path; slashes at its ends are ignored."""
        sane = path.strip("/")
        parent = sane.rpartition("/")[0]
        here = rights.authorization(user, set(), f"/{sane}/" if sane else "/")
        above = rights.authorization(user, set(), f"/{parent}/" if parent else "/")
        return cls(user, sane, here, above if sane else here)

    @property
    def may_write(self) -> bool:
        """True if an object or a collection may be written."""
        return "w" in self.here or "W" in self.here or "w" in self.above
