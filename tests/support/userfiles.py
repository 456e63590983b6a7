"""Hypothesis strategies for Apache's user files, and for the logins in them.

Each hash takes some milliseconds to verify at most, so that the tests neither reach a cost limit
nor keep the machine busy.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st

from kalends.authn.hashing import libcrypt
from kalends.authn.hashing.apr1 import apr1

NAMES = [
    *(b"alice", b"bob", b"Alice", b"alice smith", b'al"ice', b"dom\\alice", b"a/b", b"a@b"),
    *("ålice".encode(), "ålice".encode("latin-1"), "\N{GRINNING FACE}".encode(), b"#hash", b"'q'"),
    *(b"x" * 300, b"a\tb", b"*", b"-"),
]
PASSWORDS = [
    *(b"secret", b"", b"pass:word", b"12345678", b"123456789", b" blank "),
    *("pässwörd".encode(), "pässwörd".encode("latin-1"), b"\xff\xa3", b"a" * 72, b"a" * 73),
    *(b"b" * 511, b"b" * 512, b"secret\\", b"\x01\x7f"),
]

_SALT = st.text("./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", max_size=10)
_BCRYPT_SALT = "abcdefghijklmnopqrstu"
# Functions that return a crypt(3) setting with a given salt.
_SETTINGS: dict[str, Callable[[str], str]] = {
    "des": lambda salt: (salt + "..")[:2],
    "md5": lambda salt: f"$1${salt}$",
    "sha256": lambda salt: f"$5$rounds=1000${salt}$",
    "sha512": lambda salt: f"$6$rounds=1000${salt}$",
    "2y": lambda salt: f"$2y$04${(salt + _BCRYPT_SALT)[:21]}O",
    "2a": lambda salt: f"$2a$04${(salt + _BCRYPT_SALT)[:21]}e",
    "2b": lambda salt: f"$2b$04${(salt + _BCRYPT_SALT)[:21]}u",
    "2x": lambda salt: f"$2x$04${(salt + _BCRYPT_SALT)[:21]}.",
    "yescrypt": lambda salt: f"$y$./.${salt}$",
    "gost-yescrypt": lambda salt: f"$gy$./.${salt}$",
    "sha1crypt": lambda salt: f"$sha1$20${salt}$",
    "bsdi": lambda salt: f"_/...{(salt + '....')[:4]}",
    "nt": lambda _: "$3$",
}
_JUNK = [
    *(b"", b"x", b"*", b"!", b"*0", b"*1", b"{SHA}", b"$apr1$", b"$apr1$$", b"$1$", b"$6$", b"$y$"),
    b"$2y$31$" + b"a" * 53,
    b"$2y$04$",
    b"$5$rounds=999$ab$" + b"a" * 43,
    b"$6$rounds=01000$ab$" + b"a" * 86,
    b"{SSHA}" + base64.b64encode(b"a" * 24),
    b"{PLAIN}secret",
    b"$argon2id$v=19$m=16,t=2,p=1$YWFhYWFhYWE$YWFhYWFhYWE",
    b"ab",
]


@cache
def _hashed(kind: str, password: bytes, salt: str) -> bytes:
    """Return the hash field of a password; empty if the format has none for it."""
    if kind == "apr1":
        return apr1(password, salt.encode())
    if kind == "sha1":
        return b"{SHA}" + base64.b64encode(hashlib.sha1(password).digest())
    crypt = libcrypt.load()
    assert crypt is not None, "the tests need libcrypt"
    return crypt(password, _SETTINGS[kind](salt).encode()) or b""


@dataclass(frozen=True)
class Login:
    """A name and a password to try."""

    name: bytes
    password: bytes


@st.composite
def _corrupted(draw: st.DrawFn, field: bytes) -> bytes:
    """Draw a hash field with a fault that does not change its cost."""
    how = draw(st.sampled_from(["cut", "more", "digit", "case", "lock", "blank", "last"]))
    if not field or how == "lock":
        return draw(st.sampled_from([b"!", b"*", b"$"])) + field
    if how == "cut":
        return field[: -draw(st.integers(1, 3))]
    if how == "more":
        return field + draw(st.sampled_from([b"a", b"=", b".", b"$", b"\\", b"\xc3\xa5"]))
    if how == "case":
        return field.swapcase() if field.startswith((b"{", b"$apr1")) else field[:-4] + b"AbCd"
    if how == "blank":
        return b" " + field
    if how == "last":
        return field[:-1] + bytes([field[-1] ^ 1])
    # The cost of a hash is before its eighth character.
    at = draw(st.integers(min(7, len(field)), len(field)))
    return field[:at] + draw(st.sampled_from([b"a", b"/", b"Z", b"\\"])) + field[at + 1 :]


@st.composite
def hash_fields(draw: st.DrawFn, password: bytes) -> bytes:
    """Draw the hash field of an htpasswd line, mostly a correct one."""
    kind = draw(st.sampled_from([*_SETTINGS, "apr1", "apr1", "sha1", "sha1"]))
    field = _hashed(kind, password, draw(_SALT | st.just("saltsalt")))
    how = draw(st.integers(0, 11))
    if how == 0:
        return draw(_corrupted(field))
    if how == 1:
        return draw(st.sampled_from([*_JUNK, password.replace(b":", b"")]))
    return field


def passwords() -> st.SearchStrategy[bytes]:
    """Return a strategy for passwords, most of which occur again."""
    any_length = st.builds(bytes.__mul__, st.binary(min_size=1, max_size=3), st.integers(0, 200))
    odd = (st.binary(max_size=20) | any_length).map(lambda text: text.replace(b"\0", b"0"))
    return st.just(b"secret") | st.sampled_from(PASSWORDS) | st.sampled_from(PASSWORDS) | odd


def names() -> st.SearchStrategy[bytes]:
    """Return a strategy for users' names, most of which occur again."""
    odd = st.binary(max_size=5).map(lambda name: name.translate(None, _NOT_IN_NAMES))
    return st.sampled_from(NAMES[:2]) | st.sampled_from(NAMES) | st.sampled_from(NAMES) | odd


