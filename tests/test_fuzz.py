"""The fuzzers' targets: what was worth keeping is replayed, and a short run looks for more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.harness import TARGETS

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
KEPT = {target: sorted((CORPUS / target).glob("*")) for target in TARGETS}

# Text of the grammars, so that a short run gets further than noise does.
WORDS = [
    line[1:-1].encode().decode("unicode_escape").encode("latin-1")
    for line in (CORPUS.parent / "dictionary.txt").read_text().splitlines()
    if line.startswith('"')
]
INPUT = st.lists(st.sampled_from(WORDS) | st.binary(max_size=12), max_size=30).map(b"".join)


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_that_was_found_makes_it_fail(target: str) -> None:
    """A target itself asserts what has to hold, and raises what is a finding."""
    assert KEPT[target]
    for file in KEPT[target]:
        TARGETS[target](file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
@settings(max_examples=300)
@given(data=st.data())
def test_nothing_makes_it_fail(target: str, data: st.DataObject) -> None:
    """A target itself asserts what has to hold, and raises what is a finding."""
    kept = KEPT[target]
    seed = b""
    if data.draw(st.booleans()) and kept:
        seed = data.draw(st.sampled_from(kept)).read_bytes()
    cut = data.draw(st.integers(0, len(seed)))
    TARGETS[target](seed[:cut] + data.draw(INPUT) + seed[cut:])
