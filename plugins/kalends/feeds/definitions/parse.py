"""Parser for the file of feed definitions, from TOML to the data model."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from kalends.common.names import GROUPS, refusal_of_name
from kalends.errors import ConfigurationError
from kalends.feeds.definitions.model import USER, Access, Definitions, Feed, Pattern, Rules
from kalends.feeds.definitions.parse_page import PAGE_KEYS, read_page_rules
from kalends.feeds.definitions.targets import find_shared_target, is_url, refusal_of_target

ACCESS = ("owner", "login", "secret", "public")
PRIVATE = ("hide", "busy", "show")
COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL")

# Each line that is tried costs a parse of all lines before it.
_LINES_SEARCHED = 1000

_REFRESH_UNITS = {"m": 60, "h": 3600, "d": 86400}
_PAST_UNITS = {"d": 1, "w": 7, "y": 366}
_T = TypeVar("_T")


def load_definitions(path: Path) -> Definitions:
    """Read and check a file of feed definitions.

    Raises:
        ConfigurationError: it cannot be read or is invalid; the error has the line if it is known.
    """
    return parse_definitions(read_definitions(path), str(path))


def read_definitions(path: Path) -> str:
    """Return the text of a file of feed definitions.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise ConfigurationError(str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(str(path), "is not UTF-8 text") from None


def parse_definitions(text: str, path: str) -> Definitions:
    """Read and check the text of a file of feed definitions.

    Args:
        text: the text.
        path: the path of the file, for error messages.

    Raises:
        ConfigurationError: the text is invalid; the error has the line if it is known.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        why = getattr(error, "msg", str(error))
        raise ConfigurationError(path, why, _line_of_error(error, text)) from None
    for key in tables:
        if key != "feed":
            line = _find(text, rf"\[?{_key(key)}")
            raise ConfigurationError(path, f"{key!r} is unknown; feeds are [feed.NAME]", line)
    feeds = tables.get("feed", {})
    if not isinstance(feeds, dict):
        raise ConfigurationError(path, "'feed' must be tables, [feed.NAME]", _find(text, "feed"))
    read = {name: _Table(name, table, text, path).feed() for name, table in feeds.items()}
    shared = find_shared_target(read)
    if shared:
        name, other, target = shared
        why = f"feed {name!r}: 'publish': {target!r} is published by {other!r} already"
        line = _find(text, rf"\[\s*feed\s*\.\s*{_key(name)}\s*\]")
        raise ConfigurationError(path, why, line)
    each = read.pop(USER, None)
    return Definitions(read, each)


def _line_of_error(error: tomllib.TOMLDecodeError, text: str) -> int | None:
    """Return the line of a syntax error; before Python 3.14 the error itself does not have it.

    It is the line where the first invalid statement begins; None if finding it would take too long.
    """
    known: int | None = getattr(error, "lineno", None)
    lines = text.split("\n")
    if known is not None or len(lines) > _LINES_SEARCHED:
        return known
    for number in range(len(lines) - 1, 0, -1):
        try:
            tomllib.loads("\n".join(lines[:number]) + "\n")
        except tomllib.TOMLDecodeError:
            continue
        return number + 1
    return 1


class _Table:
    """Reader of one ``[feed.NAME]`` table; finds the line of a key that is invalid."""

    def __init__(self, name: str, table: object, text: str, path: str) -> None:
        self._name = name
        self._path = path
        self._text = text
        if not isinstance(table, dict):
            self._refuse("must be a table", None)
        self._table: Mapping[str, Any] = table

    def feed(self) -> Feed:
        """Return the feed that the table defines.

        Raises:
            ConfigurationError: the table is invalid; the message is about the first error.
        """
        self._check_name()
        for key in self._table:
            if key not in _KEYS:
                self._refuse(f"{key!r} is unknown; known are {', '.join(_KEYS)}", key)
        access = self._access()
        rules = Rules(
            title=self._value("title", str, self._name),
            private=self._private(access),
            busy=self._value("busy", bool, False),
            components=self._components(),
            alarms=self._value("alarms", bool, False),
            categories=self._value("categories", bool, False),
            refresh=self._refresh(),
            color=self._color(),
            past=self._past(),
        )
        if not rules.title.isprintable() or (USER in rules.title and self._name != USER):
            self._refuse("'title' must be printable text on one line, without {user}", "title")
        targets = self._publish(access)
        return Feed(
            name=self._name,
            owner=None,
            calendars=self._calendars(),
            access=access,
            rules=rules,
            publish=tuple(target for target in targets if not is_url(target)),
            remotes=tuple(target for target in targets if is_url(target)),
            page=read_page_rules(self._table, self._refuse),
        )

    def _check_name(self) -> None:
        refusal = None if self._name == USER else refusal_of_name(self._name, ())
        if refusal:
            self._refuse(f"a feed cannot have this name: {refusal}", None)
        if USER in self._name and self._name != USER:
            self._refuse('{user} must be the whole name: [feed."{user}"]', None)

    def _calendars(self) -> tuple[Pattern, ...]:
        texts = self._texts("calendars")
        if not texts:
            self._refuse("'calendars' must name at least one, such as [\"alice/*\"]", "calendars")
        patterns = [self._pattern(text) for text in texts]
        for one, other in permutations(patterns, 2):
            if one.covers(other):
                self._refuse(f"{other} is named twice in 'calendars', by {one} too", "calendars")
        return tuple(patterns)

    def _pattern(self, text: str) -> Pattern:
        names = text.split("/")
        why = None
        if len(names) != (3 if names[0] == GROUPS else 2):
            why = "must be OWNER/CALENDAR or GROUPS/GROUP/CALENDAR"
        elif any(name in ("", ".", "..") or not name.isprintable() for name in names):
            why = "has an empty or impossible segment"
        elif any("*" in name and name != "*" for name in names):
            why = "may have * only as a whole name"
        elif names[0] == "@" or (names[0][0] in ".@" and names[0][0] != "@"):
            why = "does not name an account or group"
        elif any("{" in name or "}" in name for name in names) and (
            self._name != USER or names[0] != USER or "{" in "".join(names[1:])
        ):
            why = 'may have {user} only as its owner, and only in [feed."{user}"]'
        if why:
            self._refuse(f"the calendar {text!r} {why}", "calendars", text)
        return Pattern(tuple(None if name == "*" else name for name in names))

    def _access(self) -> Access:
        given = self._table.get("access")
        if given is None:
            self._refuse(f"'access' is missing: {', '.join(ACCESS)} or a list of names", None)
        if isinstance(given, list):
            names = self._texts("access")
            for name in names:
                if not name.strip("@") or (USER in name and self._name != USER):
                    self._refuse(f"'access' cannot list {name!r}", "access")
            if not names:
                self._refuse("'access' must list at least one name", "access")
            return Access("list", names)
        kind = self._choice("access", ACCESS, "")
        if kind == "owner" and self._name != USER:
            self._refuse('only [feed."{user}"] has an owner; list the names instead', "access")
        return Access(kind)

    def _private(self, access: Access) -> str:
        return self._choice("private", PRIVATE, "show" if access.kind == "owner" else "hide")

    def _components(self) -> tuple[str, ...]:
        if "components" not in self._table:
            return ("VEVENT",)
        given = self._texts("components")
        for name in given:
            if name not in COMPONENTS:
                self._refuse(
                    f"the component {name!r} is not one of {', '.join(COMPONENTS)}", "components"
                )
        if not given:
            self._refuse("'components' must name at least one", "components")
        return tuple(sorted(given))

    def _refresh(self) -> int:
        given = self._value("refresh", str, "1h")
        match = re.fullmatch(r"([1-9]\d{0,3})([mhd])", given)
        if match is None:
            self._refuse('\'refresh\' must be a duration such as "15m", "1h" or "1d"', "refresh")
        return int(match[1]) * _REFRESH_UNITS[match[2]]

    def _past(self) -> int | None:
        if "past" not in self._table:
            return None
        match = re.fullmatch(r"([1-9]\d{0,3})([dwy])", self._value("past", str, ""))
        if match is None:
            self._refuse('\'past\' must be a duration such as "90d", "12w" or "2y"', "past")
        return int(match[1]) * _PAST_UNITS[match[2]]

    def _color(self) -> str:
        given = self._value("color", str, "")
        if given and not re.fullmatch(r"#[0-9A-Fa-f]{6}", given):
            self._refuse("'color' must be a colour such as \"#1e90ff\"", "color")
        return given.upper()

    def _publish(self, access: Access) -> tuple[str, ...]:
        given = self._texts("publish") if "publish" in self._table else ()
        for target in given:
            refusal = refusal_of_target(target, access, is_each=self._name == USER)
            if refusal:
                self._refuse(f"'publish': {target!r}: {refusal}", "publish", target)
        return given

    def _texts(self, key: str) -> tuple[str, ...]:
        given = self._table.get(key, [])
        if not isinstance(given, list) or not all(isinstance(value, str) for value in given):
            self._refuse(f"{key!r} must be a list of strings", key)
        for value in given:
            if given.count(value) > 1:
                self._refuse(f"{value!r} is named twice in {key!r}", key, value)
        return tuple(given)

    def _choice(self, key: str, choices: tuple[str, ...], default: str) -> str:
        given = self._value(key, str, default)
        if given not in choices:
            self._refuse(f"{key!r} is {given!r}; it must be one of {', '.join(choices)}", key)
        return given

    def _value(self, key: str, kind: type[_T], default: _T) -> _T:
        given = self._table.get(key, default)
        if not isinstance(given, kind):
            self._refuse(f"{key!r} must be {_KINDS[kind]}", key)
        return given

    def _refuse(self, why: str, key: str | None, value: str | None = None) -> NoReturn:
        raise ConfigurationError(self._path, f"feed {self._name!r}: {why}", self._line(key, value))

    def _line(self, key: str | None, value: str | None) -> int | None:
        """Return the line of a value, or else of its key, or else of the table."""
        begin = _find(self._text, rf"\[\s*feed\s*\.\s*{_key(self._name)}\s*\]")
        if begin is None:
            return None
        found = begin
        for wanted in (rf"{_key(key)}\s*=" if key else None, _quoted(value) if value else None):
            if wanted is None:
                continue
            for number, line in enumerate(self._text.splitlines(), 1):
                if number > begin and re.match(r"\s*\[\s*feed\b", line):
                    break
                if number >= found and re.search(rf"(?:^\s*|[\[,\s]){wanted}", line):
                    found = number
                    break
        return found


_KEYS = (
    "title",
    "calendars",
    "access",
    "private",
    "busy",
    "components",
    "publish",
    "alarms",
    "categories",
    "refresh",
    "color",
    "past",
    *PAGE_KEYS,
)
_KINDS: Mapping[type, str] = {str: "a string", bool: "true or false"}


def _key(name: str) -> str:
    bare = re.escape(name)
    return rf"""(?:{bare}|"{bare}"|'{bare}')(?![A-Za-z0-9_-])"""


def _quoted(value: str) -> str:
    return rf"""["']{re.escape(value)}["']"""


def _find(text: str, pattern: str) -> int | None:
    """Return the number of the first line that begins with ``pattern``, counted from 1."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*{pattern}", line):
            return number
    return None
