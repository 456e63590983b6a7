"""Edits of user files that change only the requested lines."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kalends.authn.apache.editing import (
    EditRefusedError,
    Ha1,
    other_realms,
    refusal_of_spelling,
    set_digests,
    set_passwords,
    without_digest,
    without_password,
)
from kalends.authn.apache.groupediting import with_members, without_members
from kalends.authn.apache.htfiles import decode_name, parse_htdigest, parse_htpasswd
from kalends.authn.apache.htgroup import GROUP_LINE_LIMIT, parse_groups
from kalends.authn.apache.htlines import (
    BLANKS,
    Line,
    OverlongLine,
    logical_lines,
    spans,
    split_field,
)

FIELD = b"$2y$10$new"
REALM = "calendars"
HA1 = Ha1(b"a" * 32, b"b" * 64)
NAMES = ["alice", "bob", "ålice", "alice smith", 'al"ice', "dom\\alice", "alice ", "\ufeffalice"]

# Pieces of ordinary files, and pieces that make files hard to parse.
_PIECES = [
    *(name.encode() for name in NAMES),
    "ålice".encode("latin-1"),
    *(b":", b":", b":", b"::", b"\n", b"\n", b"\n", b"\r\n", b"\\\n", b"\\\r\n", b"\\", b"\r"),
    *(b"\0", b"#", b" ", b"\t", b"hash", b"calendars", b"elsewhere", b"1" * 32, b"2" * 64),
    *(b"x" * 8100, b"y" * 60, b"alice:calendars:", b"alice:hash", b"\nalice:", b"\nbob:hash\n"),
]
FILES = st.lists(st.sampled_from(_PIECES) | st.binary(max_size=3), max_size=25).map(b"".join)
ACCOUNTS = st.sampled_from([name for name in NAMES if name == name.strip()])


def lines(data: bytes) -> list[bytes]:
    """Return the text of every line that is read."""
    found = list(logical_lines(data))
    assert all(isinstance(line, Line) for line in found), "a line has become overlong"
    return [line.text for line in found if isinstance(line, Line)]


def raw(data: bytes, is_own: Callable[[bytes], bool]) -> list[bytes]:
    """Return the bytes of each logical line of others, except the end of the very last one."""
    found = [span for span in spans(data) if not isinstance(span, OverlongLine)]
    others = [s for s in found if not is_own(s.joined.strip(BLANKS))]
    texts = [data[s.start : s.end] for s in others]
    return [*texts[:-1], texts[-1].rstrip(b"\r\n")] if texts else []


def password_name(text: bytes) -> str:
    return decode_name(split_field(text)[0])


def digest_name(text: bytes) -> str | None:
    user, rest = split_field(text)
    return decode_name(user) if user and split_field(rest)[0] == REALM.encode() else None


def is_overlong(data: bytes) -> bool:
    return any(isinstance(line, OverlongLine) for line in logical_lines(data))


@given(FILES | st.binary(max_size=60))
def test_editor_and_parser_agree_on_the_lines(data: bytes) -> None:
    read: list[tuple[int, bytes] | int] = []
    end = 0
    for span in spans(data):
        if isinstance(span, OverlongLine):
            read.append(span.number)
            break
        assert span.start == end
        end = span.end
        text = span.joined.strip(BLANKS)
        assert bytes(data[span.offset_of(i)] for i in range(len(span.joined))) == span.joined
        if text and not text.startswith(b"#"):
            read.append((span.number, text))
    assert read == [
        (line.number, line.text) if isinstance(line, Line) else line.number
        for line in logical_lines(data)
    ]


@given(FILES, ACCOUNTS)
@example(b"bob:old:x\\ \nz:h\n", "bob")
@example(b"a:h\\\r", "bob")
@example(b"a:h\r\n" + b"x" * 8190, "bob")
def test_setting_a_password_leaves_other_lines_unchanged(data: bytes, name: str) -> None:
    try:
        new = set_passwords(data, {name: FIELD})
    except EditRefusedError:
        assert is_overlong(data) or max(map(len, lines(data))) > 8100
        return
    own = [text for text in lines(new) if password_name(text) == name]
    assert len(own) == 1
    entry = parse_htpasswd(new).find(name.encode())
    assert entry is not None
    assert entry.stored == FIELD
    others = [text for text in lines(data) if password_name(text) != name]
    assert [text for text in lines(new) if password_name(text) != name] == others
    assert raw(new, lambda text: password_name(text) == name) == raw(
        data, lambda text: password_name(text) == name
    )
    assert set_passwords(new, {name: FIELD}) == new


@given(FILES, ACCOUNTS)
def test_removing_an_account_removes_its_lines_only(data: bytes, name: str) -> None:
    try:
        new = without_password(data, name)
    except EditRefusedError:
        assert is_overlong(data)
        return
    assert lines(new) == [text for text in lines(data) if password_name(text) != name]
    assert raw(new, lambda _: False) == raw(data, lambda text: password_name(text) == name)


@given(FILES, ACCOUNTS)
@example(b"alice:calendars:" + b"2" * 64 + b":user\n", "alice")
@example(b"alice:calendars:" + b"1" * 32 + b"\nalice:calendars:" + b"2" * 64 + b"\n", "bob")
def test_setting_a_digest_leaves_other_lines_unchanged(data: bytes, name: str) -> None:
    try:
        new = set_digests(data, REALM, {name: HA1})
    except EditRefusedError:
        assert is_overlong(data) or max(map(len, lines(data))) > 8000
        return
    before, after = parse_htdigest(data), parse_htdigest(new)
    had_sha256 = any(
        digest_name(text) == name and len(split_field(split_field(text)[1])[1].split(b":")[0]) == 64
        for text in lines(data)
    )
    entry = after.find(name.encode(), REALM.encode())
    assert entry is not None
    assert entry.md5 == HA1.md5, "the hash that Apache reads"
    everyone = before.accounts(REALM.encode()).all_sha256
    assert entry.sha256 == (HA1.sha256 if had_sha256 or everyone else None)
    own = [text for text in lines(new) if digest_name(text) == name]
    assert len(own) == (2 if entry.sha256 else 1)
    others = [text for text in lines(data) if digest_name(text) != name]
    assert [text for text in lines(new) if digest_name(text) != name] == others


@given(FILES, ACCOUNTS)
def test_an_account_removed_from_a_realm_remains_in_others(data: bytes, name: str) -> None:
    try:
        new = without_digest(data, REALM, name)
    except EditRefusedError:
        assert is_overlong(data)
        return
    assert lines(new) == [text for text in lines(data) if digest_name(text) != name]
    assert other_realms(new, REALM, name) == other_realms(data, REALM, name)


_GROUP_PIECES = [
    *(b"family", b"Staff", b"STAFF", b":", b": ", b" ", b" ", b"\t", b"\r", b"\n", b"\n", b"\r\n"),
    *(b"\\\n", b"\\\r\n", b"\\", b"\\\\", b'"', b"'", b"#", b"\0", b"alice", b"bob", b"carl"),
    *(b'"alice smith"', b"'alice smith'", b'"al\\"ice"', "ålice".encode("latin-1"), b"::"),
    *(b"family: alice bob ", b"\nstaff: ", b"\nfamily:bob alice", b" alice alice ", b"x\\ alice"),
]
GROUP_FILES = st.lists(st.sampled_from(_GROUP_PIECES), max_size=25).map(b"".join)
MEMBERS = st.sampled_from(["alice", "bob", "ålice", "alice smith", 'al"ice', "x\\", "d\\a", "'q'"])
GROUPS = st.sampled_from(["family", "staff", "new group", "Ünion"])


def group_lines(data: bytes) -> int:
    return len(list(logical_lines(data, GROUP_LINE_LIMIT)))


@given(GROUP_FILES, st.sets(MEMBERS, min_size=1, max_size=3))
@example(b"g: x\\ alice\nh: bob\n", {"alice"})
@example(b"g: x\\\ralice\nh: bob\n", {"alice"})
@example(b'g: carl "alice"bob\n', {"alice"})
@example(b'family:"alice smith":\n', {"alice smith"})
def test_users_removed_from_all_groups_are_in_none(data: bytes, names: set[str]) -> None:
    before, new = parse_groups(data).members, without_members(data, None, names)
    assert parse_groups(new).members == {g: found - names for g, found in before.items()}
    assert group_lines(new) == group_lines(data)
    assert new == data or len(new) < len(data)


@given(GROUP_FILES, GROUPS, st.sets(MEMBERS, min_size=1, max_size=3))
def test_users_removed_from_one_group_remain_in_others(
    data: bytes, group: str, names: set[str]
) -> None:
    before, new = parse_groups(data).members, without_members(data, group, names)
    assert parse_groups(new).members == {
        g: found - names if g.lower() == group.lower() else found for g, found in before.items()
    }


@given(GROUP_FILES, GROUPS, st.lists(MEMBERS, max_size=3))
@example(b'family: "alice', "family", ["bob"])
@example(b"family: x\\", "family", ["bob"])
@example(b"# comment\\", "family", ["bob"])
@example(b"Staff\\\n", "staff", ["alice"])
def test_adding_members_changes_only_their_group(data: bytes, group: str, names: list[str]) -> None:
    before, after = (
        parse_groups(data).members,
        parse_groups(with_members(data, group, names)).members,
    )
    spelling = next((g for g in before if g.encode().lower() == group.encode().lower()), group)
    assert after == {**before, spelling: before.get(spelling, frozenset()) | set(names)}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"", b"bob:$2y$10$new\n", id="into-nothing"),
        pytest.param(b"a:h\n", b"a:h\nbob:$2y$10$new\n", id="at-the-end"),
        pytest.param(b"a:h\r\n", b"a:h\r\nbob:$2y$10$new\r\n", id="with-the-line-ends-of-the-file"),
        pytest.param(b"a:h", b"a:h\nbob:$2y$10$new\n", id="behind-a-line-without-end"),
        pytest.param(b"# c\\", b"bob:$2y$10$new\n# c\\", id="before-a-backslash"),
        pytest.param(
            b"a:h\n# c\\\n", b"a:h\nbob:$2y$10$new\n# c\\\n", id="before-a-continued-line"
        ),
        pytest.param(
            b"# c\na:h\nbob:old:Bob:x\n\nz:h\nbob:older\n",
            b"# c\na:h\nbob:$2y$10$new:Bob:x\n\nz:h\n",
            id="in-place-with-its-fields-and-without-its-duplicates",
        ),
        pytest.param(b"bob:o\\\nld\nz:h\n", b"bob:$2y$10$new\nz:h\n", id="a-continued-line"),
        pytest.param(b"z:h\r\nbob:old", b"z:h\r\nbob:$2y$10$new", id="the-last-without-end"),
        pytest.param(
            b"# bob:old\n", b"# bob:old\nbob:$2y$10$new\n", id="a-comment-is-not-an-account"
        ),
        pytest.param(b"bob\n", b"bob:$2y$10$new\n", id="a-line-without-hash"),
    ],
)
def test_a_password_is_written_at_its_place(before: bytes, after: bytes) -> None:
    assert set_passwords(before, {"bob": FIELD}) == after


def test_a_name_in_latin_1_is_the_same_account() -> None:
    old = b"\xe5lice:old\n\xc3\xa5lice:old\n"
    assert set_passwords(old, {"ålice": FIELD}) == b"\xc3\xa5lice:$2y$10$new\n"
    assert without_password(old, "ålice") == b""


def test_the_md5_line_precedes_the_sha_256_line_and_both_keep_their_fields() -> None:
    old = b"z:calendars:%b\nbob:calendars:%b:u2\nbob:other:%b\nbob:calendars:%b:u1\n"
    data = old % (b"1" * 32, b"2" * 64, b"3" * 32, b"4" * 32)
    new = set_digests(data, REALM, {"bob": HA1})
    assert new == (
        b"z:calendars:%b\nbob:calendars:%b:u1\nbob:calendars:%b:u2\nbob:other:%b\n"
        % (b"1" * 32, HA1.md5, HA1.sha256, b"3" * 32)
    )
    assert other_realms(new, REALM, "bob") == ["other"]


def test_a_hash_is_not_listed_as_a_realm() -> None:
    assert other_realms(b"bob:$apr1$x$y\n", REALM, "bob") == []


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: set_passwords(data, {"a": FIELD}),
        lambda data: without_password(data, "a"),
        lambda data: set_digests(data, REALM, {"a": HA1}),
        lambda data: without_digest(data, REALM, "a"),
    ],
)
def test_a_file_with_an_overlong_line_is_not_edited(
    edit: Callable[[bytes], bytes],
) -> None:
    with pytest.raises(EditRefusedError) as refused:
        edit(b"a:h\n\n" + b"x" * 8191 + b"\nbob:h\n")
    assert refused.value.line == 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_longer_than_apache_reads_is_not_written(end: bytes) -> None:
    data = b"a:h" + end
    longest = 8190 - len(FIELD) - len(end)
    assert lines(set_passwords(data, {"x" * longest: FIELD}))[1].startswith(b"xxx")
    with pytest.raises(EditRefusedError, match="bytes"):
        set_passwords(data, {"x" * (longest + 1): FIELD})


@pytest.mark.parametrize("realm", ["", "a:b", "a\nb"])
def test_a_realm_that_a_file_cannot_hold_is_refused(realm: str) -> None:
    with pytest.raises(EditRefusedError, match="realm"):
        set_digests(b"", realm, {"bob": HA1})


@pytest.mark.parametrize(
    "name", ["", "a:b", "a\nb", "a\0b", "a\x7fb", "a\x85b", "#a", " a", "a\t", "a\\", "\udcff"]
)
def test_a_name_that_a_file_cannot_hold_is_refused(name: str) -> None:
    assert refusal_of_spelling(name)


@pytest.mark.parametrize("name", ["a", "a b", "ålice", "a#", "dom\\a", 'al"ice', "a@b.example"])
def test_a_name_that_a_file_can_hold_is_written_and_read(name: str) -> None:
    assert refusal_of_spelling(name) is None
    made = set_passwords(b"", {name: FIELD})
    assert parse_htpasswd(made).names == {name}


def test_hashes_are_not_in_the_repr() -> None:
    assert "a" * 32 not in repr(HA1)
