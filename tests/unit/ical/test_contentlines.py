"""Content lines keep their text, their length limit and their characters (RFC 5545 section 3.1)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kalends.errors import IcalendarSyntaxError
from kalends.ical import contentlines
from kalends.ical.contentlines import Component, Property

names = st.from_regex(r"[A-Z][A-Z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name not in ("BEGIN", "END")
)
values = st.text(
    st.characters(
        exclude_categories=["Cs"], exclude_characters=[chr(i) for i in range(32)] + ["\x7f"]
    )
)
params = st.sampled_from(["", ";TZID=Europe/Berlin", ';CN="a;b:c,d";X=1,2', ";X-A=ä"])
properties = st.builds(Property, names, params, values)
components = st.recursive(
    st.builds(Component, names, st.lists(properties, max_size=4)),
    lambda inner: st.builds(
        Component, names, st.lists(properties, max_size=2), st.lists(inner, max_size=3)
    ),
    max_leaves=6,
)


@given(components)
def test_serialized_components_parse_to_the_same_lines(component: Component) -> None:
    (read,) = contentlines.parse(contentlines.serialize([component]).decode())
    assert list(read.lines()) == list(component.lines())


@given(values)
def test_a_folded_line_is_short_and_splits_no_character(value: str) -> None:
    folded = contentlines.fold(f"X:{value}")
    assert folded.endswith(b"\r\n")
    lines = folded.removesuffix(b"\r\n").split(b"\r\n")
    assert all(len(line) <= 75 for line in lines)
    assert (
        "".join(
            line.decode().removeprefix(" ") if n else line.decode() for n, line in enumerate(lines)
        )
        == f"X:{value}"
    )


@given(values)
def test_unescape_reverses_escape(text: str) -> None:
    assert contentlines.unescape(contentlines.escape(text)) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("BEGIN:A\r\nno colon\r\nEND:A\r\n", 2),
        ("BEGIN:A\r\nX:\x07\r\nEND:A\r\n", 2),
        ("BEGIN:A\r\nEND:B\r\n", 2),
        ("BEGIN:A\r\nX:1\r\n", 1),
        ("X:1\r\n", 1),
        ("END:A\r\n", 1),
        ("BEGIN:A\r\n" * 20, 17),
        ("BEGIN:A\r\nX;=:1\r\nEND:A\r\n", 2),
    ],
)
def test_a_syntax_error_has_its_line_number(text: str, line: int) -> None:
    with pytest.raises(IcalendarSyntaxError) as wrong:
        contentlines.parse(text)
    assert wrong.value.line == line


@given(st.text())
def test_any_text_parses_or_raises_a_syntax_error(text: str) -> None:
    with contextlib.suppress(IcalendarSyntaxError):
        assert contentlines.parse(text) is not None
