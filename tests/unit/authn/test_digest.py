"""Parser and computations of HTTP Digest, and nonces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.authn.nonces.signing import NonceSigner
from kalends.authn.schemes.digest import (
    DigestCredentials,
    authentication_info,
    challenge,
    digest,
    expected_response,
    parse_digest,
)
from kalends.authn.schemes.digest_uri import designates

RFC7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", '
    'algorithm=%s, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="%s", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
RFC2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", '
    'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", qop=auth, nc=00000001, '
    'cnonce="0a4f113b", response="%s", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
STANDARD = 'username="a", realm="R", nonce="n", uri="/", response="r"'
PARSED = DigestCredentials(b"a", b"R", b"n", b"/", b"r", None, None, b"", b"", {})


@pytest.mark.parametrize(
    ("header", "algorithm", "password", "response"),
    [
        pytest.param(
            RFC7616,
            "MD5",
            b"Circle of Life",
            "8ca523f5e9506fed4657c9700eebdbec",
            id="rfc7616-3.9.1-md5",
        ),
        pytest.param(
            RFC7616,
            "SHA-256",
            b"Circle of Life",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            id="rfc7616-3.9.1-sha256",
        ),
        pytest.param(
            RFC2617,
            "MD5",
            b"Circle Of Life",
            "6629fae49393a05397450978507c4ef1",
            id="rfc2617-3.5",
        ),
    ],
)
def test_the_responses_of_the_rfcs_are_right(
    header: str, algorithm: str, password: bytes, response: str
) -> None:
    filled = header % ((algorithm, response) if header is RFC7616 else response)
    sent = parse_digest(filled)
    assert sent is not None
    assert sent.count == 1
    ha1 = digest(algorithm, sent.username, sent.realm, password)
    assert expected_response(algorithm, ha1, sent, b"GET") == sent.response == response.encode()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("Digest " + STANDARD, id="plain"),
        pytest.param("dIGEST\t " + STANDARD, id="scheme"),
        pytest.param('Digest username=a,realm=R,nonce=n,uri="/",response=r', id="tokens"),
        pytest.param("Digest , ," + STANDARD + " , ,", id="stray-commas"),
        pytest.param("Digest " + STANDARD.replace("=", " \t= "), id="blanks-around-equals"),
        pytest.param('Digest USERNAME="a", Realm="R", NONCE="n", URI="/", RESPONSE="r"',
                     id="names-in-upper-case"),
        pytest.param("Digest " + STANDARD.replace('"a",', '"a" \t,\t'), id="blanks-around-commas"),
        pytest.param("Digest " + STANDARD.replace(",", ",,"), id="empty-elements"),
        pytest.param("Digest " + STANDARD.replace('"a"', '"\\a"'), id="needless-backslash"),
    ],
)  # fmt: skip
def test_a_valid_header_is_parsed(value: str) -> None:
    assert parse_digest(value) == PARSED


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        "Digest ",
        "Basic YWxpY2U6c2VjcmV0",
        "DigestX " + STANDARD,
        'Digest ====,,,,""""',
        "Digest " + STANDARD + ', username="b"',
        "Digest " + STANDARD + ', USERNAME="a"',
        "Digest " + STANDARD + ", qop=auth",
        "Digest " + STANDARD + ", qop=auth, nc=1",
        "Digest " + STANDARD.replace(",", ";"),
        "Digest " + STANDARD.replace(",", ""),
        "Digest " + STANDARD.replace('"a"', '"a\n"'),
        "Digest " + STANDARD.replace('"a"', '"a\0"'),
        "Digest " + STANDARD.replace('"a",', '"a"junk,'),
        "Digest " + STANDARD.replace('"a",', '"a" junk,'),
        "Digest " + STANDARD.replace('"a",', '"a""b",'),
        "Digest " + STANDARD.replace('"a",', "a junk,"),
        "Digest " + STANDARD.replace('"a",', 'a"b",'),
        "Digest " + STANDARD.replace('"a",', "\xe5,"),
        "Digest " + STANDARD.replace('"a",', ","),
        "Digest " + STANDARD.replace('"/"', "/"),
        "Digest " + STANDARD.replace('"n"', "bg=="),
        "Digest " + STANDARD[:-1],
        "Digest " + STANDARD[:-1] + "\\",
        "Digest " + STANDARD[:-1] + '\\"',
        "Digest " + STANDARD + " junk",
        "Digest " + STANDARD + '"',
        "Digest " + STANDARD + ", x y=z",
        "Digest " + STANDARD + ", x",
        "Digest " + STANDARD + ", x=",
        "Digest " + STANDARD + ", =x",
        "Digest " + STANDARD + ", x@y=z",
        "Digest \t" + STANDARD.replace("username", "\xa0username"),
        "Digest abc==, " + STANDARD,
        "Digest " + STANDARD.replace('username="a"', "username"),
        "Digest " + STANDARD.replace('username="a"', '"username"="a"'),
        *("Digest " + STANDARD.replace(name, "x") for name in ("realm", "nonce", "uri", "resp")),
    ],
)
def test_an_invalid_header_is_refused(value: str) -> None:
    assert parse_digest(value) is None


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        (r'"al\"ice"', b'al"ice'),
        (r'"dom\\alice"', b"dom\\alice"),
        (r'"dom\alice"', b"domalice"),
        ('"a, b=c"', b"a, b=c"),
        ('"\xc3\xa5"', "å".encode()),
        ('"\xe5"', b"\xe5"),
        ("'a'", b"'a'"),
        ('""', b""),
    ],
)
def test_a_quoted_name_is_unescaped(sent: str, meant: bytes) -> None:
    parsed = parse_digest("Digest " + STANDARD.replace('"a"', sent))
    assert parsed is not None
    assert parsed.username == meant


