"""Runner of the targets under atheris, a coverage-guided fuzzer.

The tests do not depend on atheris: they only replay the inputs in the corpus. To run it::

    .venv/bin/pip install atheris
    cd tests
    ../.venv/bin/python -m fuzz.atheris_run login -max_total_time=600 /tmp/login fuzz/corpus/login

The arguments after the target are libFuzzer's: new inputs go to the first folder, and
``-merge=1 fuzz/corpus/login /tmp/login`` keeps those that add coverage. A finding is written to the
working folder as ``crash-...``: fix the bug, and add the file to the corpus. ``-timeout=20`` makes
an input that takes so many seconds a finding, too.
"""

from __future__ import annotations

import logging
import random
import sys

import atheris

with atheris.instrument_imports(
    include=[
        "kalends.authn",
        "kalends.dav.calendar_data",
        "kalends.dav.filters",
        "kalends.dav.xml",
        "kalends.feeds.compose",
        "kalends.ical",
        "kalends.server",
    ]
):
    from fuzz.harness import TARGETS

from fuzz.lines import with_changed_lines

_LINES = frozenset({"calendar_object", "card"})


def _mutate(data: bytes, most: int, seed: int) -> bytes:
    """Change lines, octets, or both."""
    chance = random.Random(seed)
    changed = data if chance.random() < 0.2 else with_changed_lines(data, chance)
    if changed is data or chance.random() < 0.2:
        return bytes(atheris.Mutate(changed[:most], most))
    return changed[:most]


def main(arguments: list[str]) -> None:
    """Fuzz one target until libFuzzer's limits are reached."""
    if len(arguments) < 2 or arguments[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.atheris_run {'|'.join(TARGETS)} [libFuzzer's options]")
    target = arguments[1]
    logging.getLogger().addHandler(logging.NullHandler())
    mutator = {"custom_mutator": _mutate} if target in _LINES else {}
    atheris.Setup([arguments[0], *arguments[2:]], TARGETS[target], **mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
