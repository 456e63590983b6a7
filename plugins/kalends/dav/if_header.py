"""The ``If`` header: lists of entity tags and state tokens (RFC 4918 section 10.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

from kalends.errors import HeaderRefusedError
from kalends.limit_names import Limit

MAX_CONDITIONS = 100
"""Conditions, and addresses, of one header; each address is looked up."""

_TOKEN = re.compile(
    r"""[ \t]*(?:
        (?P<open>\()
        | (?P<close>\))
        | (?P<no>not)
        | <(?P<uri>[^<>\s]+)>
        | \[(?P<etag>(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")\]
    )""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class State:
    """The state of a resource, as conditions of the header compare it.

    Attributes:
        etag: its strong entity tag, quoted; None if nothing is there.
        tokens: its state tokens.
    """

    etag: str | None
    tokens: frozenset[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a list.

    Attributes:
        value: the entity tag, or the URI of the state token, as sent.
        is_etag: True if it is an entity tag.
        is_negated: True if it holds where the resource does not have it.
    """

    value: str
    is_etag: bool
    is_negated: bool

    def holds(self, state: State) -> bool:
        """Return True if a resource in this state fulfils it; weak tags match nothing."""
        has = self.value == state.etag if self.is_etag else self.value in state.tokens
        return has is not self.is_negated


@dataclass(frozen=True, slots=True)
class ConditionList:
    """A list of the header, which holds if all its conditions do.

    Attributes:
        tag: the address of the resource that it is about; None for that of the request.
        conditions: at least one.
    """

    tag: str | None
    conditions: tuple[Condition, ...]

    def holds(self, state: State) -> bool:
        """Return True if a resource in this state fulfils all conditions."""
        return all(condition.holds(state) for condition in self.conditions)


def read_if(header: str) -> tuple[ConditionList, ...]:
    """Parse the header, in a time that grows with its length.

    Raises:
        HeaderRefusedError: it is malformed, or has more conditions than are read.
    """
    lists: list[ConditionList] = []
    tag: str | None = None
    tokens = _tokens(header)
    while tokens:
        kind, value = tokens.pop()
        may_tag = tag is not None or not lists
        if kind == "uri" and may_tag and tokens and tokens[-1][0] == "open":
            tag = value
        elif kind == "open":
            lists.append(ConditionList(tag, _conditions(tokens)))
        else:
            raise _malformed()
    if not lists:
        raise _malformed()
    return tuple(lists)


def _conditions(tokens: list[tuple[str, str]]) -> tuple[Condition, ...]:
    """Take the tokens of a list, up to its closing parenthesis."""
    found: list[Condition] = []
    is_negated = False
    while tokens:
        kind, value = tokens.pop()
        if kind == "close" and found and not is_negated:
            return tuple(found)
        if kind == "no" and not is_negated:
            is_negated = True
        elif kind in ("uri", "etag"):
            found.append(Condition(value, kind == "etag", is_negated))
            is_negated = False
        else:
            break
    raise _malformed()


def _tokens(header: str) -> list[tuple[str, str]]:
    """Return the tokens of a header with their kinds, the last one first."""
    text = header.rstrip(" \t")
    found: list[tuple[str, str]] = []
    end = 0
    while end < len(text):
        match = _TOKEN.match(text, end)
        if match is None or match.lastgroup is None:
            raise _malformed()
        found.append((match.lastgroup, match[match.lastgroup]))
        end = match.end()
    if sum(kind in ("uri", "etag") for kind, _ in found) > MAX_CONDITIONS:
        why = f"the If header has more than {MAX_CONDITIONS} conditions"
        raise HeaderRefusedError(HTTPStatus.BAD_REQUEST, why, limit=Limit.CONDITIONS)
    return found[::-1]


def _malformed() -> HeaderRefusedError:
    return HeaderRefusedError(HTTPStatus.BAD_REQUEST, "the If header is malformed")
