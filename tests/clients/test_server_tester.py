"""Verdicts of caldav-server-tester on Kalends, beside those on stock Radicale, in one run."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

from support.server import BIN, KalendsServer, RadicaleServer, Server

# The name has an "@", so that the tester can see how it is spelt in addresses.
USERS = {"tester@example.org": "secret"}
# The features that Kalends does not have in full, the tester's level of each, and why.
NOT_FULL = {
    "create-calendar.auto": ("unsupported", "a PUT into nothing makes no calendar: RFC 9110 9.3.4"),
    "scheduling": ("unsupported", "RFC 6638 is not there yet; eight more features depend on it"),
    "search.text.comp-type-optional": (
        "unsupported",
        "RFC 4791 9.7.2: a prop-filter within VCALENDAR is about the properties of VCALENDAR",
    ),
    "url.encode-at.identity": (
        "unsupported",
        "RFC 3986 6.2.2.2: '@' and '%40' in a path are one address; the tester looks for two",
    ),
}
# caldav's levels of support for a feature, weakest first
LEVELS = ("unsupported", "broken", "ungraceful", "fragile", "quirk", "full")


def features(server: Server) -> dict[str, str]:
    """Run the tester against a server and return the level of each feature that it checked."""
    command = [str(BIN / "caldav-server-tester"), "--format", "hints"]
    # the tester requests .well-known only if the host has no name to resolve in DNS
    command += ["--caldav-url", f"http://127.1:{server.port}/"]
    command += ["--caldav-user", "tester@example.org", "--caldav-pass", "secret"]
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


def test_every_feature_has_its_verdict(levels: dict[str, dict[str, str]]) -> None:
    ours = levels["kalends"]
    assert len(ours) == 100
    assert {name: level for name, level in ours.items() if level != "full"} == {
        name: level for name, (level, _) in NOT_FULL.items()
    }


def test_no_feature_is_weaker_than_in_radicale(levels: dict[str, dict[str, str]]) -> None:
    ours = levels["kalends"]
    weaker = {
        name: (level, ours.get(name, "not found"))
        for name, level in levels["radicale"].items()
        if level in LEVELS
        and (ours.get(name) not in LEVELS or LEVELS.index(ours[name]) < LEVELS.index(level))
    }
    assert weaker == {}
