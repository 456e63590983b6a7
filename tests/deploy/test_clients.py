"""The caldav library and its server tester get the same results from each deployment."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from caldav.davclient import DAVClient
from caldav.lib import error

from support.deployment import Deployed, DeployedApache, DeployedNginx, DeployedWsgi
from support.proxied import ProxiedKalends
from support.samples import event
from support.server import BIN
from support.webserver import Certificate

# Each deployment has its own account for the round trip, so that they do not affect each other.
WAYS = ("apache", "mod_wsgi", "nginx", "alone")
USERS = {name: f"{name} word" for name in (*WAYS, *(f"{way}-tester" for way in (*WAYS, "direct")))}


@pytest.fixture(scope="module")
def kalends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedKalends]:
    """Kalends on a port and a Unix socket."""
    with ProxiedKalends(tmp_path_factory.mktemp("behind") / "server", USERS) as running:
        yield running


class Way:
    """One way to reach Kalends.

    Attributes:
        name: its name, also the name of its account.
        base: its address, without a slash at its end.
        certificate: the certificate that clients must trust.
    """

    def __init__(self, name: str, base: str, certificate: Certificate) -> None:
        self.name, self.base, self.certificate = name, base, certificate


Start = Callable[[ProxiedKalends, Path], Deployed]
_STARTS: dict[str, Start] = {
    "apache": lambda kalends, folder: DeployedApache(
        folder, kalends.backend("port"), prefix="/calendars"
    ),
    "mod_wsgi": lambda kalends, folder: DeployedWsgi(folder, kalends.backend()),
    "nginx": lambda kalends, folder: DeployedNginx(folder, kalends.backend()),
}


@pytest.fixture(scope="module", params=WAYS)
def way(
    request: pytest.FixtureRequest,
    kalends: ProxiedKalends,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("way")
    name = request.param
    if name == "alone":
        certificate = Certificate.create_in(folder)
        with closing(alone(folder, certificate)) as running:
            yield Way(name, f"https://127.0.0.1:{running.port}", certificate)
        return
    with _STARTS[name](kalends, folder) as front:
        yield Way(name, front.base, front.certificate)


def alone(folder: Path, certificate: Certificate) -> ProxiedKalends:
    """Start Kalends with its own TLS."""

    class Alone(ProxiedKalends):
        def sections(self) -> dict[str, dict[str, str]]:
            found = super().sections()
            found["server"] |= {
                "ssl": "True",
                "certificate": str(certificate.chain),
                "key": str(certificate.key),
            }
            return found

    return Alone(folder / "server", USERS, ready="Kalends serves https://")


def test_the_caldav_library_completes_a_round_trip(way: Way) -> None:
    with DAVClient(
        url=f"{way.base}/",
        username=way.name,
        password=USERS[way.name],
        ssl_verify_cert=str(way.certificate.chain),
    ) as client:
        round_trip(client, way)


def round_trip(client: Any, way: Way) -> None:
    """Create, change, find, sync, move and delete, as a program that uses the library does."""
    principal = client.principal()
    calendar = principal.make_calendar(name="Work", cal_id="work")
    other = principal.make_calendar(name="Home", cal_id="home")
    assert {found.get_display_name() for found in principal.calendars()} >= {"Work", "Home"}
    kept = calendar.save_event(event("kept", "First", "20260510T080000Z"))
    calendar.save_event(event("weekly", "Weekly", "20260105T080000Z", "RRULE:FREQ=WEEKLY"))
    state = calendar.objects_by_sync_token(load_objects=True)
    kept.data = event("kept", "Second", "20260510T080000Z")
    kept.save()
    updated, deleted = state.sync()
    assert [item.icalendar_component["UID"] for item in updated] == ["kept"]
    assert not list(deleted)
    assert "SUMMARY:Second" in calendar.event_by_uid("kept").data
    moved = client.request(
        str(kept.url), "MOVE", "", {"Destination": f"{way.base}/{way.name}/home/moved.ics"}
    )
    assert moved.status == 201
    assert "SUMMARY:Second" in other.event_by_uid("kept").data
    with pytest.raises(error.NotFoundError):
        calendar.event_by_uid("kept")
    calendar.delete()
    other.delete()
    assert not {found.get_display_name() for found in principal.calendars()} & {"Work", "Home"}


def detect_features(folder: Path, url: str, user: str, trusted: Path | None) -> dict[str, str]:
    """Run caldav-server-tester and return its result for each feature."""
    account = {"caldav_url": url, "caldav_username": user, "caldav_password": USERS[user]}
    if trusted:
        account["caldav_ssl_verify_cert"] = str(trusted)
    config = folder / "caldav.json"
    config.write_text(json.dumps({"default": account}))
    done = subprocess.run(
        [str(BIN / "caldav-server-tester"), "--format", "hints", "--config-section", "default"],
        env={**os.environ, "CALDAV_CONFIG_FILE": str(config)},
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = ast.literal_eval(done.stdout[done.stdout.index("{") :])
    return {name: info["support"] for name, info in found.items() if "support" in info}


@pytest.fixture(scope="module")
def directly(kalends: ProxiedKalends, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The results of the tester without a web server in between."""
    folder = tmp_path_factory.mktemp("tester")
    return detect_features(folder, f"http://127.1:{kalends.port}/", "direct-tester", None)


def test_the_server_tester_finds_no_difference(
    way: Way, directly: dict[str, str], tmp_path: Path
) -> None:
    found = detect_features(tmp_path, f"{way.base}/", f"{way.name}-tester", way.certificate.chain)
    assert len(found) >= 100
    differ = {n: (s, found.get(n)) for n, s in directly.items() if found.get(n) != s}
    # The tester uses a name that is not in the TLS certificate; test_web_servers.py tests it.
    differ.pop("well-known", None)
    assert differ == {}
