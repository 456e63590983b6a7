"""Parser of the Authorization header for HTTP Basic."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.authn.schemes.basic import BasicCredentials, basic_challenge, parse_basic

ALICE = BasicCredentials(b"alice", b"secret")


@pytest.mark.parametrize(
    "value",
    [
        "Basic YWxpY2U6c2VjcmV0",
        "basic YWxpY2U6c2VjcmV0",
        "BASIC  \t YWxpY2U6c2VjcmV0 ",
        "Basic YWxpY2U6c2VjcmV0=",
        "Basic YWxpY2U6c2VjcmV0=====",
    ],
)
def test_a_valid_header_is_parsed(value: str) -> None:
    assert parse_basic(value) == ALICE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"alice:", BasicCredentials(b"alice", b"")),
        (b":secret", BasicCredentials(b"", b"secret")),
        (b"alice::p:j:", BasicCredentials(b"alice", b":p:j:")),
        (b"\xe5lice:\xff", BasicCredentials(b"\xe5lice", b"\xff")),
        (b" alice : secret ", BasicCredentials(b" alice ", b" secret ")),
    ],
)
def test_name_and_password_are_returned_as_bytes(text: bytes, expected: BasicCredentials) -> None:
    assert parse_basic("Basic " + base64.b64encode(text).decode()) == expected
    assert parse_basic("Basic " + base64.b64encode(text).decode().rstrip("=")) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="nothing"),
        pytest.param("Basic", id="no-credentials"),
        pytest.param("Basic ", id="empty-credentials"),
        pytest.param("Basic =", id="padding-alone"),
        pytest.param("Basic\tYWxpY2U6c2VjcmV0", id="tab-after-the-scheme"),
        pytest.param("BasicYWxpY2U6c2VjcmV0", id="no-blank"),
        pytest.param("Digest YWxpY2U6c2VjcmV0", id="another-scheme"),
        pytest.param("Basic !!!", id="no-base64"),
        pytest.param("Basic YWxpY2U6Pj4-Pz8_", id="url-safe-alphabet"),
        pytest.param("Basic YWxpY2 U6c2VjcmV0", id="a-blank-within"),
        pytest.param("Basic YWxpY2U6c2VjcmV0 trailing", id="junk-behind"),
        pytest.param("Basic YWxpY2U6c2VjcmV0, Basic Zm9vOmJhcg==", id="two-headers"),
        pytest.param("Basic YWxpY2U6c2VjcmV0,Basic Zm9vOmJhcg==", id="two-headers-no-blank"),
        pytest.param("Basic YWxpY2U6c2VjcmV0Y", id="impossible-length"),
        pytest.param("Basic YWxpY2U=", id="no-colon"),
        pytest.param("Basic YWxpY2UAeDp4", id="nul-in-the-name"),
        pytest.param("Basic YWxpY2U6c2VjcmV0AHRhaWw=", id="nul-in-the-password"),
        pytest.param("Basic YWxpY2U6c2VjcmV0\n", id="newline"),
        pytest.param("Basic \xe5", id="a-letter-that-is-not-ascii"),
    ],
)
def test_an_invalid_header_is_refused(value: str) -> None:
    assert parse_basic(value) is None


def test_the_password_is_not_in_the_repr() -> None:
    assert "secret" not in repr(ALICE)


def test_a_realm_is_quoted() -> None:
    assert basic_challenge('my "own" \\ realm') == (
        'Basic realm="my \\"own\\" \\\\ realm", charset="UTF-8"'
    )


@given(st.text(st.characters(max_codepoint=255)), st.sampled_from(["", "Basic ", "basic  "]))
def test_any_header_is_refused_or_has_a_name_and_a_password(value: str, scheme: str) -> None:
    read = parse_basic(scheme + value)
    if read is not None:
        assert scheme
        assert b":" not in read.user
        assert b"\0" not in read.user + read.password


CLEAN = st.binary().filter(lambda b: b"\0" not in b)


@given(CLEAN.filter(lambda user: b":" not in user), CLEAN)
def test_sent_credentials_are_parsed(user: bytes, password: bytes) -> None:
    header = "Basic " + base64.b64encode(user + b":" + password).decode()
    assert parse_basic(header) == BasicCredentials(user, password)
