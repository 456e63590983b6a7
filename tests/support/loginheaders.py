"""Hypothesis strategies for Authorization headers."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import quote_from_bytes, unquote_to_bytes

from hypothesis import strategies as st

from support.userfiles import NAMES, PASSWORDS, DigestLogin, Login, md5


@st.composite
def basic_headers(draw: st.DrawFn, logins: list[Login], prefix: bytes = b"") -> list[bytes]:
    """Draw Authorization lines for one of these logins, mostly correct ones.

    Args:
        draw: supplied by Hypothesis.
        logins: the known names and passwords.
        prefix: the beginning of each other name.
    """
    login = draw(st.sampled_from(logins or [Login(prefix + b"alice", b"secret")]))
    name, password = login.name, login.password
    how = draw(st.integers(0, 11))
    if how == 0:
        name = prefix + draw(st.sampled_from(NAMES) | st.binary(max_size=4))
    elif how <= 2:
        password = draw(
            st.sampled_from([*PASSWORDS, password + b"x", password[:-1], password.swapcase()])
            | st.binary(max_size=4)
        )
    text = name + b":" + password
    if draw(st.integers(0, 15)) == 0:
        at = draw(st.integers(0, len(text)))
        text = draw(st.sampled_from([name, text[:at] + b"\0" + text[at:], b":" + password, b""]))
    encoded = base64.b64encode(text)
    # The number of blanks in the longest header line that Apache accepts.
    longest = 8190 - len(b"Authorization: Basic ") - len(encoded)
    form = draw(st.integers(0, 99))
    forms = [
        *([b"basic " + encoded], [b"BASIC \t " + encoded], [b"Basic  " + encoded.rstrip(b"=")]),
        *([b"Basic\t" + encoded], [b"Basic " + encoded + b"="], [b"Basic " + encoded + b" \t"]),
        *([b"Basic " + encoded + b"!x"], [b"Basic " + encoded[:-1]], [b"Basic " + encoded + b"A"]),
        *([b"Basic " + base64.urlsafe_b64encode(text)], [b"Basic"], [b"Bearer " + encoded]),
        [b"Basic " + base64.b64encode(text + b"\0x")],
        *([b"Basic " + encoded, b"Basic x"], [b"Basic !", b"Basic " + encoded], [encoded], []),
        *(
            [b"Basic " + b" " * (longest + draw(st.integers(-4, 4))) + encoded],
            [b" Basic " + encoded],
        ),
    ]
    return forms[form] if form < len(forms) else [b"Basic " + encoded]


@dataclass(frozen=True)
class DigestAttempt:
    """An Authorization header for HTTP Digest, without its nonce and response.

    Attributes:
        target: the request target.
        fields: the fields, unescaped, in order, with ``@NONCE@`` and ``@RESPONSE@``.
        text: the header's value, with ``@NONCE@`` and ``@RESPONSE@``.
        ha1: the hash of name, realm and password, from which the response is computed.
        shape: the change to the computed response: ``upper``, ``cut`` or empty.
    """

    target: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    text: bytes
    ha1: bytes
    shape: str

    def __getitem__(self, name: bytes) -> bytes:
        return dict(self.fields).get(name, b"")

    def header(self, nonce: bytes) -> bytes:
        """Return the header's value with this nonce, and with the response to it."""
        parts = [self.ha1, nonce, self[b"nc"], self[b"cnonce"], self[b"qop"]]
        if b"qop" not in dict(self.fields):
            parts = parts[:2]
        response = md5(*parts, md5(b"GET", self[b"uri"]))
        if self.shape == "upper":
            response = response.upper()
        elif self.shape == "cut":
            response = response[:-1]
        return self.text.replace(b"@NONCE@", nonce).replace(b"@RESPONSE@", response)


TARGETS = [
    *(b"", b"x%20y", b"%C3%A5?x=1&y=%2F", b"a%2Fb", b"~u/a+b;c@d:e", b"?", b"x?y", b"%7eu?%41"),
    *(b"q?a%20b", b"q?%2F", b"q?a=1&b=%C3%A5"),
    *(b"a/../b", b"a//b", b"a%252Fb", b"x,y", b"(x)!*'"),
]


def _uris(target: bytes, host: bytes) -> list[bytes]:
    """Return other ways of writing a target, right and wrong."""
    path, mark, query = target.partition(b"?")
    ways = [
        *(unquote_to_bytes(target), target.replace(b"/", b"%2F"), target.replace(b"%", b"%25")),
        *(path + mark + unquote_to_bytes(query), unquote_to_bytes(path) + mark + query),
        quote_from_bytes(unquote_to_bytes(path), "/").encode() + mark + query,
        re.sub(rb"%..", lambda found: found[0].swapcase(), target),
        *(b"http://" + host + target, b"HTTP://" + host + target, b"http://other" + target),
        *(path, target + b"?", target + b"&z", target + b"#f", target + b"/", b"/" + target),
        *(target.replace(b"d", b"%64"), target.replace(b"y", b"%79"), target[1:], b"*", b""),
    ]
    return [way for way in ways if way != target]