# Characters that end a name or a line, and control characters, which no header can contain.
_NOT_IN_NAMES = bytes([*range(9), *range(10, 32), 127]) + b":"


@st.composite
def lines_without_account(draw: st.DrawFn, near_limit: int = 8190) -> bytes:
    """Draw a line without an account, which may change the meaning of other lines."""
    return draw(
        st.sampled_from([b"", b"# comment", b"#alice:x", b"  # indented", b"\t", b"nobody", b":"])
        | st.sampled_from([b"# goes on \\", b"\\", b"alice\\", b"bob:\\", b"x\0y", b"\0", b"::"])
        | st.sampled_from([b":{SHA}x", b"alice", b"bob:", b"\xa0", b"\xef\xbb\xbf"])
        | st.integers(near_limit - 4, near_limit + 4).map(lambda length: b"#" * length)
        | st.binary(max_size=6).filter(lambda text: b":" not in text)
    )


@st.composite
def decorated_lines(draw: st.DrawFn, text: bytes, tidy: bool) -> bytes:
    """Draw a line with blanks, further fields, a long tail or line ends around it.

    Args:
        draw: supplied by Hypothesis.
        text: the line.
        tidy: add only a line end.
    """
    if tidy:
        return text + b"\n"
    if draw(st.integers(0, 5)) == 0:
        tail = st.integers(8185, 8195).map(lambda length: b":" + b"t" * (length - len(text) - 1))
        text += draw(st.sampled_from([b":", b":more", b"::", b":Full Name:x", b" ", b"\0z"]) | tail)
    if draw(st.integers(0, 5)) == 0:
        text = draw(st.sampled_from([b" ", b"\t", b"\v\f", b"\r", b"\0"])) + text
    if draw(st.integers(0, 7)) == 0:
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from([b"\\\n", b"\\\r\n", b"\\\\\n"])) + text[at:]
    return text + draw(st.sampled_from([b"\n"] * 6 + [b"\r\n", b" \n", b"\t\r\n", b"\\\n", b"\r"]))


