"""A command loads what it needs: the pages, their templates and an HTTP client are the server's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.installation import Installation
from support.server import BIN

_CODE = """
import sys
from kalends.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *sorted({"jinja2", "httpx", "segno", "gunicorn"} & set(sys.modules)))
"""


@pytest.mark.parametrize("words", [["user", "list"], ["check"], ["feed", "list"], ["--help"]])
def test_a_command_loads_nothing_of_the_pages(tmp_path: Path, words: list[str]) -> None:
    config = Installation(tmp_path).config
    given = words if words == ["--help"] else [*words, "--config", str(config)]
    command = [str(BIN / "python"), "-c", _CODE, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
