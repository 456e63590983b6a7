"""Let atheris, a fuzzer that is guided by coverage, look for what raises.

It is no dependency of the tests, which only replay what it found worth keeping. To run it::

    .venv/bin/pip install atheris
    cd tests
    ../.venv/bin/python -m fuzz.atheris_run login -max_total_time=600 /tmp/login fuzz/corpus/login

The arguments after the target are libFuzzer's: new inputs go to the first folder that is named, and
``-merge=1 fuzz/corpus/login /tmp/login`` keeps those that bring coverage. A finding is written to
the working folder as ``crash-...``: fix it, and put the file into the corpus.
"""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["kalends.authn"]):
    from fuzz.harness import TARGETS


def main(arguments: list[str]) -> None:
    """Fuzz one target for as long as libFuzzer is told to."""
    if len(arguments) < 2 or arguments[1] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.atheris_run {'|'.join(TARGETS)} [libFuzzer's options]")
    logging.disable()
    atheris.Setup([arguments[0], *arguments[2:]], TARGETS[arguments[1]])
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv)
