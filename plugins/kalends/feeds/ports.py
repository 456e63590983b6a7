"""What feeds ask of the rest of Kalends; the assembly hands in what has these shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

OWNER_ONLY = "{urn:x-kalends}feeds"
"""The property of a calendar that, set to ``owner``, keeps it out of all feeds but its owner's."""


def is_owner_only(props: Mapping[str, str]) -> bool:
    """Whether a calendar with these properties is in no feed but its owner's."""
    return props.get(OWNER_ONLY, "").strip().lower() == "owner"


class CalendarState(Protocol):
    """A calendar as it stands in a snapshot."""

    @property
    def id(self) -> int:
        """Its number, which no other calendar ever had or gets."""

    @property
    def path(self) -> str:
        """Its path without a slash at either end: ``alice/work``."""

    @property
    def life(self) -> str:
        """Names the life in which its change numbers count: a restored backup begins another."""

    @property
    def modseq(self) -> int:
        """Its change number: it grows with every change of its objects or properties."""

    @property
    def changed(self) -> int:
        """The time of its last change, microseconds since 1970, UTC."""

    @property
    def props(self) -> Mapping[str, str]:
        """Its properties under Radicale's names (``D:displayname``), and ours."""


class StoredObject(Protocol):
    """A calendar object as it stands in a snapshot."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def calendar(self) -> int:
        """The number of its calendar."""

    @property
    def uid(self) -> str:
        """Its UID, which no other object of its calendar has."""

    @property
    def component(self) -> str:
        """``VEVENT``, ``VTODO`` or another component's name."""

    @property
    def modseq(self) -> int:
        """The change number of its calendar when it changed last."""

    @property
    def changed(self) -> int:
        """The time of its last change, microseconds since 1970, UTC."""

    @property
    def data(self) -> bytes:
        """The client's octets."""


class FeedSnapshot(Protocol):
    """One consistent moment of the store."""

    def calendars(self) -> Collection[CalendarState]:
        """All calendars; the very same object if none has changed since another snapshot."""

    def objects(self, calendar: int) -> Iterator[StoredObject]:
        """The objects of a calendar."""

    def changed_since(self, calendar: int, modseq: int) -> Iterator[StoredObject]:
        """The objects that came or changed after the change number ``modseq``."""

    def removed_since(self, calendar: int, modseq: int) -> Collection[tuple[int, str]]:
        """The ids and UIDs that went after ``modseq``; a change of UID counts as going."""

    def copies(self, calendars: Collection[int], uids: Collection[str]) -> Iterator[StoredObject]:
        """The objects of these calendars that have one of these UIDs."""

    def shared_uids(self, calendars: Collection[int]) -> Collection[str]:
        """The UIDs that more than one of these calendars has."""

    def oldest_change(self, calendar: int) -> int:
        """The change number before which removals are no longer known."""


class FeedSource(Protocol):
    """The store, as feeds see it."""

    def snapshot(self) -> AbstractContextManager[FeedSnapshot]:
        """One consistent moment, for as long as the block lasts."""


class SecretBook(Protocol):
    """The secret of each person for each feed."""

    def secret_of(self, feed: str, person: str) -> str:
        """The secret, made at the first time of asking."""

    def rotate(self, feed: str, person: str) -> str:
        """A new secret; the old one ends."""

    def holder(self, secret: str) -> tuple[str, str] | None:
        """The feed and person of a secret, found in constant time, or None."""

    def held(self, feed: str) -> Mapping[str, str]:
        """The secrets that were made for a feed, by person."""

    def of_person(self, person: str) -> Mapping[str, str]:
        """The secrets that were made for a person, by feed."""


class PublicationLog(Protocol):
    """Which version stands at which target; what is still to do is what differs from it."""

    def published(self) -> Mapping[str, str]:
        """The key of the version at each target."""

    def record(self, target: str, key: str) -> None:
        """Note, durably, that the version ``key`` stands at ``target``."""

    def forget(self, target: str) -> None:
        """Note, durably, that nothing stands at ``target`` any more."""


class Delivery(Protocol):
    """What is known of one address on another server."""

    @property
    def target(self) -> str:
        """The address."""

    @property
    def key(self) -> str:
        """The key of the version that stands there; empty if none does."""

    @property
    def etag(self) -> str:
        """What that server calls it; empty if it did not say."""

    @property
    def delivered(self) -> int | None:
        """When it was brought there, seconds since 1970; None if nothing was."""

    @property
    def failures(self) -> int:
        """How often it failed since, one after the other."""

    @property
    def why(self) -> str:
        """What the last failure was; empty after a success."""

    @property
    def due(self) -> int:
        """Seconds since 1970 before which it is not tried again."""


class DeliveryLog(Protocol):
    """Which version stands where on other servers; one claimant at a time, of all hosts."""

    def known(self) -> Mapping[str, Delivery]:
        """What is known of each address."""

    def claim(self, target: str, claimant: str, seconds: int) -> Delivery | None:
        """Take the claim on an address, or keep it; None if another claimant has it."""

    def succeeded(self, target: str, key: str, etag: str, due: int) -> None:
        """Note that the version ``key`` stands there now; the claim ends."""

    def failed(self, target: str, why: str, due: int) -> None:
        """Note one more failure; the claim ends."""

    def forget(self, target: str) -> None:
        """Note that nothing of ours stands there any more."""


class Accounts(Protocol):
    """Who there is. Each method may raise UserFileUnavailableError."""

    def names(self) -> frozenset[str]:
        """The names of the user files, and of homes whose accounts come from elsewhere."""

    def has(self, name: str) -> bool:
        """Whether there is an account of that name."""

    def members(self, group: str) -> frozenset[str]:
        """The accounts in a group; none if there is no such group."""