@pytest.mark.parametrize(
    ("sent", "count"),
    [("00000001", 1), ('"0000000a"', 10), ("FFFFFFFF", 2**32 - 1), ("1", 1), ("00000000", None),
     ("0", None), ('""', None), ("zz", None), ("-1", None), ("+1", None), ("0x1", None),
     ("000000001", None), ("1_0", None), ('"\xd9\xa1"', None)],
)  # fmt: skip
def test_a_nonce_count_is_parsed(sent: str, count: int | None) -> None:
    parsed = parse_digest(f"Digest {STANDARD}, qop=auth, cnonce=x, nc={sent}")
    assert parsed is not None
    assert parsed.count == count


def test_secrets_are_not_in_the_repr() -> None:
    sent = parse_digest(RFC2617 % "6629fae49393a05397450978507c4ef1")
    assert "6629" not in repr(sent)


def test_a_challenge_has_realm_nonce_and_algorithm() -> None:
    assert challenge(b'a"b\\c', "N", "MD5", stale=False) == (
        'Digest realm="a\\"b\\\\c", nonce="N", algorithm=MD5, qop="auth"'
    )
    assert challenge("é".encode(), "N", "SHA-256", stale=True) == (
        'Digest realm="\xc3\xa9", nonce="N", algorithm=SHA-256, stale=true, qop="auth"'
    )


def test_authentication_info_has_the_servers_response() -> None:
    """The expected response, of an empty method (RFC 7616 section 3.5), is md5sum's."""
    sent = parse_digest(f'Digest {STANDARD}, qop=AUTH, nc=00000001, cnonce="x\\"y"')
    assert sent is not None
    rspauth = "1bd68b1b4e8a82550634fca4c7effeb1"
    assert authentication_info("MD5", b"HA1", sent, None) == (
        f'rspauth="{rspauth}", cnonce="x\\"y", nc=00000001, qop=auth'
    )
    assert authentication_info("MD5", b"HA1", sent, "N").startswith(
        f'rspauth="{rspauth}", nextnonce="N", cnonce'
    )
    old = parse_digest("Digest " + STANDARD)
    assert old is not None
    assert authentication_info("MD5", b"HA1", old, None).count("=") == 1


PIECES = st.sampled_from(
    ["username", "nc", "qop", "=", '"', "\\", ",", " ", "\t", "a", "\xff", "\0", "é", ";"]
)


@given(st.text() | st.lists(PIECES, max_size=60).map("".join))
def test_any_header_is_refused_or_has_a_32_bit_count(value: str) -> None:
    for header in (value, "Digest " + value, f"Digest {STANDARD},{value}"):
        read = parse_digest(header)
        assert read is None or read.count is None or 0 < read.count < 2**32