@st.composite
def file_of_lines(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """Draw a file of these lines, perhaps with a byte order mark or without the last line end."""
    data = b"".join(lines)
    how = draw(st.integers(0, 15))
    if how == 0:
        return b"\xef\xbb\xbf" + data
    if how == 1:
        return data.removesuffix(b"\n")
    return data


@st.composite
def htpasswd_files(draw: st.DrawFn, prefix: bytes = b"") -> tuple[bytes, list[Login]]:
    """Draw an AuthUserFile for HTTP Basic, and the logins of its lines.

    Args:
        draw: supplied by Hypothesis.
        prefix: the beginning of each name.
    """
    lines, logins, tidy = [], [], draw(st.booleans())
    for _ in range(draw(st.integers(1, 6))):
        if not tidy and draw(st.integers(0, 4)) == 0:
            lines.append(draw(lines_without_account()) + b"\n")
            continue
        login = Login(prefix + draw(names()), draw(passwords()))
        colon = draw(st.sampled_from([b":"] * 12 + [b"::", b":::", b" :", b": "]))
        lines.append(
            draw(decorated_lines(login.name + colon + draw(hash_fields(login.password)), tidy))
        )
        logins.append(login)
    return draw(file_of_lines(lines)), logins


def md5(*parts: bytes) -> bytes:
    """Return the MD5 of parts joined by colons in hex, as HTTP Digest uses it."""
    return hashlib.md5(b":".join(parts), usedforsecurity=False).hexdigest().encode()


@dataclass(frozen=True)
class DigestLogin:
    """A name, a realm and a hash to try."""

    name: bytes
    realm: bytes
    ha1: bytes


@st.composite
def htdigest_files(
    draw: st.DrawFn, realms: list[bytes], prefix: bytes = b""
) -> tuple[bytes, list[DigestLogin]]:
    """Draw an AuthUserFile for HTTP Digest, and the logins of its lines.

    Args:
        draw: supplied by Hypothesis.
        realms: the realms of most lines.
        prefix: the beginning of each name.
    """
    lines, logins, tidy = [], [], draw(st.booleans())
    for _ in range(draw(st.integers(1, 6))):
        if not tidy and draw(st.integers(0, 4)) == 0:
            lines.append(draw(lines_without_account()) + b"\n")
            continue
        name, realm = prefix + draw(names()), draw(st.sampled_from([*realms, realms[0], b"r", b""]))
        password = draw(passwords())
        ha1 = draw(_ha1s(name, realm, password))
        colons = draw(st.sampled_from([(b":", b":")] * 12 + [(b"::", b":"), (b":", b"::")]))
        lines.append(draw(decorated_lines(name + colons[0] + realm + colons[1] + ha1, tidy)))
        logins.append(DigestLogin(name, realm, ha1))
    return draw(file_of_lines(lines)), logins


@st.composite
def _ha1s(draw: st.DrawFn, name: bytes, realm: bytes, password: bytes) -> bytes:
    right = md5(name, realm, password)
    how = draw(st.integers(0, 39))
    if how == 0:
        return right.upper()
    if how == 1:
        return draw(st.sampled_from([b"", b"x", b"*", right[:-1], right + b"0", right[:-1] + b"g"]))
    if how == 2:
        return hashlib.sha256(b":".join((name, realm, password))).hexdigest().encode()
    if how == 3:
        return draw(hash_fields(password))
    return right


@st.composite
def htgroup_files(draw: st.DrawFn, groups: list[bytes], users: list[bytes]) -> bytes:
    """Draw an AuthGroupFile with these groups and users."""
    lines, tidy = [], draw(st.booleans())
    for _ in range(draw(st.integers(1, 6))):
        if not tidy and draw(st.integers(0, 4)) == 0:
            lines.append(draw(lines_without_account()) + b"\n")
            continue
        group = draw(st.sampled_from(groups) if draw(st.integers(0, 5)) else names())
        group = draw(
            st.sampled_from([group] * 4 + [group.upper(), group.lower(), b'"' + group + b'"'])
        )
        colon = draw(st.sampled_from([b": "] * 8 + [b":", b" : ", b"::", b":::  ", b"\t:\v", b" "]))
        members = draw(st.lists(_members(users), min_size=1, max_size=5))
        blank = draw(st.sampled_from([b" "] * 8 + [b"\t", b"\v\f", b"  ", b",", b", ", b""]))
        lines.append(draw(decorated_lines(group + colon + blank.join(members), tidy)))
    return draw(file_of_lines(lines))


@st.composite
def _members(draw: st.DrawFn, users: list[bytes]) -> bytes:
    name = draw(st.sampled_from(users) if draw(st.integers(0, 5)) else names())
    quoted = name.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    single = name.replace(b"\\", b"\\\\").replace(b"'", b"\\'")
    return draw(
        st.sampled_from(
            [
                *(name, name, name.replace(b"\\", b"\\\\"), b'"' + quoted + b'"'),
                *(b"'" + single + b"'", b'"' + name + b'"', b"'" + name + b"'", b'"' + quoted),
                *(b'"' + quoted + b'"x', b"@" + name, b"+", b"#", b'""', b"''", b'"\\"', b"\\"),
            ]
        )
    )
