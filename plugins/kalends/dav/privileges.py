"""What a user may do at an address: of what stands there, or is to stand there."""

from __future__ import annotations

from dataclasses import dataclass

from kalends.adapters.rights import Rights


@dataclass(frozen=True, slots=True)
class Privileges:
    """The letters of ``Rights`` at an address and above it.

    Attributes:
        path: the address, without a slash at either end.
        here: as a collection at the address needs them.
        above: as an object at the address needs them, which is its collection's.
    """

    user: str
    path: str
    here: str
    above: str

    @classmethod
    def of(cls, rights: Rights, user: str, path: str) -> Privileges:
        """What ``user`` may do at ``path``, whose slashes at the ends do not matter."""
        sane = path.strip("/")
        parent = sane.rpartition("/")[0]
        here = rights.authorization(user, set(), f"/{sane}/" if sane else "/")
        above = rights.authorization(user, set(), f"/{parent}/" if parent else "/")
        return cls(user, sane, here, above if sane else here)

    @property
    def may_write(self) -> bool:
        """Whether something may be written, whatever it is."""
        return "w" in self.here or "W" in self.here or "w" in self.above
