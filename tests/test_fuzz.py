"""The fuzz targets, with the inputs of the corpus and a short random run."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz.harness import TARGETS

CORPUS = Path(__file__).parent / "fuzz" / "corpus"
INPUTS = {target: sorted((CORPUS / target).glob("*")) for target in TARGETS}

# Targets that ask a whole server; `tests/attacks` has random inputs for them.
SERVERS = {"http_connection", "dav_request", "calendar_object", "card"}

# Words of the grammars, so that a short run gets further than random bytes.
WORDS = [
    line[1:-1].encode().decode("unicode_escape").encode("latin-1")
    for line in (CORPUS.parent / "dictionary.txt").read_text().splitlines()
    if line.startswith('"')
]
INPUT = st.lists(st.sampled_from(WORDS) | st.binary(max_size=12), max_size=30).map(b"".join)


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_fails(target: str) -> None:
    """Run the target, which asserts what must hold; an exception is a finding."""
    assert INPUTS[target]
    for file in INPUTS[target]:
        TARGETS[target](file.read_bytes())


@pytest.mark.parametrize("target", [target for target in TARGETS if target not in SERVERS])
@settings(max_examples=300)
@given(data=st.data())
def test_no_random_input_fails(target: str, data: st.DataObject) -> None:
    """Run the target, which asserts what must hold; an exception is a finding."""
    inputs = INPUTS[target]
    seed = b""
    if data.draw(st.booleans()) and inputs:
        seed = data.draw(st.sampled_from(inputs)).read_bytes()
    cut = data.draw(st.integers(0, len(seed)))
    TARGETS[target](seed[:cut] + data.draw(INPUT) + seed[cut:])
