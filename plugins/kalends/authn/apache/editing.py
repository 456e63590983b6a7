"""Edits of Apache's password and digest files. Pure: the old bytes to the new ones, no I/O.

All lines but those of the account stay the same, byte for byte. Lines are those of `htlines.spans`,
so that an edit changes exactly what logins read.

A name is text here, as for the application. New lines are UTF-8; lines that spell the name in
ISO-8859-1 are its lines as well (see `htfiles.decode_name`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from kalends.authn.apache.htfiles import decode_name, parse_htdigest
from kalends.authn.apache.htlines import (
    BLANKS,
    PASSWORD_LINE_LIMIT,
    LineSpan,
    OverlongLine,
    spans,
    split_field,
)
from kalends.errors import KalendsError

_SHA256_DIGITS = 64


class EditRefusedError(KalendsError):
    """An edit that a user file cannot take.

    Args:
        why: the reason, without the file's name.
        line: the line, counted from 1, where one can be named.
    """

    def __init__(self, why: str, line: int | None = None) -> None:
        self.why = why
        self.line = line
        super().__init__(f"line {line}: {why}" if line is not None else why)


class Ha1(NamedTuple):
    """The hashes that a digest file keeps of a password, in lower-case hex.

    For HTTP Digest they are as good as the password, so they are not part of the repr.
    """

    md5: bytes
    sha256: bytes

    def __repr__(self) -> str:
        return "Ha1(…)"


def refusal_of_spelling(name: str) -> str | None:
    """Return the reason why a user file cannot hold this name, for a person; None if it can."""
    if not name:
        return "it is empty"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "it is not UTF-8"
    if any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        return "it holds a control character"
    if ":" in name:
        return "it holds a colon"
    if name.startswith("#"):
        return "it begins with '#', like a comment"
    if name != name.strip():
        return "it begins or ends with a blank"
    if name.endswith("\\"):
        return "it ends with a backslash"
    return None


def set_passwords(data: bytes, fields: Mapping[str, bytes]) -> bytes:
    """Return a password file in which each of these accounts has one line, with this hash field.

    The line takes the place of the account's first one, or comes at the end; text after the hash on
    it stays.

    Args:
        data: the file.
        fields: hash fields by name.

    Raises:
        EditRefusedError: the file has an overlong line, or would get one.
    """
    lines = entries(data)
    changes: dict[int, list[bytes]] = {}
    appended: list[bytes] = []
    own = _places(lines, fields, _password_account)
    for name, stored in fields.items():
        places = own.get(name, [])
        found = [lines[place].text for place in places]
        made = [name.encode() + b":" + stored + _password_tail(found)]
        _put(places, made, changes, appended)
    return with_lines_appended(_changed(data, lines, changes), appended)


def set_digests(data: bytes, realm: str, ha1s: Mapping[str, Ha1]) -> bytes:
    """Return a digest file in which each of these accounts has just these hashes in the realm.

    There is an MD5 line, followed by one for SHA-256 if the account had one or if all accounts of
    the realm have one (before the MD5 line it would hide the account from Apache).

    Args:
        data: the file.
        realm: the realm; lines of others stay.
        ha1s: by name.

    Raises:
        EditRefusedError: the file has an overlong line, or would get one; or a digest file cannot
            hold the realm.
    """
    _require_realm(realm)
    lines = entries(data)
    everyone_has_sha256 = parse_htdigest(data).accounts(realm.encode()).all_sha256
    changes: dict[int, list[bytes]] = {}
    appended: list[bytes] = []
    own = _places(lines, ha1s, _digest_account(realm))
    for name, ha1 in ha1s.items():
        places = own.get(name, [])
        tails = [_hash_and_tail(lines[place].text) for place in places]
        md5 = [tail for hash_, tail in tails if len(hash_) != _SHA256_DIGITS]
        sha256 = [tail for hash_, tail in tails if len(hash_) == _SHA256_DIGITS]
        start = name.encode() + b":" + realm.encode() + b":"
        made = [start + ha1.md5 + (md5[0] if md5 else b"")]
        if sha256 or everyone_has_sha256:
            made.append(start + ha1.sha256 + (sha256[0] if sha256 else b""))
        _put(places, made, changes, appended)
    return with_lines_appended(_changed(data, lines, changes), appended)


def without_password(data: bytes, name: str) -> bytes:
    """Return a password file without any line of the account.

    Raises:
        EditRefusedError: the file has an overlong line.
    """
    lines = entries(data)
    own = _places(lines, {name}, _password_account).get(name, [])
    return _changed(data, lines, {place: [] for place in own})


def without_digest(data: bytes, realm: str, name: str) -> bytes:
    """Return a digest file without any line of the account in the realm.

    Raises:
        EditRefusedError: the file has an overlong line.
    """
    lines = entries(data)
    own = _places(lines, {name}, _digest_account(realm)).get(name, [])
    return _changed(data, lines, {place: [] for place in own})


def other_realms(data: bytes, realm: str, name: str) -> list[str]:
    """Return the other realms in which a digest file has the account, sorted by name."""
    file = parse_htdigest(data)
    # Only where a hash follows: in the line of a password file, the second field is the hash.
    return sorted(
        decode_name(other)
        for user, other in file.first
        if decode_name(user) == name and other != realm.encode() and file.find(user, other)
    )


class FileLine(NamedTuple):
    """A logical line with its trimmed text, which is empty for a comment."""

    span: LineSpan
    text: bytes


def entries(data: bytes, limit: int = PASSWORD_LINE_LIMIT) -> list[FileLine]:
    """Return all logical lines of a file, comments and empty ones too.

    Raises:
        EditRefusedError: the file has an overlong line.
    """
    found = []
    for span in spans(data, limit):
        if isinstance(span, OverlongLine):
            raise EditRefusedError(
                "the line is too long: neither Apache nor Kalends reads the file from here on; "
                "shorten it first",
                span.number,
            )
        text = span.joined.strip(BLANKS)
        found.append(FileLine(span, b"" if text.startswith(b"#") else text))
    return found


def with_lines_appended(
    data: bytes, lines: Sequence[bytes], limit: int = PASSWORD_LINE_LIMIT
) -> bytes:
    """Return a file with more lines: at its end, or before a last line that would absorb them.

    Args:
        data: the file.
        lines: texts without line ends; none is a comment, or has blanks around it.
        limit: see `htlines.spans`.

    Raises:
        EditRefusedError: the file has an overlong line, or would get one.
    """
    if not lines:
        return data
    present = entries(data, limit)
    last = present[-1].span if present else None
    end = _line_end(data)
    more = b"".join(_whole_line(text, end, limit) for text in lines)
    if last is None or last.closed:
        return data + more
    if data.endswith((b"\n", b"\\", b"\\\r")) or len(last.joined) + len(end) >= limit:
        return data[: last.start] + more + data[last.start :]
    return data + end + more


def _changed(data: bytes, lines: list[FileLine], changes: Mapping[int, Sequence[bytes]]) -> bytes:
    """Return the file with some lines replaced."""
    parts = []
    for place, (span, _) in enumerate(lines):
        raw = data[span.start : span.end]
        if place in changes:
            end = _line_end(raw) if raw.endswith(b"\n") else _line_end(data)
            made = b"".join(_whole_line(text, end, PASSWORD_LINE_LIMIT) for text in changes[place])
            at_the_end = span.end == len(data) and not raw.endswith(b"\n")
            parts.append(made.removesuffix(end) if at_the_end else made)
        else:
            parts.append(raw)
    return b"".join(parts)


def _whole_line(text: bytes, end: bytes, limit: int) -> bytes:
    if text.endswith(b"\\"):
        text += b" "  # or the next line would continue this one
    if len(text) + len(end) > limit:
        raise EditRefusedError(f"a line would have more than {limit - len(end)} bytes")
    return text + end


def _line_end(data: bytes) -> bytes:
    """Return the line end of the last line that has one."""
    at = data.rfind(b"\n")
    return b"\r\n" if at > 0 and data[at - 1 : at] == b"\r" else b"\n"


def _places(
    lines: list[FileLine], names: Mapping[str, object] | set[str], account: Callable[[bytes], bytes]
) -> dict[str, list[int]]:
    """Return the indices of the lines of each name; one that spells it in UTF-8 comes first."""
    found: dict[str, list[int]] = {}
    for place, (_, text) in enumerate(lines):
        spelt = account(text) if text else b""
        name = decode_name(spelt)
        if spelt and name in names:
            found.setdefault(name, []).append(place)
    for name, places in found.items():
        places.sort(key=lambda place: account(lines[place].text) != name.encode())
    return found


def _put(
    places: list[int], made: list[bytes], changes: dict[int, list[bytes]], appended: list[bytes]
) -> None:
    """Put ``made`` at the first of the places, and delete the others."""
    if not places:
        appended += made
    for place in places:
        changes[place] = made if place == places[0] else []


def _password_account(text: bytes) -> bytes:
    return split_field(text)[0]


def _password_tail(found: list[bytes]) -> bytes:
    if not found:
        return b""
    _, rest = split_field(found[0])
    return rest[len(split_field(rest)[0]) :]


def _digest_account(realm: str) -> Callable[[bytes], bytes]:
    def account(text: bytes) -> bytes:
        user, rest = split_field(text)
        return user if split_field(rest)[0] == realm.encode() else b""

    return account


def _hash_and_tail(text: bytes) -> tuple[bytes, bytes]:
    """Return the third field of a digest line, and the text after it."""
    rest = split_field(split_field(text)[1])[1]
    hash_ = rest.partition(b":")[0]
    return hash_, rest[len(hash_) :]


def _require_realm(realm: str) -> None:
    if not realm or ":" in realm or any(ord(c) < 32 or ord(c) == 127 for c in realm):
        raise EditRefusedError(
            f"a digest file cannot hold the realm {realm!r}: it is empty, or contains a colon or a "
            "control character"
        )
