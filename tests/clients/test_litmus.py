"""litmus, which asks a WebDAV server for RFC 4918, below a home; its verdicts as a table."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from support.server import KalendsServer

# Suite -> the number of its tests, and those that do not pass. The suite of locks is left out.
SUITES: dict[str, tuple[int, dict[str, str]]] = {
    # There are no locks (RFC 4918 section 18.2), and `DAV` says so.
    "basic": (16, {"options": "WARNING"}),
    "props": (30, {}),
    "copymove": (13, {}),
    "http": (4, {}),
}
_VERDICT = re.compile(r"^ ?\d+\. (\w+)\.+ (pass|FAIL|SKIPPED|WARNING)", re.MULTILINE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KalendsServer]:
    running = KalendsServer(tmp_path_factory.mktemp("litmus"), users={"alice": "wonderland"})
    yield running
    running.close()


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_passes_but_for_what_the_table_names(server: KalendsServer, suite: str) -> None:
    command = ["litmus", "--keep-going", f"{server.url}alice/", "alice", "wonderland"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=server.folder,
        env={"TESTS": suite, "PATH": "/usr/bin:/bin"},
        check=False,
    )
    said = done.stdout.replace("\r", "\n")
    verdicts = _VERDICT.findall(said)  # some tests of a suite have the same name
    number, others = SUITES[suite]
    assert {name: verdict for name, verdict in verdicts if verdict != "pass"} == others
    assert len(verdicts) == number, said
    assert "Traceback" not in server.log
