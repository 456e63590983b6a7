"""The ``If`` header: what is parsed from it, and when it holds (RFC 4918 section 10.4)."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.dav.if_header import (
    MAX_CONDITIONS,
    Condition,
    ConditionList,
    State,
    read_if,
)
from kalends.errors import HeaderRefusedError

HERE = State('"a"', frozenset({"data:,1"}))

_blanks = st.text(" \t", max_size=2)
_uris = st.text("abcXYZ:/%()[]\"'.-", min_size=1, max_size=8)
_conditions = st.builds(
    lambda value, is_negated: Condition(value, value.endswith('"'), is_negated),
    st.one_of(
        _uris.map(lambda uri: f"{uri}."),
        st.text("abc()<>[] ,".replace(" ", ""), max_size=5).map('"{}"'.format),
        st.text("abc", max_size=5).map('W/"{}"'.format),
    ),
    st.booleans(),
)
_lists = st.lists(st.lists(_conditions, min_size=1, max_size=4), min_size=1, max_size=4)


def _written(condition: Condition, blank: str) -> str:
    value = f"[{condition.value}]" if condition.is_etag else f"<{condition.value}>"
    return f"{'NOT' if condition.is_negated else ''}{blank}{value}{blank}"


@given(lists=_lists, tags=st.none() | st.lists(_uris, min_size=4, max_size=4), blank=_blanks)
def test_what_is_written_is_parsed(
    lists: list[list[Condition]], tags: list[str] | None, blank: str
) -> None:
    header, expected = "", []
    for number, conditions in enumerate(lists):
        tag = tags[number] if tags else None
        content = "".join(_written(condition, blank) for condition in conditions)
        header += (f"<{tag}>" if tag else "") + f"{blank}({blank}{content}){blank}"
        expected.append(ConditionList(tag, tuple(conditions)))
    assert read_if(header) == tuple(expected)


@given(st.text('()<>[]" notNOTa:/W\t', max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(HeaderRefusedError):
        lists = read_if(text)
        assert lists
        assert all(one.conditions for one in lists)
        assert len({one.tag is None for one in lists}) == 1


@pytest.mark.parametrize(
    ("header", "holds"),
    [
        ('(["a"])', True),
        ('(["b"])', False),
        ('([W/"a"])', False),
        ('(Not ["b"])', True),
        ('(not["a"])', False),
        ('(["b"]) (["a"])', True),
        ('(["a"] <data:,1>)', True),
        ('(["a"] <data:,2>)', False),
        ('(["a"] Not <DAV:no-lock>)', True),
        ("(<DAV:no-lock>)", False),
    ],
)
def test_a_header_holds_if_one_list_does(header: str, holds: bool) -> None:
    assert any(one.holds(HERE) for one in read_if(header)) is holds


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", "()", "(", '(["a"]', '["a"]', "<http://a/>", "(Not)", '(["a"] Not)'),
        *("(Not Not <a:b>)", "(a)", "([a])", "(<a b>)", '(["a"])(', '(["a"]) x', '((["a"]))'),
        *('(["a"]) </x> (["a"])', '<x><y>(["a"])', '</x> (["a"]) </y>', "(Nota <a:b>)"),
    ],
)
def test_a_malformed_header_is_refused(header: str) -> None:
    with pytest.raises(HeaderRefusedError):
        read_if(header)


def test_the_number_of_conditions_is_bounded() -> None:
    most = "(<a:b>)" * MAX_CONDITIONS
    assert len(read_if(most)) == MAX_CONDITIONS
    with pytest.raises(HeaderRefusedError):
        read_if(f"{most}(<a:b>)")
