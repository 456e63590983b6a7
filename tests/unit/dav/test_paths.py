"""Paths of requests: cleaned as Radicale cleans them, in linear time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from radicale.pathutils import sanitize_path

from kalends.dav.message import sanitize


@given(st.lists(st.sampled_from(["/", "//", ".", "..", "a", "b c", "\0", "é", "...", "%2f"])))
def test_a_path_is_cleaned_as_radicale_cleans_it(parts: list[str]) -> None:
    path = "".join(parts)
    assert sanitize(path) == sanitize_path(path)
