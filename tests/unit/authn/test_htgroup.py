"""Parser of group files, which reads them as Apache does."""

from __future__ import annotations

import base64
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.authn.apache.htfiles import decode_name
from kalends.authn.apache.htgroup import parse_groups, words
from support.vectors import file_bytes, raw_vectors


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        (b"alice bob", {"alice", "bob"}),
        (b"alice, bob", {"alice,", "bob"}),
        (b"a\tb\vc\fd", {"a", "b", "c", "d"}),
        (b'"alice smith" bob', {"alice smith", "bob"}),
        (b"'alice smith'bob", {"alice smith", "bob"}),
        (b"\"a\\\"b\" 'c\\'d'", {'a"b', "c'd"}),
        (b'"a\\\'b" "c\\\\d" "e\\f"', {"a\\'b", "c\\d", "e\\f"}),
        (b"dom\\alice dom\\\\bob", {"dom\\alice", "dom\\bob"}),
        (b'al"ice"', {'al"ice"'}),
        (b'"alice bob', {"alice bob"}),
        (b'"" alice', {"alice"}),
        (b"alice # bob", {"alice", "#", "bob"}),
        (b"\xc3\xa5sa \xe5ke", {"åsa", "åke"}),
        (b"", set()),
    ],
)
def test_members_are_split_at_blanks_and_unquoted(members: bytes, expected: set[str]) -> None:
    assert parse_groups(b"g: " + members + b"\n").members == {"g": expected}


def test_lines_of_a_group_are_merged_under_its_first_spelling() -> None:
    file = parse_groups("Staff: alice\nstaff : bob\nÉ: x\né: y\n: nobody\n".encode())
    assert file.members == {"Staff": {"alice", "bob"}, "É": {"x"}, "é": {"y"}}
    assert file.groups["bob"] == ["Staff"]


CASES = [
    raw
    for raw in raw_vectors()
    if raw["kind"] == "htgroup"
    and raw["require"].startswith("group")
    and raw["id"] != "grp-wrong-password"  # does not depend on the group file
]


@pytest.mark.parametrize("raw", CASES, ids=lambda raw: str(raw["id"]))
def test_verdicts_are_those_of_apache(raw: dict[str, str]) -> None:
    data = file_bytes(raw["file"], raw["file_encoding"])
    assert data is not None
    required = {lowered(name) for name in shlex.split(raw["require"])[1:]}
    held = {lowered(name) for name in parse_groups(data).groups.get(raw["user"], ())}
    assert bool(required & held) == (raw["expect"] == "allow")
    assert base64.b64decode(raw["authorization"][0].split()[1]).startswith(raw["user"].encode())


def lowered(name: str) -> bytes:
    return name.encode().lower()


@given(
    st.binary()
    | st.lists(st.sampled_from([b"g:", b'"', b"'", b"\\", b" ", b"a", b"\n", b"\0"])).map(b"".join)
)
def test_any_bytes_can_be_parsed(data: bytes) -> None:
    file = parse_groups(data)
    assert all(name in file.groups for members in file.members.values() for name in members)


def test_lines_of_a_group_in_two_encodings_are_merged() -> None:
    file = parse_groups("büro: alice\n".encode() + "BüRO: bob\n".encode("latin-1"))
    assert file.members == {"büro": {"alice", "bob"}}


@given(st.lists(st.binary(max_size=6)).map(b" ".join))
def test_both_parsers_agree_on_plain_lines(text: bytes) -> None:
    plain = bytes(byte for byte in text if byte not in b"\n\0\\\"'")
    expected = {decode_name(word.value) for word in words(plain)}
    assert parse_groups(b"g: " + plain).members["g"] == expected
