"""The accounts.xml of Apple's Calendar Server (XMLDirectoryService). Pure: bytes to accounts.

There are two shapes: up to 2013 ``<accounts>`` with ``<user>`` and ``<group>``, whose ``<uid>`` is
the login name; from 2014 on ``<directory>`` with ``<record>``, where ``<short-name>`` is the login
name, and groups refer to their members by ``<uid>``.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat import ErrorString

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from kalends.errors import KalendsError

MOST_REPETITIONS = 10_000
"""The number of accounts that one record of a file may expand to."""

_NUMBER = re.compile(r"%(0?\d{0,2})d|%%")
# Old files write the type of a group's member in the plural.
_TYPES = {"user", "group", "location", "resource", "address"}


class DirectoryXmlError(KalendsError):
    """A file that is not such a directory.

    Args:
        why: the reason.
        line: the line, counted from 1.
    """

    def __init__(self, why: str, line: int) -> None:
        self.why = why
        self.line = line
        super().__init__(f"line {line}: {why}")


@dataclass(frozen=True)
class Directory:
    """The accounts and groups of such a file.

    Attributes:
        realm: of its accounts; possibly empty.
        passwords: by account name, in plain text.
        groups: by the group's name, the account names in it, with those of nested groups.
        notes: the parts of the file that were ignored, for a person; without any password.
    """

    realm: str
    passwords: Mapping[str, str] = field(repr=False)
    groups: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Record:
    """One record; groups refer to their members by ``key``."""

    type: str
    key: str
    name: str
    aliases: int
    password: str
    members: tuple[tuple[str, str], ...] = ()


def parse_directory(data: bytes) -> Directory:
    """Parse the accounts and groups of a file, fetching nothing that it refers to.

    Raises:
        DirectoryXmlError: it is not well-formed XML, declares entities, or is something else.
    """
    root = _root(data)
    notes: list[str] = []
    records: dict[tuple[str, str], _Record] = {}
    for element in root:
        for record in _records(element):
            records[record.type, record.key] = record
    users = [record for record in records.values() if record.type == "user"]
    passwords = {record.name: record.password for record in users if record.name}
    groups = {
        record.name: tuple(dict.fromkeys(_users_in(record, records, notes)))
        for record in records.values()
        if record.type == "group" and record.name
    }
    return Directory(
        root.get("realm", ""), passwords, groups, (*_skipped(records), *dict.fromkeys(notes))
    )


def _root(data: bytes) -> Element:
    # Every such file names a document type; only declarations of entities are refused.
    parser = DefusedXMLParser(forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(data)
        root: Element = parser.close()
    except ParseError as error:
        # The parser's own message may quote part of a password as an entity.
        why = ErrorString(error.code)
        raise DirectoryXmlError(f"is not XML: {why}", error.position[0]) from None
    except DefusedXmlException:
        line = parser.parser.CurrentLineNumber
        raise DirectoryXmlError("declares entities, which are not allowed", line) from None
    except (ValueError, LookupError) as error:
        raise DirectoryXmlError(f"is not XML: {error}", 1) from None
    if root.tag not in ("accounts", "directory"):
        raise DirectoryXmlError(
            "is not a directory of accounts: its root is neither <accounts> nor <directory>", 1
        )
    return root


def _records(element: Element) -> Iterator[_Record]:
    """Yield the records of an element: with ``repeat`` several, numbered where it says %d."""
    try:
        repeat = int(element.get("repeat", "0"))
    except ValueError:
        repeat = 0
    if repeat > MOST_REPETITIONS:
        raise DirectoryXmlError(f"a record is repeated more than {MOST_REPETITIONS} times", 1)
    if repeat <= 0:
        yield _record(element, None)
    for number in range(1, repeat + 1):
        yield _record(element, number)


def _record(element: Element, number: int | None) -> _Record:
    def texts(tag: str) -> list[str]:
        found = ["".join(child.itertext()) for child in element.findall(tag)]
        return found if number is None else [_numbered(text, number) for text in found]

    def names(tag: str) -> list[str]:
        return [text.strip() for text in texts(tag) if text.strip()]

    uids = names("uid") or names("guid")
    if element.tag == "record":
        kind = element.get("type", "user")
        short = names("short-name") or (names("full-name") if kind == "group" else [])
        members = tuple(("", uid) for uid in names("member-uid"))
    else:
        kind, short = str(element.tag), uids
        members = tuple(
            (child.get("type", "users").removesuffix("s"), (child.text or "").strip())
            for child in element.iterfind("members/member")
        )
    name = short[0] if short else ""
    password = "".join(texts("password")[:1])
    return _Record(kind, uids[0] if uids else name, name, max(0, len(short) - 1), password, members)


def _numbered(text: str, number: int) -> str:
    def digits(match: re.Match[str]) -> str:
        return "%" if match[0] == "%%" else match[0] % number

    return _NUMBER.sub(digits, text) if "%" in text else text


def _users_in(
    group: _Record, records: Mapping[tuple[str, str], _Record], notes: list[str]
) -> Iterator[str]:
    """Yield the account names in a group and in its nested groups, which Apache does not have."""
    waiting, met = [group], {group.key}
    while waiting:
        current = waiting.pop()
        for kind, key in current.members:
            kinds = [kind] if kind else sorted(_TYPES)
            found = next((records[k, key] for k in kinds if (k, key) in records), None)
            if found is None:
                notes.append(f"the group {current.name!r} names {key!r}, which has no record")
            elif found.type == "user":
                yield found.name
            elif found.type != "group":
                notes.append(
                    f"the {found.type} {found.name!r} in the group {current.name!r} is not an "
                    "account"
                )
            elif found.key not in met:
                met.add(found.key)
                waiting.append(found)


def _skipped(records: Mapping[tuple[str, str], _Record]) -> Iterator[str]:
    """Yield a note for each kind of record that is ignored."""
    others = Counter(record.type for record in records.values())
    for kind, count in sorted(others.items()):
        if kind not in ("user", "group"):
            yield f"records of type {kind!r} left out: {count}"
    nameless = sum(
        not record.name for record in records.values() if record.type in ("user", "group")
    )
    if nameless:
        yield f"users and groups without a name left out: {nameless}"
    aliases = sum(record.aliases for record in records.values() if record.type in ("user", "group"))
    if aliases:
        yield f"further names of users and groups left out: {aliases}"
