"""Comparison of Kalends with stock Radicale by caldav-server-tester, in one run."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from support.server import BIN, KalendsServer, RadicaleServer, Server

USERS = {"tester": "secret"}
# caldav's levels of support for a feature, weakest first
LEVELS = ("unsupported", "broken", "ungraceful", "fragile", "quirk", "full")


def features(server: Server) -> dict[str, str]:
    """Run the tester against a server and return the level of each feature that it checked."""
    command = [str(BIN / "caldav-server-tester"), "--format", "hints"]
    # the tester requests .well-known only if the host has no name to resolve in DNS
    command += ["--caldav-url", f"http://127.1:{server.port}/"]
    command += ["--caldav-user", "tester", "--caldav-pass", "secret"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=server.folder, check=False)
    assert done.returncode == 0, done.stderr
    found = ast.literal_eval(done.stdout[done.stdout.index("{") :])
    return {name: info["support"] for name, info in found.items() if "support" in info}


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return the levels of Radicale and of Kalends by feature."""
    found = {}
    servers: dict[str, Server] = {}
    folder: Path = tmp_path_factory.mktemp("tester")
    servers["radicale"] = RadicaleServer(folder / "radicale", users=USERS)
    try:
        servers["kalends"] = KalendsServer(folder / "kalends", users=USERS)
        for name, server in servers.items():
            found[name] = features(server)
        assert "Traceback" not in servers["kalends"].log
    finally:
        for server in servers.values():
            server.close()
    return found


def test_the_tester_checked_enough_features(levels: dict[str, dict[str, str]]) -> None:
    full = [name for name, level in levels["radicale"].items() if level == "full"]
    assert len(levels["radicale"]) >= 100
    assert len(full) >= 85


def test_no_feature_is_weaker_than_in_radicale(levels: dict[str, dict[str, str]]) -> None:
    ours = levels["kalends"]
    weaker = {
        name: (level, ours.get(name, "not found"))
        for name, level in levels["radicale"].items()
        if level in LEVELS
        and (ours.get(name) not in LEVELS or LEVELS.index(ours[name]) < LEVELS.index(level))
    }
    assert weaker == {}