@pytest.mark.parametrize("filling", ['"', "\\", '"\\', "a=", ",", " "])
def test_a_long_header_is_parsed_in_linear_time(filling: str) -> None:
    """A pattern that backtracks would not finish within the time limit of a test."""
    filled = filling * 4000
    assert parse_digest("Digest " + filled) is None
    read = parse_digest(f'Digest {STANDARD}, x="{filled}')
    assert read is None or read.username == b"a"


SIGNER = NonceSigner(b"key", b"R")


def test_an_issued_nonce_is_genuine_and_dated() -> None:
    nonce = SIGNER.read(SIGNER.issue(1_790_000_000.5, 7).encode())
    assert nonce is not None
    assert nonce.genuine
    assert nonce.issued == 1_790_000_000.5


def test_nonces_of_one_moment_differ() -> None:
    assert SIGNER.issue(1.0, 1) != SIGNER.issue(1.0, 2)


@pytest.mark.parametrize(
    "other", [NonceSigner(b"other", b"R"), NonceSigner(b"key", b"S")], ids=["key", "realm"]
)
def test_a_nonce_is_valid_only_for_its_key_and_realm(other: NonceSigner) -> None:
    nonce = other.read(SIGNER.issue(1.0, 1).encode())
    assert nonce is not None
    assert not nonce.genuine


@given(st.integers(0, 51), st.sampled_from(b"Aa0/+=z"))
def test_no_changed_nonce_is_genuine(position: int, byte: int) -> None:
    text = bytearray(SIGNER.issue(1_790_000_000.5, 7).encode())
    changed = text[position] != byte
    text[position] = byte
    nonce = SIGNER.read(bytes(text))
    assert nonce is None or nonce.genuine is not changed


@given(st.binary())
def test_random_bytes_are_not_a_genuine_nonce(text: bytes) -> None:
    nonce = SIGNER.read(text)
    assert nonce is None or not nonce.genuine


@pytest.mark.parametrize(
    ("target", "uri", "same"),
    [
        ("/a", "/a", True),
        ("/a", "/b", False),
        ("/a", "/a/", False),
        ("/a?x=1", "/a?x=1", True),
        ("/a?x=1", "/a", False),
        ("/a", "/a?x=1", False),
        ("/a?", "/a", False),
        ("/a?x=%41", "/a?x=A", True),
        ("/%61", "/a", True),
        ("/%C3%A9", "/%c3%a9", True),
        ("/%C3%A9", "/\xc3\xa9", True),
        ("/a%2Fb", "/a%2Fb", True),
        ("/a%2Fb", "/a%2fb", True),
        ("/a%2Fb", "/a/b", False),
        ("/a/b", "/a%2Fb", False),
        ("//a/b", "//a/b", True),
        ("//a/b", "/a/b", False),
        ("/a/../b", "/b", False),
        ("/a", "/a#x", False),
        ("/a", "http://example.org:5232/a", True),
        ("/a", "HTTPS://EXAMPLE.ORG:5232/a", True),
        ("/a", "http://example.org/a", False),
        ("/a", "http://evil.example/a", False),
        ("http://example.org:5232/a", "/a", True),
        ("http://example.org:5232/a", "http://example.org:5232/a", True),
        ("/", "http://example.org:5232", True),
        ("*", "*", True),
        ("/a", "*", False),
        ("/a", "a", False),
        ("/a", "", False),
    ],
)
@pytest.mark.parametrize("key", ["RAW_URI", "REQUEST_URI"])
def test_a_uri_is_compared_with_the_request_target(
    key: str, target: str, uri: str, same: bool
) -> None:
    environ = {key: target, "HTTP_HOST": "example.org:5232"}
    assert designates(uri.encode("latin-1"), environ) is same


def test_a_uri_has_the_prefix_that_a_proxy_removes() -> None:
    environ = {"RAW_URI": "/a"}
    assert designates(b"/dav/a", environ, "/dav")
    assert designates(b"/a", environ, "/dav")
    assert not designates(b"/dav/a", environ)
    assert not designates(b"/dav/b", environ, "/dav")


def test_a_uri_is_compared_with_the_path_if_there_is_no_raw_target() -> None:
    environ = {"SCRIPT_NAME": "/x", "PATH_INFO": "/\xc3\xa9/b c", "QUERY_STRING": "q=%20"}
    assert designates(b"/x/%C3%A9/b%20c?q=%20", environ)
    assert designates(b"/x/%C3%A9%2Fb%20c?q=%20", environ)
    assert not designates(b"/x/%C3%A9/b?q=%20", environ)