def _quoted(value: bytes) -> bytes:
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _respelt(name: bytes) -> bytes:
    """Return a UTF-8 name in ISO-8859-1, and any other name in UTF-8."""
    try:
        return name.decode().encode("latin-1")
    except UnicodeError:
        return name.decode("latin-1").encode()


_COUNTS = [b"1", b"0000000a", b"ffffffff", b"00000000", b"zz", b"-1", b"000000001", b"0x1", b""]
_OTHERS = [
    *((b"userhash", b"false"), (b"charset", b"UTF-8"), (b"foo", b'bar, "baz'), (b"opaque", b"")),
    *((b"opaque", b"abcdef"), (b"username*", b"UTF-8''bob"), (b"domain", b"/"), (b"nc2", b"1")),
]
_ODDITIES = [
    *("name", "realm", "uri", "count", "cnonce", "qop", "algorithm", "other", "twice", "lacks"),
    *("order", "shape", "ha1", "unescaped", "tokens", "commas", "scheme", "spelling"),
    *["uri"] * 4,  # has the most wrong forms
    *["other"] * 2,
]


@st.composite
def digest_attempts(
    draw: st.DrawFn,
    logins: list[DigestLogin],
    realm: bytes,
    place: bytes,
    host: bytes,
    prefix: bytes = b"",
) -> DigestAttempt:
    """Draw a header for one of these logins, mostly a correct one.

    Args:
        draw: supplied by Hypothesis.
        logins: the known names, realms and hashes.
        realm: the realm of the protected path.
        place: the protected path.
        host: the request's host.
        prefix: the beginning of each other name.
    """
    login = draw(st.sampled_from(logins or [DigestLogin(prefix + b"alice", realm, b"0" * 32)]))
    count = draw(st.sampled_from([0, 1, 1, 2]))
    odd = draw(st.sets(st.sampled_from(_ODDITIES), min_size=count, max_size=count))
    target = place + draw(st.sampled_from(TARGETS))
    chosen = {
        b"username": login.name,
        b"realm": realm,
        b"nonce": b"@NONCE@",
        b"uri": target,
        b"response": b"@RESPONSE@",
        b"algorithm": b"MD5",
        b"qop": b"auth",
        b"nc": b"00000001",
        b"cnonce": b"0a4f113b",
    }
    ha1 = login.ha1
    others: dict[str, tuple[bytes, list[bytes]]] = {
        "name": (b"username", [prefix + name for name in (*NAMES, b"", b"carol")]),
        "spelling": (b"username", [_respelt(login.name)]),
        "realm": (b"realm", [b"R", realm.lower(), b"", realm + b" "]),
        "uri": (b"uri", _uris(target, host)),
        "count": (b"nc", _COUNTS),
        "cnonce": (b"cnonce", [b"", b"a" * 300, b'"', b"x, y", b"\xc3\xa5"]),
        "qop": (b"qop", [b"AUTH", b"auth-int", b"", b"auth,auth-int"]),
        "algorithm": (b"algorithm", [b"md5", b"MD5-sess", b"SHA-256", b"", b"SHA"]),
    }
    for how in sorted(odd & set(others)):
        name, values = others[how]
        chosen[name] = draw(st.sampled_from(values))
    if "other" in odd:
        chosen.update([draw(st.sampled_from(_OTHERS))])
    if "lacks" in odd:
        del chosen[draw(st.sampled_from(sorted(chosen)))]
    if "ha1" in odd:
        ha1 = draw(st.sampled_from([b"", ha1.lower(), ha1.upper(), b"0" * 32]))
    shape = draw(st.sampled_from(["upper", "cut"])) if "shape" in odd else ""
    fields = list(chosen.items())
    if "order" in odd:
        fields = draw(st.permutations(fields))
    if "twice" in odd:
        name, value = draw(st.sampled_from(fields))
        fields.append((name, draw(st.sampled_from([value, b"bob"]))))
    return DigestAttempt(target, tuple(fields), draw(_written(fields, odd)), ha1, shape)


@st.composite
def _written(draw: st.DrawFn, fields: list[tuple[bytes, bytes]], odd: set[str]) -> bytes:
    """Draw a way to write the header's fields as text."""
    texts = []
    for name, value in fields:
        written = _quoted(value)
        if name in (b"algorithm", b"nc", b"qop") and value and "tokens" not in odd:
            written = value
        elif "tokens" in odd and draw(st.booleans()):
            written = draw(st.sampled_from([value, b'"' + value, b'"' + value + b'"junk']))
        elif "unescaped" in odd and name == b"username":
            written = b'"' + value + b'"'
        texts.append(name + b"=" + written)
    comma, scheme = b", ", b"Digest "
    if "commas" in odd:
        comma = draw(st.sampled_from([b",", b" , ", b",,", b", ,\t", b" ", b";"]))
        texts = [draw(st.sampled_from([text, text.replace(b"=", b" = ", 1)])) for text in texts]
    if "scheme" in odd:
        scheme = draw(st.sampled_from([b"digest  ", b"DIGEST\t", b"Digest ,", b"Digest", b"Dig "]))
    return scheme + comma.join(texts)
