"""Runner of the targets under atheris, a coverage-guided fuzzer.

The tests do not depend on atheris: they only replay the inputs in the corpus. To run it::

    .venv/bin/pip install atheris
    cd tests
    ../.venv/bin/python -m fuzz.atheris_run login -max_total_time=600 /tmp/login fuzz/corpus/login

The arguments after the target are libFuzzer's: new inputs go to the first folder, and
``-merge=1 fuzz/corpus/login /tmp/login`` keeps those that add coverage. A finding is written to the
working folder as ``crash-...``: fix the bug, and add the file to the corpus.
"""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["kalends.authn", "kalends.dav.xml", "kalends.server"]):
    from fuzz.harness import TARGETS


def main(arguments: list[str]) -> None:
    """Fuzz one target until libFuzzer's limits are reached."""
    if len(arguments) < 2 or arguments[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.atheris_run {'|'.join(TARGETS)} [libFuzzer's options]")
    logging.disable()
    atheris.Setup([arguments[0], *arguments[2:]], TARGETS[arguments[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
