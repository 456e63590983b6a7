"""Parser of password files, which reads them as Apache does."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kalends.authn.apache.htfiles import (
    DigestEntry,
    PasswordEntry,
    RealmAccounts,
    parse_htdigest,
    parse_htpasswd,
)
from kalends.authn.apache.htlines import (
    PASSWORD_LINE_LIMIT,
    Line,
    OverlongLine,
    logical_lines,
    split_field,
)


def texts(data: bytes) -> list[bytes]:
    return [line.text if isinstance(line, Line) else b"OVERLONG" for line in logical_lines(data)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"\n\n", [], id="empty-lines"),
        pytest.param(b"a\nb", [b"a", b"b"], id="no-final-newline"),
        pytest.param(b"a\r\nb\r\n", [b"a", b"b"], id="crlf"),
        pytest.param(b"a\rb\r", [b"a\rb"], id="a-lone-cr-ends-no-line"),
        pytest.param(b" \t\v\f a b \t\v\f\r\n", [b"a b"], id="trimmed"),
        pytest.param(b"\xc2\xa0a\n", [b"\xc2\xa0a"], id="nbsp-is-not-a-blank"),
        pytest.param(b"# a\n  # b\nc # d\n", [b"c # d"], id="comments"),
        pytest.param(b"\xef\xbb\xbfa\n", [b"\xef\xbb\xbfa"], id="a-bom-stays"),
        pytest.param(b"a\\\nb\n", [b"ab"], id="continued"),
        pytest.param(b"a\\\r\n  b\n", [b"a  b"], id="continued-with-crlf-and-blanks"),
        pytest.param(b"a\\\\\nb\n", [b"a\\b"], id="two-backslashes-still-continue"),
        pytest.param(b"a\\\\\n\nb\n", [b"ab"], id="the-second-backslash-continues-once-more"),
        pytest.param(b"a\\ \nb\n", [b"a\\", b"b"], id="blank-after-backslash"),
        pytest.param(b"# a\\\nb\nc\n", [b"c"], id="a-continued-comment-takes-the-next-line"),
        pytest.param(b"a\\", [b"a\\"], id="backslash-at-the-end"),
        pytest.param(b"a\\\n", [b"a"], id="continued-into-nothing"),
        pytest.param(b"a\0b\nc\n", [b"a", b"c"], id="nul-ends-the-line"),
        pytest.param(b"\0a\nb\n", [b"b"], id="nul-first"),
        pytest.param(b"a\0\\\nb\n", [b"a", b"b"], id="no-continuation-behind-nul"),
        pytest.param(b"a\\\n\0x\nb\n", [b"a", b"b"], id="nul-in-the-continuation"),
    ],
)
def test_physical_lines_are_joined_and_trimmed(data: bytes, expected: list[bytes]) -> None:
    assert texts(data) == expected


@pytest.mark.parametrize("mark", [b"", b"#\0\n"], ids=["plain-file", "file-with-a-nul"])
@pytest.mark.parametrize(
    ("length", "end", "read_on"),
    [(8190, b"\n", True), (8191, b"\n", False), (8189, b"\r\n", True), (8190, b"", True)],
)
def test_a_line_of_8191_bytes_ends_the_file(
    mark: bytes, length: int, end: bytes, read_on: bool
) -> None:
    found = list(logical_lines(mark + b"a\n" + b"x" * length + end + b"\nb\n"))
    first = 2 if mark else 1
    assert found[0] == Line(first, b"a")
    if read_on:
        assert [len(line.text) for line in found[1:] if isinstance(line, Line)] == [length, 1]
    else:
        assert found[1:] == [OverlongLine(first + 1)]


def test_the_limit_applies_to_the_joined_line() -> None:
    half = b"x" * 4095
    assert len(texts(half + b"\\\n" + half + b"\nb\n")) == 2
    assert texts(half + b"\\\n" + half + b"x\nb\n") == [b"OVERLONG"]


def test_the_limit_is_a_parameter() -> None:
    assert [type(line) for line in logical_lines(b"x" * 9000 + b"\n", limit=1 << 24)] == [Line]


def test_lines_have_the_number_of_their_first_physical_line() -> None:
    data = b"# one\\\ntwo\n\nfour\\\nfive\nsix\n"
    assert [line.number for line in logical_lines(data)] == [4, 6]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"a:b:c", (b"a", b"b:c")),
        (b"a:::b", (b"a", b"b")),
        (b":b", (b"", b"b")),
        (b"a", (b"a", b"")),
        (b"a: b", (b"a", b" b")),
    ],
)
def test_fields_are_split_at_colons(text: bytes, expected: tuple[bytes, bytes]) -> None:
    assert split_field(text) == expected


@pytest.mark.parametrize(
    ("data", "user", "expected"),
    [
        pytest.param(b"a:H:x\n", b"a", PasswordEntry(b"H", 1), id="further-fields"),
        pytest.param(b"a::H\n", b"a", PasswordEntry(b"H", 1), id="two-colons"),
        pytest.param(b"#\na:H\na:I\n", b"a", PasswordEntry(b"H", 2), id="first-line-wins"),
        pytest.param(b"a:\na:H\n", b"a", PasswordEntry(b"", 1), id="an-empty-hash-wins-too"),
        pytest.param(b"a\na:H\n", b"a", PasswordEntry(b"", 1), id="so-does-no-colon"),
        pytest.param(b"a :H\n", b"a", None, id="the-blank-is-in-the-name"),
        pytest.param(b"A:H\n", b"a", None, id="names-have-case"),
    ],
)
def test_the_first_line_of_a_user_is_found(
    data: bytes, user: bytes, expected: PasswordEntry | None
) -> None:
    assert parse_htpasswd(data).find(user) == expected


def test_an_overlong_line_is_reported_and_hides_the_lines_after_it() -> None:
    file = parse_htpasswd(b"a:H\n" + b"#" * PASSWORD_LINE_LIMIT + b"\nb:H\n")
    assert file.cut_at == 2
    assert file.names == {"a"}


def test_names_are_decoded_from_utf_8_or_latin_1() -> None:
    assert parse_htpasswd("åsa:H\n".encode() + b"\xe5ke:H\n:H\n").names == {"åsa", "åke"}


def test_the_usual_fields_are_of_the_most_frequent_kinds() -> None:
    file = parse_htpasswd(b"a:$2y$10$x\nb:{SHA}y\nc:$2y$10$z\nd:\n")
    assert file.usual == (b"$2y$10$x", b"{SHA}y")


AWKWARD = st.lists(
    st.sampled_from([b"\n", b"\r", b"\\", b"\0", b":", b"#", b" ", b"a", b"x" * 4095, b"\xff"])
).map(b"".join)


@given(AWKWARD | st.binary())
def test_any_bytes_can_be_parsed(data: bytes) -> None:
    file = parse_htpasswd(data)
    for name in file.lines:
        entry = file.find(name)
        assert entry is not None
        assert not {0, 10} & set(name + entry.stored)
    assert all(isinstance(name, str) for name in file.names)


@given(AWKWARD.map(lambda d: d.replace(b"\0", b"").replace(b"\\", b"")))
def test_both_parsers_agree_on_files_without_special_bytes(data: bytes) -> None:
    """A first line with a NUL makes the general parser read the same lines."""
    shifted = [line._replace(number=line.number + 1) for line in logical_lines(data)]
    assert list(logical_lines(b"#\0\n" + data)) == shifted


MD5 = b"1f7ce4d4f6b2495234041d7f73be0c20"
SHA256 = b"38d8fae2636f954fd0d74f95b2f1a4f30b2c3a447b3acca4de1bdeabfa6decbd"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"a:R:" + MD5, DigestEntry(MD5, None), id="md5"),
        pytest.param(b"a:R:" + SHA256, DigestEntry(None, SHA256), id="sha256"),
        pytest.param(
            b"a:R:" + MD5 + b"\na:R:" + SHA256, DigestEntry(MD5, SHA256), id="both-md5-first"
        ),
        pytest.param(
            b"a:R:" + SHA256 + b"\na:R:" + MD5,
            DigestEntry(None, SHA256),
            id="a-first-line-of-sha256-hides-md5-as-it-does-from-apache",
        ),
        pytest.param(b"a::R:::" + MD5 + b":x", DigestEntry(MD5, None), id="colons-and-more-fields"),
        pytest.param(b"a:S:" + MD5, None, id="another-realm"),
        pytest.param(b"a:R :" + MD5, None, id="a-realm-with-a-blank"),
        pytest.param(b"A:R:" + MD5, None, id="another-user"),
        pytest.param(b"a:R:" + MD5.upper(), None, id="upper-case"),
        pytest.param(b"a:R:" + MD5[:-1], None, id="too-short"),
        pytest.param(b"a:R:" + MD5 + b" # c", None, id="comment-behind"),
        pytest.param(b"a:R:", None, id="empty-hash"),
        pytest.param(b"a:R", None, id="no-hash"),
        pytest.param(b"a", None, id="no-realm"),
        pytest.param(b"a:R:\na:R:" + MD5, None, id="an-empty-hash-hides-the-next"),
        pytest.param(b"a:R:" + MD5 + b"\na:R:" + MD5[::-1], DigestEntry(MD5, None), id="first"),
        pytest.param(b"#" * 8191 + b"\na:R:" + MD5, None, id="overlong-line"),
    ],
)
def test_the_hashes_of_a_user_and_realm_are_found(
    data: bytes, expected: DigestEntry | None
) -> None:
    assert parse_htdigest(data).find(b"a", b"R") == expected


def test_the_accounts_of_a_realm_are_listed() -> None:
    file = parse_htdigest(b"a:R:" + MD5 + b"\nb:R:x\n:R:" + MD5 + b"\nc:S:" + SHA256 + b"\n")
    assert file.accounts(b"R") == RealmAccounts(frozenset({"a"}), all_sha256=False)
    assert file.accounts(b"S") == RealmAccounts(frozenset({"c"}), all_sha256=True)
    assert file.accounts(b"T") == RealmAccounts(frozenset(), all_sha256=False)


@given(AWKWARD | st.binary())
def test_any_bytes_can_be_parsed_as_a_digest_file(data: bytes) -> None:
    """An administrator may name any file: no exception is raised."""
    file = parse_htdigest(data)
    for user, realm in file.first:
        entry = file.find(user, realm)
        assert entry is None or entry != DigestEntry(None, None)


FIELD = st.text("ab:# \\\t\r\0é", max_size=4).map(str.encode) | st.sampled_from([b"a", b"b", b"R"])
HASH = FIELD | st.sampled_from([b"0" * 32, b"1" * 64, b"A" * 32])


@given(
    st.lists(st.tuples(FIELD, FIELD, HASH).map(b":".join) | st.just(b"# a"), max_size=6),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
def test_both_parsers_agree_on_plain_digest_files(
    lines: list[bytes], end: bytes, ended: bool
) -> None:
    data = end.join(lines) + (end if ended else b"")
    assume(b"\0" not in data and not any(line.endswith(b"\\") for line in lines))
    plain = parse_htdigest(data)
    # A continued comment after the lines does not change them.
    careful = parse_htdigest(end.join([*lines, b"#\\", b""]))
    assert (plain.first, plain.long) == (careful.first, careful.long)
    for realm in (b"R", b"a"):
        assert plain.accounts(realm) == careful.accounts(realm)
